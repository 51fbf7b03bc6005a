"""Rows of cells as text for a terminal, as Markdown, as HTML, as LaTeX."""

from collections.abc import Iterable, Sequence

from snnbook.checks import nearest
from snnbook.errors import UserError

Cells = Sequence[Sequence[str]]  # headings first

_TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{character: f"{{{character}}}" for character in "[*"},  # behind a row's end they would be its argument
    "±": r"$\pm$",
    "µ": r"$\mu$",
    "λ": r"$\lambda$",
    "×": r"$\times$",
    "°": r"$^\circ$",
    "²": r"$^2$",
    "⁶": r"$^6$",
    "−": "$-$",
    "…": r"\ldots{}",
}


def text(cells: Cells, left: int = 2) -> str:
    """Columns of one width each; the first ``left`` of them start at the left, numbers end at the right."""
    return _table(cells, left, "simple")


def markdown(cells: Cells, left: int = 2) -> str:
    """A pipe table."""
    escaped = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in cells]
    return _table(escaped, left, "pipe")


def html(cells: Cells, left: int = 1) -> str:
    """A table for a notebook; what HTML would take for tags is escaped."""
    return _table(cells, left, "html")


def _table(cells: Cells, left: int, style: str) -> str:
    from tabulate import tabulate  # not on every machine that trains

    head, *rows = cells
    sides = (
        ["left"] * left + ["right"] * (len(head) - left) if rows else None
    )  # tabulate 0.9 wants a row for them
    # What is shown is text already: "0.10" stays as it is.
    return tabulate(rows, head, tablefmt=style, colalign=sides, disable_numparse=True)


def latex(cells: Cells, caption: str, label: str, left: int = 2) -> str:
    """A ``table`` with rules of the package booktabs; no other package is needed.

    Args:
        cells: as they are shown; what LaTeX would take for commands is escaped.
        caption, label: of the table, the label without its ``tab:``.
        left: how many columns start at the left.
    """
    columns = "l" * left + "r" * (len(cells[0]) - left)
    rows = [" & ".join(map(tex, row)) + r" \\" for row in cells]
    return "\n".join(
        [
            r"\begin{table}",
            r"  \centering",
            f"  \\caption{{{tex(caption)}}}",
            f"  \\label{{tab:{label}}}",
            f"  \\begin{{tabular}}{{{columns}}}",
            r"    \toprule",
            f"    {rows[0]}",
            r"    \midrule",
            *(f"    {row}" for row in rows[1:]),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
        ]
    )


def tex(plain: str) -> str:
    """``plain`` so that LaTeX prints it as it stands."""
    return "".join(_TEX.get(character, character) for character in plain)


def titles(wanted: str, every: Iterable[str]) -> list[str]:
    """The columns that ``wanted`` names, one after the other; a title may be of several words (``paper STM``).

    Raises:
        UserError: a word begins no column's title; the message names the nearest.
    """
    known = sorted((title.split() for title in every), key=len, reverse=True)
    words, found = wanted.split(), []
    while words:
        title = next((title for title in known if words[: len(title)] == title), None)
        if title is None:
            raise UserError(f"no column {words[0]!r}; {nearest(words[0], every)}")
        found.append(" ".join(title))
        words = words[len(title) :]
    return found
