"""Exercises of a chapter as its notebook has them: the text, the starter cell, the solution and its code."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import nbformat

from snnbook.errors import UserError

STARTER = "starter"  # the tag of a cell in which a reader begins
DIRECTIVE = re.compile(
    r"^(?P<fence>:{3,}|`{3,})\{(?P<kind>exercise|solution)\} *(?P<title>[^\n]*)\n"
    r"(?P<options>(?::\w+:[^\n]*\n)*)\n*(?P<body>.*?)\n?^(?P=fence) *$",
    re.M | re.S,
)
LEVEL = re.compile(r"\*(Easy|Medium|Hard), (\d+) minutes\.\* ")
CODE = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Args:
        number: as readers know it, ``"5.2"``: of the chapter, and of the exercise in it.
        label, title, level, minutes: as its head says; ``level`` is easy, medium or hard.
        text: what is asked, without the head.
        written: asks for words, beside what is checked.
        starter: code of the cell in which a reader begins; its last line asks whether the answer is right.
        solution: all of it, Markdown.
    """

    number: str
    label: str
    title: str
    level: str
    minutes: int
    text: str
    written: bool
    starter: str
    solution: str

    @property
    def code(self) -> list[str]:
        """The solution's code.  The first block is the answer; the others go on where the chapter ended."""
        return CODE.findall(self.solution)

    @property
    def question(self) -> str:
        """The starter's last statement: ``snnbook.check(...)``."""
        return self.starter[self.starter.rindex("snnbook.check(") :]

    @property
    def begun(self) -> str:
        """The starter without its question."""
        return self.starter.removesuffix(self.question).rstrip()


def of(path: Path) -> list[Exercise]:
    """The exercises of the chapter at ``path``, in order.

    Raises:
        UserError: an exercise lacks its head, its starter cell or its solution, or has them in another order.
    """
    return read(nbformat.read(path, as_version=4).cells, path)


def read(cells: Iterable[nbformat.NotebookNode], path: Path) -> list[Exercise]:
    """As :func:`of`, of cells that were read."""
    chapter, found, pieces = int(path.name[:2]), [], list(_pieces(cells))
    for index, (kind, content) in enumerate(pieces):
        if kind != "exercise":
            continue
        number = f"{chapter}.{len(found) + 1}"
        options = dict(re.findall(r"^:(\w+): *(.*)$", content["options"], re.M))
        head = LEVEL.match(content["body"])
        (_, starter), (_, solution) = (pieces[index + 1 : index + 3] + [("", None)] * 2)[:2]
        kinds = [kind for kind, _ in pieces[index : index + 3]]
        if (
            not head
            or kinds != ["exercise", "starter", "solution"]
            or solution["title"] != options.get("label")
        ):
            raise UserError(
                f"{path.name}, exercise {number}: expected a text that begins '*Easy, 10 minutes.* ', a cell "
                f"tagged {STARTER!r} and a solution with its label, in this order"
            )
        text = content["body"][head.end() :].strip()
        found.append(
            Exercise(
                number=number,
                label=options["label"],
                title=content["title"].strip(),
                level=head[1].lower(),
                minutes=int(head[2]),
                text=text,
                written="written" in options.get("class", ""),
                starter=starter,
                solution=solution["body"].strip(),
            )
        )
    return found


def _pieces(cells: Iterable[nbformat.NotebookNode]):
    """Exercises, starters and solutions, in order."""
    for cell in cells:
        if cell.cell_type == "markdown":
            for match in DIRECTIVE.finditer(cell.source):
                yield match["kind"], match.groupdict()
        elif STARTER in cell.metadata.get("tags", ()):
            yield "starter", cell.source
