"""What the book's text can point to, each with its number and the address where the published page shows it."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import nbformat
import yaml
from pybtex.database import Person, parse_file

import myst
from snnbook.checks import nearest
from snnbook.errors import UserError

# Directives that are counted, a chapter at a time, and what they are called.
COUNTED = {"exercise": "Exercise", "exercise-start": "Exercise", "math": "", "figure": "Figure"}
COUNTED |= {
    f"prf:{kind}": kind.capitalize()
    for kind in (
        *("algorithm", "assumption", "axiom", "conjecture", "corollary", "criterion", "definition"),
        *("example", "lemma", "observation", "property", "proposition", "remark", "theorem"),
    )
}
TARGET = re.compile(r"^\((?P<label>[\w:.-]+)\)=[ ]*$", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}[ ]+(?P<title>.+?)[ ]*$", re.MULTILINE)


@dataclass(frozen=True)
class Label:
    """Something with a name of its own: what it is called in text, on which page, and its place there."""

    title: str
    page: str
    anchor: str

    @property
    def number(self) -> str:
        return self.title.rpartition(" ")[2]


@dataclass
class Numbers:
    """Numbers in a chapter, ``5.2`` the second of its kind in chapter 5."""

    page: str
    seen: Counter = field(default_factory=Counter)

    def of(self, directive: myst.Directive) -> str:
        """The next one for ``directive``, as text names it: "Exercise 5.2"; nothing where it is not counted."""
        kind = COUNTED.get(directive.name)
        uncounted = "nonumber" in directive.options or "nonumber" in directive.options.get("class", "")
        if kind is None or uncounted or (directive.name in ("math", "figure") and not directive.label):
            return kind or ""
        return self.next(kind)

    def next(self, kind: str) -> str:
        """The next number of this kind; formulas are called by their number alone."""
        self.seen[kind] += 1
        chapter = re.match(r"notebooks/0?(\d+)_", self.page)
        number = f"{chapter[1]}.{self.seen[kind]}" if chapter else str(self.seen[kind])
        return f"{kind} {number}" if kind else f"({number})"


class Book:
    """The pages of the project in the folder ``root``, and what they can point to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
        self.title, self.published = config["title"], config["html"]["baseurl"].rstrip("/")
        self.repository, self.branch = config["repository"]["url"], config["repository"]["branch"]
        pages = [*sorted(root.glob("book/*.md")), *sorted(root.glob("notebooks/[0-9]*.ipynb"))]
        self.texts = {path.relative_to(root).with_suffix("").as_posix(): _text(path) for path in pages}

    def address(self, page: str, anchor: str = "") -> str:
        """Where the page ``page`` (``notebooks/01_the_neuron``) is published."""
        if page not in self.texts:
            raise UserError(f"no page {page!r}; {nearest(page, self.texts)}")
        return f"{self.published}/{page}.html" + (f"#{anchor}" if anchor else "")

    def file(self, name: str) -> str:
        """Where a file of the repository can be loaded from."""
        return f"{self.repository}/raw/{self.branch}/{name}"

    def heading(self, page: str) -> str:
        """The title of a page."""
        self.address(page)
        return HEADING.search(self.texts[page])["title"]

    def page(self, target: str, seen_from: str) -> str:
        """The page that ``/book/claims`` or a relative ``../book/claims.md`` means."""
        return self.path(re.sub(r"\.(md|ipynb|html)$", "", target), seen_from)

    def path(self, name: str, seen_from: str) -> str:
        """The path from the root of the project that ``/book/a.svg`` or a relative ``../book/a.svg`` means."""
        if name.startswith("/"):
            return name[1:]
        parts = seen_from.split("/")[:-1]
        for part in name.split("/"):
            parts = parts[:-1] if part == ".." else parts if part == "." else [*parts, part]
        return "/".join(parts)

    def label(self, name: str) -> Label:
        """What is called ``name``.

        Raises:
            UserError: nothing is.
        """
        if name not in self.labels:
            raise UserError(f"no label {name!r}; {nearest(name, self.labels)}")
        return self.labels[name]

    @cached_property
    def labels(self) -> dict[str, Label]:
        return {name: label for page, text in self.texts.items() for name, label in _labels(page, text)}

    def term(self, name: str) -> str:
        """The address of an entry of the glossary."""
        known = self._terms.get(" ".join(name.split()).lower())
        if known is None:
            raise UserError(f"no term {name!r} in the glossary; {nearest(name, self._terms)}")
        return self.address("book/glossary", f"term-{re.sub('[^a-zA-Z0-9._]+', '-', known).strip('-')}")

    @cached_property
    def _terms(self) -> dict[str, str]:
        (glossary,) = [d for d in myst.everywhere(self.texts["book/glossary"]) if d.name == "glossary"]
        return {line.lower(): line for line in glossary.body.splitlines() if line and line[0] != " "}

    def cited(self, keys: str) -> Iterator[tuple[str, str]]:
        """Authors and year of each of the works ``keys``, separated by commas: "Fang et al.", "2021"."""
        for key in (key.strip() for key in keys.split(",")):
            if key not in self._works:
                raise UserError(f"no work {key!r} in references.bib; {nearest(key, self._works)}")
            work = self._works[key]
            names = [_surname(person) for person in work.persons["author"]]
            many = len(names) > 2 or names[-1] == "others"
            yield f"{names[0]} et al." if many else " and ".join(names), work.fields["year"]

    @cached_property
    def _works(self) -> dict:
        return dict(parse_file(str(self.root / "book/references.bib")).entries)


def _surname(person: Person) -> str:
    from pybtex.richtext import Text

    return " ".join(str(Text.from_latex(name)) for name in (*person.prelast_names, *person.last_names))


def _text(path: Path) -> str:
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source if cell.cell_type == "markdown" else drawn(cell) for cell in cells)


def drawn(cell: nbformat.NotebookNode) -> str:
    """The figure that a cell of code draws, as text has figures; nothing where it draws none with a name."""
    figure = cell.metadata.get("mystnb", {}).get("figure", {})
    return f":::{{figure}} drawn\n:name: {figure['name']}\n\n{figure['caption']}\n:::" if figure else ""


def _labels(page: str, text: str) -> Iterator[tuple[str, Label]]:
    for found in TARGET.finditer(text):
        heading = HEADING.search(text, found.end())
        yield found["label"], Label(heading["title"] if heading else page, page, found["label"])
    numbers = Numbers(page)
    for kind, name, anchor in _counted(text, numbers):
        yield name, Label(kind, page, anchor)


def _counted(text: str, numbers: Numbers) -> Iterator[tuple[str, str, str]]:
    """Number, label and anchor of what is counted, in the order of the text."""
    for block in myst.blocks(text):
        if isinstance(block, str):
            for found in myst.INLINE.finditer(block):
                if found["label"]:
                    yield numbers.next(""), found["label"], f"equation-{found['label']}"
            continue
        title = numbers.of(block)
        if block.label and title:
            prefix = "equation-" if block.name == "math" else ""
            yield title, block.label, prefix + block.label
        if block.name not in myst.LITERAL:
            yield from _counted(block.body, numbers)
