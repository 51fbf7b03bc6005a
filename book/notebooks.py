"""Keep notebooks clean: no outputs, stable cell ids, one kernel name, the Colab badge and the install cell.

``python book/notebooks.py`` rewrites what differs; ``--check`` only says what differs, and exits with code 1.
Chapters (``notebooks/NN_title.ipynb``) get the badge and the install cell, from the address in ``_config.yml``;
other notebooks are cleaned alone, and those in ``colab/`` are written anew from the chapters.
"""

import argparse
import json
import re
import sys
from pathlib import Path

import nbformat

import colab
from header import BADGE, INSTALL, KERNEL, address
from header import cells as header
from snnbook import files
from snnbook.errors import UserError

CHAPTER = re.compile(r"\d\d_\w+\.ipynb")
# What a cell may carry: tags (parameters, hide-input, ...) and how its figure is shown.
CELL_METADATA = ("tags", "mystnb")


def normalize(text: str, name: str, url: str, branch: str) -> str:
    """The notebook ``text`` as it should be; applying it twice changes nothing more.

    Raises:
        UserError: not a notebook of format 4.
    """
    try:
        content = json.loads(text)
        seen: set[str] = set()
        # Before nbformat reads them: it gives bad ids random names, so each run would give others.
        for index, cell in enumerate(content["cells"]):
            cell["id"] = _identity(cell.get("id"), index, seen)
        notebook = nbformat.reads(json.dumps({**content, "nbformat_minor": 5}), as_version=4)
        nbformat.validate(notebook)
    except (ValueError, KeyError, TypeError, AttributeError, nbformat.ValidationError) as error:
        raise UserError(
            f"{name} is no notebook of format 4 ({type(error).__name__}); restore it from git"
        ) from None
    cells = [cell for cell in notebook.cells if cell.get("id") not in (BADGE, INSTALL)]
    if CHAPTER.fullmatch(name):
        cells = header(name, url, branch, "\n".join(cell.source for cell in cells)) + cells
        for cell in cells[:2]:  # the book's pages have a button of their own
            cell.metadata["tags"] = ["remove-cell"]
    for cell in cells:
        cell["metadata"] = {k: v for k, v in cell.metadata.items() if k in CELL_METADATA}
        if cell.cell_type == "code":
            cell["outputs"], cell["execution_count"] = [], None
    clean = nbformat.v4.new_notebook(cells=cells, metadata=KERNEL)
    clean["nbformat_minor"] = 5
    return nbformat.writes(clean) + "\n"


def _identity(identity: str | None, index: int, seen: set[str]) -> str:
    """A cell's own id where it has a proper one, else a name from its place; never one twice."""
    if not identity or identity in seen or not re.fullmatch(r"[\w-]{1,64}", identity):
        identity = f"cell-{index}"
        while identity in seen:
            identity += "x"
    seen.add(identity)
    return identity


def differences(old: str, new: str) -> list[str]:
    """What normalizing changed, in words."""
    before, after = nbformat.from_dict(json.loads(old)), nbformat.from_dict(json.loads(new))
    code = [cell for cell in before.cells if cell.cell_type == "code"]
    ids = {cell.get("id") for cell in before.cells}
    found = {
        "outputs": any(cell.outputs for cell in code),
        "execution counts": any(cell.execution_count is not None for cell in code),
        "kernel or notebook metadata": before.metadata != after.metadata,
        "badge or install cell": _header(before) != _header(after),
        "cell ids": {cell.id for cell in after.cells} - {BADGE, INSTALL} != ids - {BADGE, INSTALL},
    }
    return [what for what, differs in found.items() if differs] or ["cell metadata or formatting"]


def _header(notebook: nbformat.NotebookNode) -> list[str]:
    return ["".join(c.source) for c in notebook.cells if c.get("id") in (BADGE, INSTALL)]


def own(root: Path) -> list[Path]:
    """The notebooks that people write."""
    found = sorted((root / "notebooks").rglob("*.ipynb"))
    return [path for path in found if path.parent.name != colab.FOLDER]


def written(root: Path) -> dict[Path, str]:
    """Each notebook that there is or should be, and what should stand in it; nothing for one that should go."""
    found = {
        path: normalize(path.read_text(encoding="utf-8"), path.name, *address(root)) for path in own(root)
    }
    there = (root / "notebooks" / colab.FOLDER).glob("*.ipynb")
    return found | dict.fromkeys(there, "") | colab.copies(root)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing, say what differs")
    check = parser.parse_args().check
    root, dirty = files.root(), 0
    try:
        for path, new in written(root).items():
            old = path.read_text(encoding="utf-8") if path.is_file() else ""
            if new == old:
                continue
            dirty += 1
            if not check:
                files.write_text(path, new) if new else path.unlink()
            own = path.parent.name != colab.FOLDER
            what = ", ".join(differences(old, new)) if own else "its chapter, or a record it quotes, is newer"
            print(f"{path.relative_to(root)}: {what}{'' if check else ' (fixed)'}")
    except UserError as error:
        print(f"notebooks: {error}", file=sys.stderr)
        return 1
    if check and dirty:
        print(f"notebooks: {dirty} to be written; run: make notebooks", file=sys.stderr)
    return int(check and dirty > 0)


if __name__ == "__main__":
    raise SystemExit(main())
