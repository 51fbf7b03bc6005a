"""A chapter's text as any notebook shows it: roles become words and numbers, directives become plain Markdown.

Roles that name records are run as the page runs them, so that both say the same.  What lives on the page alone, a
widget for instance, becomes a link to it.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from types import SimpleNamespace

from nbformat import NotebookNode

import myst
from labels import Book, Numbers, drawn
from myst import Directive
from snnbook.errors import UserError
from snnbook.experiments.tables import tables

sys.path.append(str(Path(__file__).with_name("_ext")))

import ledgers
import numbering
import records
import widgets

RECORDS = {"record": records.RecordRole, "paper": records.PaperRole, "verdict": ledgers.VerdictRole}
BOXES = ("note", "tip", "hint", "important", "warning", "caution", "attention", "danger", "error", "seealso")
TITLES = {"seealso": "See also"}


@dataclass(frozen=True)
class Code:
    """A cell of code that stands for a directive."""

    title: str
    source: str


class Plain:
    """Turns the text of one page, from its first cell to its last."""

    def __init__(self, book: Book, page: str) -> None:
        self.book, self.page = book, page
        self.numbers = Numbers(page)
        self.solving = ""  # the title of the solution that cells belong to

    def cells(self, text: str) -> list[str | Code]:
        """What the markdown cell ``text`` becomes: pieces of Markdown, and cells of code between them.

        Raises:
            UserError: a role or a label that is not known; the message quotes it.
        """
        pieces = [
            _folded(title, piece) if title and isinstance(piece, str) else piece
            for title, piece in self._pieces(text)
        ]
        merged: list[str | Code] = []
        for piece in pieces:
            if isinstance(piece, str) and merged and isinstance(merged[-1], str):
                merged[-1] += f"\n{piece}"
            else:
                merged.append(piece)
        tidy = [piece if isinstance(piece, Code) else _tidy(piece) for piece in merged]
        return [piece for piece in tidy if piece]

    def _pieces(self, text: str) -> Iterator[tuple[str, str | Code]]:
        """Pieces, each with the title of the solution that it belongs to, if it does."""
        for block in myst.blocks(text):
            piece = self.prose(block) if isinstance(block, str) else self.directive(block)
            yield "" if isinstance(piece, str) and not piece.strip() else self.solving, piece

    def text(self, source: str) -> str:
        """As :meth:`cells`, for what lies within a directive, where code cannot be run."""
        pieces = (piece for _, piece in self._pieces(source))
        return _tidy("\n".join(p if isinstance(p, str) else self._link(p.title) for p in pieces))

    def captioned(self, cell: NotebookNode) -> tuple[str, str]:
        """Number and caption of the figure that a cell of code draws; nothing where it draws none."""
        for block in myst.blocks(drawn(cell)):
            return f"**{self.numbers.of(block)}.**", self.text(block.body)
        return "", ""

    # Within a line

    def prose(self, text: str) -> str:
        """Text without directives."""
        kept = re.sub(r"^(\([\w:.-]+\)=|\+\+\+.*|%.*)$\n?", "", text, flags=re.MULTILINE)
        return myst.replaced(kept, self.inline)

    def inline(self, found: re.Match) -> str:
        if found["role"]:
            return self.role(found["role"], found["text"])
        if found["display"]:
            body = found["display"].rstrip()
            ending = found["display"][len(body) :]
            return f"$${self._numbered(body) if found['label'] else body}{ending}$$"
        if found["target"] is not None:
            return self.link(found["shown"], found["target"])
        return found[0]

    def _numbered(self, formula: str) -> str:
        """``formula`` with our number and, if it has one, its paper's: one tag, as two are an error."""
        papers = numbering.TAG.findall(formula)
        tag = "; ".join([self.numbers.next("").strip("()"), *papers])
        return rf"{numbering.TAG.sub('', formula)} \tag{{{tag}}}"

    def link(self, shown: str, target: str) -> str:
        """``[shown](target)``: addresses stay, pages and labels of the book become addresses."""
        if re.match(r"[a-z]+:", target) and target not in self.book.labels:
            return f"[{shown}]({target})"
        if target.lstrip("#") in self.book.labels:
            return self.reference(shown, target.lstrip("#"))
        name, _, anchor = target.partition("#")
        page = self.book.page(name, self.page) if name else self.page
        return f"[{shown or self.book.heading(page)}]({self.book.address(page, anchor)})"

    def reference(self, shown: str, name: str) -> str:
        """A label by its number or title; a link where it is on another page."""
        label = self.book.label(name)
        said = shown.replace("{number}", label.number).replace("{name}", label.title) or label.title
        return said if label.page == self.page else f"[{said}]({self.book.address(label.page, label.anchor)})"

    def role(self, name: str, text: str) -> str:
        """A role in words.

        Raises:
            UserError: no such role, or nothing that it could mean.
        """
        shown, target = myst.titled(text)
        if name in RECORDS:
            return _said(RECORDS[name](), text)
        if name == "doc":
            page = self.book.page(target, self.page)
            return f"[{shown or self.book.heading(page)}]({self.book.address(page)})"
        if name in ("ref", "numref", "eq", "prf:ref"):
            return self.reference(shown.replace("%s", "{number}"), target)
        if name == "term":
            return f"[{shown or target}]({self.book.term(target)})"
        if name in ("cite:t", "cite", "cite:p"):
            works = [
                f"{who} ({year})" if name == "cite:t" else f"{who}, {year}"
                for who, year in self.book.cited(text)
            ]
            linked = f"[{'; '.join(works)}]({self.book.address('book/references')})"
            return linked if name == "cite:t" else f"({linked})"
        if name == "math":
            return f"${text}$"
        if name in ("sub", "sup"):
            return f"<{name}>{text}</{name}>"
        if name == "code" or name.startswith("py:"):
            return f"`{(shown or target).lstrip('~')}`"
        raise UserError(f"no form for the role {{{name}}} in notebooks; add one to book/plain.py")

    # Blocks

    def directive(self, block: Directive) -> str | Code:
        """A directive as Markdown, or as a cell of code."""
        made = self._directive(block)
        return indent(made, block.indent) if isinstance(made, str) else made

    def _directive(self, block: Directive) -> str | Code:
        name, body = block.name, block.body
        if name == "results":
            return self._results(block)
        if name in ("code", "code-block"):
            return f"```{block.argument}\n{body}\n```"
        if name == "math":
            return f"$$\n{self._numbered(body) if block.label else body}\n$$"
        if name in ("list-table", "table"):
            shown = _pipes(_rows(body), self.prose) if name == "list-table" else self.text(body)
            return f"\n**{self.prose(block.argument)}**\n\n{shown}\n" if block.argument else f"\n{shown}\n"
        if name in ("exercise", "exercise-start"):
            return self._titled(f"**{self.numbers.of(block)}.**", block)
        if name in ("solution", "dropdown", "toggle", "solution-start"):
            title = (
                self._solves(block) if name.startswith("solution") else self.prose(block.argument) or "More"
            )
            if name.endswith("start"):
                self.solving = title
                return self.text(body)
            return _folded(title, self.text(body))
        if name in ("exercise-end", "solution-end"):
            self.solving = ""
            return ""
        if name.startswith("prf:"):
            return self._proved(block)
        if name == "admonition" or name in BOXES:
            title = block.argument if name == "admonition" else TITLES.get(name, name.capitalize())
            text = self.text(body if name == "admonition" else f"{block.argument}\n{body}".strip())
            return f"\n{myst.quoted(f'**{self.prose(title)}**{chr(10)}{chr(10)}{text}')}\n"
        if name in ("figure", "image"):
            return self._figure(block)
        if name == "widget":
            title, place = widgets.TITLES[block.argument], f"widget-{block.argument}"
            return f"\n{myst.quoted(f'**{title}.** {self._sentence(body, place)}')}\n"
        return f"\n{myst.quoted(self._link(block.argument or name))}\n"

    def _titled(self, title: str, block: Directive) -> str:
        return f"\n{title} {self.prose(block.argument)}\n\n{self.text(block.body)}\n"

    def _solves(self, block: Directive) -> str:
        title = self.book.label(block.argument).title if block.argument in self.book.labels else ""
        return f"Solution of {title[0].lower()}{title[1:]}" if title else "Solution"

    def _proved(self, block: Directive) -> str:
        if block.name == "prf:proof":
            return f"\n*Proof.* {self.text(block.body)} ∎\n"
        name = f"**{self.numbers.of(block)}**" + (
            f" ({self.prose(block.argument)})" if block.argument else ""
        )
        return f"\n{myst.quoted(f'{name}. {self.text(block.body)}')}\n"

    def _figure(self, block: Directive) -> str:
        source = self.book.file(self.book.path(block.argument, self.page))
        image = f"![{block.options.get('alt', '')}]({source})"
        number = self.numbers.of(block) if block.name == "figure" else ""
        caption = ". ".join(filter(None, (number, self.text(block.body))))
        return f"\n{image}\n\n{caption}\n" if caption else f"\n{image}\n"

    def _sentence(self, text: str, place: str) -> str:
        """What a widget shows, "on the book's page" being a link to it there."""
        where = self.book.address(self.page, place)
        linked, found = re.subn(r"the book's page", f"[the book's page]({where})", self.prose(text), count=1)
        return linked if found else f"{linked} ([on the book's page]({where}))"

    def _link(self, what: str) -> str:
        return f"{what}: on [the book's page]({self.book.address(self.page)})."

    def _results(self, block: Directive) -> Code:
        """A cell that prints a table of results from the installed package's records."""
        options = dict(block.options)
        arguments = [block.argument, options.pop("profile", "strongest")]
        given = "".join(f", {name}={json.dumps(value)}" for name, value in sorted(options.items()))
        called = ", ".join(map(json.dumps, arguments))
        title = tables.load(block.argument).title
        return Code(title, f"from snnbook import experiments\n\nexperiments.report({called}{given})")


