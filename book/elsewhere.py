"""Run the notebooks for Colab as a reader does: copied out of the checkout, with the installed package.

``python book/elsewhere.py`` runs all of them with this Python, ``... elsewhere.py 1 5`` these.  With ``--old
DIR`` they run with the oldest versions that a reader may meet on Colab, in an environment that uv makes in DIR.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from traitlets import Unicode

import execute
import header
from snnbook import files
from snnbook.errors import UserError

FOLDER = files.root() / "notebooks" / "colab"
OLD_PYTHON = "3.12"
OLD = ("torch==2.9.1", "torchvision==0.24.1", "numpy==2.0.*", "matplotlib==3.10.*", "scikit-learn==1.6.*")


def chosen(numbers: Sequence[int]) -> list[Path]:
    """The notebooks of these chapters, all by default, in order.

    Raises:
        UserError: there is none of a number.
    """
    found = {int(path.name[:2]): path for path in sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))}
    if missing := [str(number) for number in numbers if number not in found]:
        raise UserError(f"no chapter {', '.join(missing)}; choose from {', '.join(map(str, found))}")
    return [path for number, path in found.items() if number in numbers or not numbers]


def run(notebook: Path, python: str, environment: dict[str, str]) -> nbformat.NotebookNode:
    """``notebook`` with the outputs that ``python`` gives in an empty folder.

    Raises:
        UserError: a cell failed.
    """
    content = nbformat.read(notebook, as_version=4)
    with tempfile.TemporaryDirectory(prefix="snnbook-") as folder:
        execute.run(content, notebook.name, Path(folder), _Kernel(python=python), environment)
    return content


class _Kernel(KernelSpecManager):
    """Whatever kernels are registered, ``python3`` is this interpreter."""

    python = Unicode(help="the interpreter")

    def get_kernel_spec(self, kernel_name):
        command = [self.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name="Python 3", language="python")


def old(folder: Path, notebooks: Sequence[Path]) -> str:
    """The interpreter of an environment in ``folder`` with the oldest versions and what ``notebooks`` install.

    Raises:
        UserError: uv is not there, or could not make the environment.
    """
    texts = [path.read_text(encoding="utf-8") for path in notebooks]
    extras = sorted({name for text in texts for name in header.extras(text)})
    package = f"{files.root()}[{','.join(extras)}]" if extras else str(files.root())
    python = folder / "bin" / "python"
    _uv("venv", "--allow-existing", "--python", OLD_PYTHON, folder)
    _uv("pip", "install", "--python", python, "--reinstall-package", "snnbook", package, "ipykernel", *OLD)
    return str(python)


def _uv(*arguments: object) -> None:
    program = os.environ.get("UV", "uv")
    try:
        subprocess.run(
            [program, *map(str, arguments), "--quiet"], check=True, stderr=subprocess.PIPE, text=True
        )
    except FileNotFoundError:
        raise UserError(f"{program} not found, which makes the environment; use make colab OLD=1") from None
    except subprocess.CalledProcessError as error:
        raise UserError(f"uv could not make the environment: {error.stderr.strip()}") from None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("numbers", type=int, nargs="*", metavar="CHAPTER", help="these alone (all)")
    parser.add_argument("--old", type=Path, metavar="DIR", help="oldest versions, in this environment")
    options = parser.parse_args()
    failed = 0
    try:
        notebooks = chosen(options.numbers)
        python, environment = sys.executable, dict(os.environ)
        if options.old:
            python = old(options.old.absolute(), notebooks)
            environment.pop("PYTHONPATH", None)  # the package alone, not the checkout
        for path in notebooks:
            started = time.monotonic()
            try:
                run(path, python, environment)
                said = f"{time.monotonic() - started:.0f} s"
            except UserError as error:
                said, failed = f"failed: {error}", failed + 1
            print(f"colab: {path.name} {said}", flush=True)
    except UserError as error:
        print(f"colab: {error}", file=sys.stderr)
        return 1
    if failed:
        print(f"colab: {failed} of {len(notebooks)} failed", file=sys.stderr)
    return int(failed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
