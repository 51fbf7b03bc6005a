"""Copies of a chapter for a class: for students, for their teacher, and as nbgrader takes it.

Students get the chapter without solutions and without what is to be seen in its figures, with places for answers,
and a cell that says whether an answer is right.  Teachers have all of it, and each solution's code in cells.
nbgrader makes its students' copies from its source, where what they must not see stands between marks.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import exercises
import header
from exercises import Exercise
from labels import Book
from plain import Code, Plain
from snnbook.errors import UserError

STUDENT, TEACHER, SOURCE = KINDS = ("student", "instructor", "source")
POINTS = {"easy": 1, "medium": 2, "hard": 3}
WRITTEN_POINTS = 2
YOUR_CODE = "# your code: in the place of the dots, or here"
YOUR_WORDS = "*Your words.*"
SEEN = "**What we see"
HIDDEN = re.compile(r"^(?:#{3}|%) BEGIN SOLUTION\n(.*?)\n(?:#{3}|%) END SOLUTION$", re.M | re.S)


def copies(chapter: Path, book: Book) -> dict[str, NotebookNode]:
    """The notebooks that the chapter at ``chapter`` becomes, by :data:`KINDS`.

    Raises:
        UserError: an exercise lacks a part, or a role or label is not known; the message names the cell.
    """
    written = nbformat.read(chapter, as_version=4).cells
    found = iter(exercises.read(written, chapter))
    made: dict[str, list[NotebookNode]] = {kind: [] for kind in KINDS}
    plain, exercise = Plain(book, f"notebooks/{chapter.stem}"), None
    for cell in written:
        tags = cell.metadata.get("tags", ())
        if exercises.STARTER in tags:
            exercise = next(found)
            new = _answered(exercise)
        elif cell.cell_type == "markdown" and cell.source.startswith(":::{solution}"):
            new = _explained(exercise, plain)
        elif cell.id == header.BADGE or ("remove-cell" in tags and cell.id != header.INSTALL):
            continue
        else:
            new = _kept(cell, plain, chapter.name)
        for kind in KINDS:
            made[kind] += new.get(kind, [])
    return {kind: _notebook(cells) for kind, cells in made.items()}


def cleared(cell: NotebookNode) -> NotebookNode:
    """A cell of nbgrader's source as students get it."""
    stub = YOUR_CODE if cell.cell_type == "code" else YOUR_WORDS
    return nbformat.from_dict({**cell, "source": HIDDEN.sub(lambda _: stub, cell.source)})


def _open(cell: NotebookNode) -> NotebookNode:
    """A cell of nbgrader's source without its marks."""
    return nbformat.from_dict({**cell, "source": HIDDEN.sub(lambda found: found[1], cell.source)})


def _marked(cell: NotebookNode, identity: str, **role: object) -> NotebookNode:
    """``cell`` with nbgrader's metadata; by default nobody is to change it."""
    role = {"grade": False, "solution": False, "locked": True, "task": False, **role}
    role |= {"schema_version": 3, "grade_id": identity}
    return nbformat.from_dict({**cell, "id": identity, "metadata": {"nbgrader": role}})


def _kept(cell: NotebookNode, plain: Plain, name: str) -> dict[str, list[NotebookNode]]:
    """A cell of the chapter's own text or code."""
    if cell.cell_type == "code":
        same = [_marked(new_code_cell(cell.source), cell.id)]
        number, caption = plain.captioned(cell)
        if not number:
            return dict.fromkeys(KINDS, same)
        # A caption may tell what is to be seen.
        named, told = (
            [*same, _marked(new_markdown_cell(text), f"{cell.id}-caption")]
            for text in (number, f"{number} {caption}")
        )
        return {TEACHER: told, STUDENT: named, SOURCE: named}
    whole, asked = [], []
    try:
        for number, (seen, text) in enumerate(_parts(cell.source)):
            pieces = [
                _marked(_text_or_code(piece), f"{cell.id}-{number}-{index}" if number or index else cell.id)
                for index, piece in enumerate(plain.cells(text))
            ]
            whole += pieces
            see = new_markdown_cell(f"**What do you see?** {YOUR_WORDS}")
            asked += [_marked(see, f"{cell.id}-{number}-see", locked=False)] if seen else pieces
    except UserError as error:
        raise UserError(f"{name}, cell {cell.id}: {error}") from None
    return {TEACHER: whole, STUDENT: asked, SOURCE: asked}


def _parts(text: str) -> Iterator[tuple[bool, str]]:
    """``text`` in pieces, and whether each says what is to be seen: paragraphs that begin so."""
    seen, kept = False, []
    for paragraph in text.split("\n\n"):
        now = paragraph.startswith(SEEN)
        if now != seen and kept:
            yield seen, "\n\n".join(kept)
            kept = []
        seen, kept = now, [*kept, paragraph]
    yield seen, "\n\n".join(kept)


def _text_or_code(piece: str | Code) -> NotebookNode:
    return new_code_cell(piece.source) if isinstance(piece, Code) else new_markdown_cell(piece)


def _answered(exercise: Exercise) -> dict[str, list[NotebookNode]]:
    """Where a reader answers, and the cell that says whether the answer is right."""
    answer = f"{exercise.begun}\n\n\n### BEGIN SOLUTION\n{exercise.code[0].rstrip()}\n### END SOLUTION"
    begun = _marked(new_code_cell(answer), f"answer-{exercise.place}", solution=True, locked=False)
    test = f"said = {exercise.question}\nprint(said)\nassert said.right, said"
    tested = _marked(
        new_code_cell(test), f"check-{exercise.place}", grade=True, points=POINTS[exercise.level]
    )
    return {STUDENT: [cleared(begun), tested], SOURCE: [begun, tested], TEACHER: [_open(begun), tested]}


def _explained(exercise: Exercise, plain: Plain) -> dict[str, list[NotebookNode]]:
    """The solution in words and further code; students explain it themselves where they are asked to."""
    first, *further = exercise.code
    words = exercises.CODE.sub("", exercise.solution.replace(f"```python\n{first}```", "", 1)).strip()
    words = re.sub(r"\n{3,}", "\n\n", plain.text(words))
    more = [
        _marked(new_code_cell(code.rstrip()), f"more-{exercise.place}-{index}")
        for index, code in enumerate(further, 1)
    ]
    identity = f"words-{exercise.place}"
    if not exercise.written:
        told = [_marked(new_markdown_cell(f"**Solution of exercise {exercise.number}.** {words}"), identity)]
        return {TEACHER: told + more}
    asked = new_markdown_cell(
        f"**Exercise {exercise.number}, in words.**\n\n% BEGIN SOLUTION\n{words}\n% END SOLUTION"
    )
    graded = _marked(asked, identity, grade=True, solution=True, locked=False, points=WRITTEN_POINTS)
    return {STUDENT: [cleared(graded)], SOURCE: [graded], TEACHER: [_open(graded), *more]}


def _notebook(cells: list[NotebookNode]) -> NotebookNode:
    notebook = new_notebook(cells=cells, metadata=header.KERNEL)
    notebook["nbformat_minor"] = 5
    nbformat.validate(notebook)
    return notebook


def solved(released: NotebookNode, source: NotebookNode) -> NotebookNode:
    """A student's copy with the source's answers in it: what a student hands in who knows them all."""
    answers: Mapping[str, NotebookNode] = {
        cell.metadata.nbgrader.grade_id: _open(cell) for cell in source.cells
    }
    for cell in released.cells:
        if cell.metadata.nbgrader.solution:
            cell["source"] = answers[cell.metadata.nbgrader.grade_id].source
    return released
