"""How a notebook begins on Colab: the badge that opens it there, and the cell that installs what it needs."""

import re
import tomllib
from pathlib import Path

import nbformat
import yaml

from snnbook import files

BADGE, INSTALL = "colab-badge", "install"
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
# Parts of the package beyond its base, by what the text or code of a chapter that needs them says.
EXTRAS = {
    "run": r"\bsnnbook (run|reproduce)\b",
    "bench": r"(?m)^!?snnbook bench\b",
    "events": r"\bimport (eventcv|h5py|spikingjelly)\b",
    "deploy": r"\b(to_nir|from_nir|to_onnx)\(|\bimport (nir|onnx\w*)\b",
}


def address(root: Path) -> tuple[str, str]:
    """The repository's address and its branch or tag: they stand in ``_config.yml`` and nowhere else."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]
    return config["url"], config["branch"]


def extras(text: str) -> list[str]:
    """The extras of the package, of those there are, that a chapter of this ``text`` needs."""
    project = tomllib.loads((files.root() / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    known = project["optional-dependencies"]
    return [name for name, said in EXTRAS.items() if name in known and re.search(said, text)]


def requirement(url: str, branch: str, text: str) -> str:
    """What pip is asked for, for a chapter of this ``text``."""
    needed = ",".join(extras(text))
    return f"snnbook{f'[{needed}]' if needed else ''} @ git+{url}@{branch}"


def cells(name: str, url: str, branch: str, text: str) -> list[nbformat.NotebookNode]:
    """Badge and install cell of the chapter ``name``, whose cells hold ``text``."""
    place = url.removeprefix("https://github.com/")
    target = f"https://colab.research.google.com/github/{place}/blob/{branch}/notebooks/colab/{name}"
    image = "https://colab.research.google.com/assets/colab-badge.svg"
    install = (
        "import importlib.util\n\n"
        'if importlib.util.find_spec("snnbook") is None:  # on Colab, for instance\n'
        f'    %pip install -q "{requirement(url, branch, text)}"\n'
        'importlib.import_module("snnbook")  # before torch: its idle threads then sleep'
    )
    return [
        nbformat.v4.new_markdown_cell(f"[![Open in Colab]({image})]({target})", id=BADGE),
        nbformat.v4.new_code_cell(install, id=INSTALL),
    ]