def _said(role, text: str) -> str:
    """What a role of the book's extensions says, without a page around it."""

    def refuse(message, **_):
        raise UserError(message)

    page = SimpleNamespace(note_dependency=lambda _: None)
    settings = SimpleNamespace(env=page)
    role.text = role.rawtext = text
    role.lineno = 0
    role.inliner = SimpleNamespace(
        document=SimpleNamespace(settings=settings), reporter=SimpleNamespace(warning=refuse)
    )
    shown, _ = role.run()
    return "".join(node.astext() for node in shown)


def _folded(title: str, text: str) -> str:
    return f"\n<details>\n<summary><b>{title}</b> (click to show)</summary>\n\n{_tidy(text)}\n\n</details>\n"


def _rows(body: str) -> list[list[str]]:
    """The cells of a ``list-table``."""
    rows: list[list[str]] = []
    for line in body.splitlines():
        found = re.fullmatch(r"(?P<row>\* )?(?(row)| +)-(?: (?P<cell>.*))?", line)
        if found and found["row"]:
            rows.append([])
        if found:
            rows[-1].append(found["cell"] or "")
        elif rows and line.strip():
            rows[-1][-1] += f" {line.strip()}"
    return rows


def _pipes(rows: list[list[str]], show: Callable[[str], str]) -> str:
    """Cells as a pipe table, the first row above the line."""

    def cell(text: str) -> str:
        return re.sub(r"(?<!\\)\|", r"\\|", myst.replaced(show(text), _without_bars))

    lines = [f"| {' | '.join(map(cell, row))} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def _without_bars(found: re.Match) -> str:
    return re.sub(r"(?<!\\)\|", r"\\vert ", found[0]) if found["math"] else found[0]


def _tidy(text: str) -> str:
    """One empty line between paragraphs; code keeps its own."""
    return re.sub(rf"{myst.FENCED}|\n{{3,}}", lambda m: m["fence"] or "\n\n", text, flags=myst.FLAGS).strip(
        "\n"
    )
