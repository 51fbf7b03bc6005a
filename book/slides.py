"""Slides of a chapter: headings, questions, formulas, code and figures on them, the text in the presenter's notes.

nbconvert makes them, for reveal.js, whose files and those of MathJax lie beside them: in a room without a network
slides that load them from elsewhere stay white.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import exercises
import header
import myst
import npm
from labels import Book
from plain import Code, Plain
from snnbook import files
from snnbook.errors import UserError

# 5 is the last version that nbconvert's page can start.
REVEAL = npm.Package(
    "reveal.js",
    "5.2.1",
    "r7//6mIM5p34hFiDMvYfXgyjXqGRta+/psd9YtytsgRlrpRzFv4RbH76TXd2qD+7ZPZEbpBDhdRhJaFgfQ7zNQ==",
    root="",
    parts=("LICENSE", "dist/", "plugin/notes/"),
)
REQUIRE = npm.Package(
    "requirejs",
    "2.3.7",
    "DouTG8T1WanGok6Qjg2SXuCMzszOo0eHeH9hDZ5Y4x8Je+9JB38HdTLT4/VA8OaUhBa0JPVHJ0pyBkM1z+pDsw==",
    root="",
    parts=("require.js",),
)
JQUERY = npm.Package(
    "jquery",
    "3.7.1",
    "m4avr8yL8kmFN8psrbFFFmB/If14iN5o9nw/NgnnM+kybDJpRsAynV2BsfpTYrTRysYUdADVD7CkUUizgkpLfg==",
    root="dist/",
    parts=("jquery.min.js",),
)
# nbconvert's pages speak to this version.
MATHJAX = npm.Package(
    "mathjax",
    "2.7.9",
    "NOGEDTIM9+MrsqnjPEjVGNx4q0GQxqm61yQwSK+/5S59i26wId5IC5gNu9/bu8+CCVl5p9G2IHcAl/wJa+5+BQ==",
    root="",
    parts=(
        *("LICENSE", "MathJax.js", "config/TeX-AMS_CHTML-full.js", "config/Safe.js", "extensions/"),
        *("fonts/HTML-CSS/TeX/woff/", "jax/element/", "jax/input/TeX/", "jax/output/CommonHTML/"),
    ),
)
FILES = {"reveal": REVEAL, "require": REQUIRE, "jquery": JQUERY, "mathjax": MATHJAX}
ROOM, WIDTH, FIGURE = 19, 95, 15  # lines and columns of a slide, lines of a figure
SLIDE, BELOW, GOES_ON, NOTES = "slide", "subslide", "-", "notes"
# Paragraphs that begin a slide of their own, below the section's.
BEGIN = ("**Question.**", "**What we see", "**What the paper", "**Exercise ")
SHOWN = (
    "#",
    "$$",
    "- ",
    "* ",
    "1. ",
    "|",
    ">",
    "![",
    "**",
    "```",
    "<",
)  # paragraphs that stand on a slide whole


def marked(executed: Path, book: Book) -> NotebookNode:
    """The executed chapter at ``executed`` with marks: what of it stands on a slide and what in the notes."""
    chapter = nbformat.read(executed, as_version=4)
    plain, cells = Plain(book, f"notebooks/{executed.stem}"), []
    for cell in chapter.cells:
        tags = cell.metadata.get("tags", ())
        if cell.cell_type == "code" and not {"remove-cell", exercises.STARTER} & set(tags):
            cells += _code(cell, " ".join(plain.captioned(cell)).strip())
        if cell.cell_type == "markdown" and "remove-cell" not in tags:
            for block in myst.blocks(cell.source):
                made = plain.cells(_source(block, cell.source))
                if getattr(block, "name", "") != "solution":
                    cells += (
                        slide for piece in made if not isinstance(piece, Code) for slide in _text(piece)
                    )
    notebook = new_notebook(
        cells=list(_fitted(cells)), metadata={**header.KERNEL, "title": book.heading(plain.page)}
    )
    notebook["nbformat_minor"] = 5
    return notebook


def _source(block: str | myst.Directive, text: str) -> str:
    """A block as it is written."""
    if isinstance(block, str):
        return block
    options = "".join(f":{name}: {value}\n" for name, value in block.options.items())
    fence = ":" * 12
    return f"{fence}{{{block.name}}} {block.argument}\n{options}\n{block.body}\n{fence}"


def _mark(cell: NotebookNode, kind: str) -> NotebookNode:
    cell.metadata["slideshow"] = {"slide_type": kind}
    return cell


def _code(cell: NotebookNode, caption: str) -> Iterator[NotebookNode]:
    """Code and its output; a figure of long code on a slide of its own, its caption in the notes."""
    if _pictures(cell) and len(cell.source.splitlines()) > ROOM - FIGURE:
        yield _mark(new_code_cell(cell.source), GOES_ON)
        alone = _mark(new_code_cell("", outputs=cell.outputs), BELOW)
        alone.metadata["tags"] = ["remove-input"]
        yield alone
    else:
        yield _mark(new_code_cell(cell.source, outputs=cell.outputs), GOES_ON)
    if caption:
        yield _mark(new_markdown_cell(caption), NOTES)


def _fitted(cells: Iterable[NotebookNode]) -> Iterator[NotebookNode]:
    """``cells``, with a new slide where the one before is full."""
    used = 0
    for cell in cells:
        kind = cell.metadata.slideshow.slide_type
        if kind != NOTES:
            lines = _lines(cell)
            if kind == GOES_ON and used + lines > ROOM:
                kind = BELOW
            used = lines + (used if kind == GOES_ON else 0)
        yield _mark(cell, kind)


def _lines(cell: NotebookNode) -> int:
    text = "\n".join([cell.source, *(_said(output) for output in cell.get("outputs", ()))]).strip()
    return 1 + FIGURE * _pictures(cell) + sum(1 + len(line) // WIDTH for line in text.splitlines())


def _said(output: NotebookNode) -> str:
    return output.get("text") or output.get("data", {}).get("text/plain", "")


def _pictures(cell: NotebookNode) -> int:
    return sum("image/" in " ".join(output.get("data", {})) for output in cell.get("outputs", ()))


def _text(text: str) -> Iterator[NotebookNode]:
    """Slides of a piece of Markdown: what is looked at on the slide, what is said in the notes."""
    shown, said, kind = [], [], GOES_ON

    def slides() -> Iterator[NotebookNode]:
        if shown:
            yield _mark(new_markdown_cell("\n\n".join(shown)), kind)
        if said:
            yield _mark(new_markdown_cell("\n\n".join(said)), NOTES)

    for paragraph in _paragraphs(text):
        new = SLIDE if re.match(r"#{1,2} ", paragraph) else BELOW if paragraph.startswith(BEGIN) else None
        if new:
            yield from slides()
            shown, said, kind = [], [], new
        shown.append(paragraph if paragraph.startswith(SHOWN) else _first_sentence(paragraph))
        if not paragraph.startswith(SHOWN):
            said.append(paragraph)
    yield from slides()


def _paragraphs(text: str) -> list[str]:
    """Paragraphs, code and formulas in one piece each."""
    whole = re.sub(
        rf"{myst.FENCED}|\$\$.*?\$\$", lambda m: m[0].replace("\n\n", "\n"), text, flags=myst.FLAGS
    )
    return [paragraph.strip("\n") for paragraph in whole.split("\n\n") if paragraph.strip()]


def _first_sentence(paragraph: str) -> str:
    found = re.match(r"(.+?[.?!:])(?=\s+[A-Z(*`$]|$)", paragraph, re.S)
    return found[1] if found else paragraph


def write(executed: Path, folder: Path, book: Book, programs: Path) -> Path:
    """Slides of an executed chapter in ``folder``, with their files; without npm these come from a CDN.

    Args:
        executed: a chapter with outputs.
        folder: of slides; files for all of them lie in its ``lib``.
        book: its pages.
        programs: the folder with nbconvert's program.

    Raises:
        UserError: nbconvert failed.
    """
    source = folder / f"{executed.stem}.ipynb"
    files.write_text(source, nbformat.writes(marked(executed, book)) + "\n")
    options = {
        "reveal_scroll": "True",
        "reveal_width": "1280",
        "reveal_height": "720",
        "reveal_number": "c/t",
    }
    if all(package.fetch(folder / "lib" / name) for name, package in FILES.items()):
        options |= {
            "reveal_url_prefix": "lib/reveal",
            "require_js_url": "lib/require/require.js",
            "jquery_url": "lib/jquery/jquery.min.js",
            "mathjax_url": "lib/mathjax/MathJax.js?config=TeX-AMS_CHTML-full,Safe",
        }
    command = [programs / "jupyter-nbconvert", "--to", "slides", source.name, "--log-level", "ERROR"]
    command += [f"--SlidesExporter.{name}={value}" for name, value in options.items()]
    command += ["--no-prompt", "--TagRemovePreprocessor.remove_input_tags=remove-input"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"no slides of {executed.name}: nbconvert says {done.stderr.strip()[-200:]}")
    source.unlink()
    return folder / f"{executed.stem}.slides.html"


def programs(environment: Path) -> Path | None:
    """The folder of the programs in a Python environment, where nbconvert is one of them."""
    found = shutil.which("jupyter-nbconvert", path=str(environment / "bin"))
    return Path(found).parent if found else None
