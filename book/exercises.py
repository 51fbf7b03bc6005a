"""Exercises of a chapter as its notebook has them: the text, the starter cell, the solution and its code."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat

import myst
from myst import Directive
from snnbook.errors import UserError

STARTER = "starter"  # the tag of a cell in which a reader begins
QUESTION = "snnbook.check("
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
    def place(self) -> str:
        """Its number as a name: "5-2"."""
        return self.number.replace(".", "-")

    @property
    def code(self) -> list[str]:
        """The solution's code.  The first block is the answer; the others go on where the chapter ended."""
        return CODE.findall(self.solution)

    @property
    def question(self) -> str:
        """The starter's last statement: ``snnbook.check(...)``."""
        return self.starter[self.starter.rindex(QUESTION) :]

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
    found, pieces = [], list(_pieces(cells))
    for index, exercise in enumerate(pieces):
        if isinstance(exercise, str) or exercise.name != "exercise":
            continue
        number = f"{int(path.name[:2])}.{len(found) + 1}"
        head = LEVEL.match(exercise.body)
        starter, solution, *_ = *pieces[index + 1 :], "", ""
        answers = getattr(solution, "name", ""), getattr(solution, "argument", "")
        whole = isinstance(starter, str) and QUESTION in starter and answers == ("solution", exercise.label)
        if not (head and exercise.label and whole):
            raise UserError(
                f"{path.name}, exercise {number}: expected a text that begins '*Easy, 10 minutes.* ', a cell "
                f"tagged {STARTER!r} that ends in {QUESTION}...) and a solution with its label, in this order"
            )
        found.append(
            Exercise(
                number=number,
                label=exercise.label,
                title=exercise.argument,
                level=head[1].lower(),
                minutes=int(head[2]),
                text=exercise.body[head.end() :].strip(),
                written="written" in exercise.options.get("class", ""),
                starter=starter,
                solution=solution.body.strip(),
            )
        )
    return found


def _pieces(cells: Iterable[nbformat.NotebookNode]) -> Iterator[Directive | str]:
    """Exercises, the code of starters, and solutions, in order."""
    for cell in cells:
        if cell.cell_type == "markdown":
            blocks = myst.blocks(cell.source)
            yield from (block for block in blocks if getattr(block, "name", "") in ("exercise", "solution"))
        elif STARTER in cell.metadata.get("tags", ()):
            yield cell.source
