"""The chapters as Colab shows them best, in ``notebooks/colab``: written from the chapters, never by hand.

Colab knows Markdown and none of the book's roles and directives; ``plain.py`` says what becomes of them.  Tables
of results are cells that print what the installed package's records say, solutions are folded, and the first cell
installs what the chapter needs, from the branch or tag that ``_config.yml`` names.
"""

from collections.abc import Iterator
from pathlib import Path

import nbformat

import header
from labels import Book
from plain import Code, Plain
from snnbook.errors import UserError

FOLDER = "colab"
# Cells with these tags are not for readers, or are folded away.
LEFT_OUT = ("remove-cell", "remove-input")
FOLDED = {"solution": "Solution", "hide-cell": "Code", "hide-input": "Code"}


def copies(root: Path) -> dict[Path, str]:
    """The text of each copy, by where it belongs.

    Raises:
        UserError: a chapter has a role or a label that is not known; the message names the cell.
    """
    book = Book(root)
    chapters = sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    return {chapter.parent / FOLDER / chapter.name: copy(chapter, book) for chapter in chapters}


def copy(chapter: Path, book: Book) -> str:
    """The notebook for Colab that the chapter at ``chapter`` becomes."""
    written = nbformat.read(chapter, as_version=4).cells
    page = f"notebooks/{chapter.stem}"
    badge, install = header.cells(
        chapter.name, *header.address(book.root), "\n".join(cell.source for cell in written)
    )
    badge["source"] += (
        f"\n\nA chapter of [{book.title}]({book.address('book/index')}), written for Colab from "
        f"[its page]({book.address(page)})."
    )
    made = [badge, install]
    plain = Plain(book, page)
    for cell in written:
        if cell.id in (header.BADGE, header.INSTALL) or set(LEFT_OUT) & set(cell.metadata.get("tags", ())):
            continue
        try:
            made += _text(cell, plain) if cell.cell_type == "markdown" else _code(cell, plain)
        except UserError as error:
            raise UserError(f"{chapter.name}, cell {cell.id}: {error}") from None
    notebook = nbformat.v4.new_notebook(
        cells=made, metadata={**header.KERNEL, "colab": {"provenance": [], "toc_visible": True}}
    )
    notebook["nbformat_minor"] = 5
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def _text(cell: nbformat.NotebookNode, plain: Plain) -> Iterator[nbformat.NotebookNode]:
    for number, piece in enumerate(plain.cells(cell.source)):
        identity = cell.id if number == 0 else f"{cell.id}-part-{number}"[-64:]
        if isinstance(piece, Code):
            yield _form(piece.title, piece.source, identity)
        else:
            yield nbformat.v4.new_markdown_cell(piece, id=identity)


def _code(cell: nbformat.NotebookNode, plain: Plain) -> Iterator[nbformat.NotebookNode]:
    """A cell of code, and below it the caption of the figure that it draws."""
    solving = plain.solving
    titles = [FOLDED[tag] for tag in cell.metadata.get("tags", ()) if tag in FOLDED]
    if solving or titles:
        yield _form(solving or titles[0], cell.source, cell.id)
    else:
        yield nbformat.v4.new_code_cell(cell.source, id=cell.id)
    if below := " ".join(plain.captioned(cell)).strip():
        yield nbformat.v4.new_markdown_cell(below, id=f"{cell.id}-caption"[-64:])


def _form(title: str, source: str, identity: str) -> nbformat.NotebookNode:
    """A cell whose code Colab hides behind its title."""
    plainly = " ".join(title.split())
    return nbformat.v4.new_code_cell(
        f'# @title {plainly} {{display-mode: "form"}}\n{source}', id=identity, metadata={"cellView": "form"}
    )
