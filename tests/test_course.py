"""The course: what students, teachers and nbgrader get of a chapter, and what stands on its slides."""

import os
import re
import shutil
import sys
from functools import cache
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from snnbook.errors import UserError

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "book")]

import build  # noqa: E402
import copies  # noqa: E402
import exercises  # noqa: E402
import grading  # noqa: E402
import npm  # noqa: E402
import slides  # noqa: E402
from labels import Book  # noqa: E402

BOOK = Book(ROOT)
CHAPTERS = build.chapters()
# Where make course has put it.
PROGRAMS = Path(os.environ.get("SNNBOOK_COURSE", ROOT / ".course")) / "bin"


@cache
def made_of(path):
    return copies.copies(path, BOOK)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_students_get_no_answer_and_a_place_for_each(path):
    student, source = (made_of(path)[kind] for kind in (copies.STUDENT, copies.SOURCE))
    text = "\n".join(cell.source for cell in student.cells)
    for exercise in exercises.of(path):
        roles = {cell.id: cell.metadata.nbgrader for cell in student.cells}
        answer, test = roles[f"answer-{exercise.place}"], roles[f"check-{exercise.place}"]
        assert (answer.solution, answer.grade, answer.locked) == (True, False, False)
        assert (test.solution, test.grade, test.locked) == (False, True, True) and test.points >= 1
        assert (f"words-{exercise.place}" in roles) == exercise.written
        for code in exercise.code:
            assert code.strip() not in text
        assert exercise.text.split("`")[0].split("{")[0].split("$")[0][:30] in text
    for left in ("What we see", "SOLUTION", "{solution}", "{exercise}", "<details>"):
        assert left not in text
    assert copies.HIDDEN.search("\n".join(cell.source for cell in source.cells))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_cell_tells_nbgrader_what_it_is(path):
    for kind, notebook in made_of(path).items():
        names = [cell.metadata.nbgrader.grade_id for cell in notebook.cells]
        assert len(set(names)) == len(names) == len(notebook.cells), kind
        for cell in notebook.cells:
            role = cell.metadata.nbgrader
            assert role.schema_version == 3 and not role.task
            assert role.locked or role.solution or "What do you see?" in cell.source
            assert ("points" in role) == role.grade
            if role.grade and not role.solution:  # its last line is the mark
                assert cell.source.splitlines()[-1].startswith("assert ")


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_the_teacher_gets_all_of_it(path):
    text = "\n".join(cell.source for cell in made_of(path)[copies.TEACHER].cells)
    for exercise in exercises.of(path):
        for code in exercise.code:
            assert code.rstrip() in text
    assert "SOLUTION" not in text
    written = "\n".join(
        c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "markdown"
    )
    assert text.count("**What we see") == written.count("**What we see")


def test_what_is_seen_is_what_is_called_so_and_the_text_goes_on():
    text = (
        "A.\n\n**What we see.** B.\n\n**What we see of C.** D.\n\n$$e$$\n\n**What we see.** F.\n\n## G\n\nH."
    )
    parts = list(copies._parts(text))
    assert [seen for seen, _ in parts] == [False, True, False, True, False]
    assert "\n\n".join(part for _, part in parts) == text
    assert parts[1][1] == "**What we see.** B.\n\n**What we see of C.** D."


def test_an_exercise_without_its_parts_is_refused_by_number():
    head = new_markdown_cell(":::{exercise} A\n:label: a\n\n*Easy, 5 minutes.* B?\n:::")
    starter = new_code_cell('snnbook.check("3.1", ...)', metadata={"tags": ["starter"]})
    solution = new_markdown_cell(":::{solution} a\n\nC.\n:::")
    (found,) = exercises.read([head, starter, solution], Path("03_x.ipynb"))
    assert (found.number, found.minutes, found.text, found.code) == ("3.1", 5, "B?", [])
    unsaid = new_markdown_cell(head.source.replace("*Easy, 5 minutes.* ", ""))
    other = new_markdown_cell(solution.source.replace(" a", " b"))
    for cells in ([head, solution], [head, starter], [head, starter, other], [unsaid, starter, solution]):
        with pytest.raises(UserError, match=r"03_x\.ipynb, exercise 3\.1"):
            exercises.read(cells, Path("03_x.ipynb"))


@pytest.mark.skipif(shutil.which("nbgrader", path=str(PROGRAMS)) is None, reason="no nbgrader: make course")
def test_nbgrader_marks_who_knows_all_and_who_knows_nothing(tmp_path):
    made = made_of(build.chapters((1,))[0])
    # The chapter's own cells take time and are no part of the marks, but for what it imports and defines.
    kept = [c for c in made[copies.SOURCE].cells if re.match(r"imports|exercise|answer|check-\d|words", c.id)]
    source = nbformat.from_dict({**made[copies.SOURCE], "cells": kept})
    grading.course(tmp_path, {"one": source})
    points = grading.grade(tmp_path, "one", PROGRAMS)
    most, by_hand = grading.most(source)
    assert points == {"knows-all": (most, by_hand), "untouched": (0.0, 0.0)} and most > 0 < by_hand
    released = nbformat.read(tmp_path / "release" / "one" / "one.ipynb", as_version=4)
    ours = {cell.id: cell.source for cell in made[copies.STUDENT].cells}
    assert all(cell.source == ours[cell.metadata.nbgrader.grade_id] for cell in released.cells)
    assert list((tmp_path / "feedback").rglob("*.html"))


def test_a_missing_nbgrader_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no nbgrader in .*; make course"):
        grading.grade(tmp_path, "one", tmp_path)


# Slides


def slide(path, *cells):
    notebook = new_notebook(cells=list(cells))
    nbformat.write(notebook, path)
    return [
        (cell.metadata.slideshow.slide_type, cell.cell_type, cell.source)
        for cell in slides.marked(path, BOOK).cells
    ]


def test_prose_goes_to_the_notes_and_the_rest_onto_slides(tmp_path):
    text = (
        "## A neuron\n\nIt saves. Then it {term}`fires <spike>`.\n\n$$u = c$$\n\n**Question.** When? Guess."
    )
    found = slide(tmp_path / "01_the_neuron.ipynb", new_markdown_cell(text), new_code_cell("1 + 1"))
    assert [kind for kind, *_ in found] == ["slide", "notes", "subslide", "-"]
    assert found[0][2] == "## A neuron\n\nIt saves.\n\n$$u = c$$"
    assert found[1][2].startswith("It saves. Then it [fires](")
    assert found[2][2] == "**Question.** When? Guess."


def test_slides_hold_no_solutions_no_starters_and_no_badge(tmp_path):
    cells = [
        new_markdown_cell("badge", metadata={"tags": ["remove-cell"]}),
        new_markdown_cell(":::{exercise} A\n:label: ex-neuron-period\n\n*Easy, 5 minutes.* B?\n:::"),
        new_code_cell("snnbook.check()", metadata={"tags": ["starter"]}),
        new_markdown_cell(":::{solution} ex-neuron-period\n\nC.\n:::"),
    ]
    found = slide(tmp_path / "01_the_neuron.ipynb", *cells)
    assert [source.split()[0] for *_, source in found] == ["**Exercise", "*Easy,"]


def test_a_full_slide_is_followed_by_another_and_a_figure_of_long_code_stands_alone(tmp_path):
    figure = new_output("display_data", data={"image/png": "", "text/plain": "<Figure>"})
    short, long = new_code_cell("a\n" * 12), new_code_cell("b\n" * 12)
    plot = new_code_cell("\n".join("cdefg"), outputs=[figure])
    found = slide(tmp_path / "01_the_neuron.ipynb", new_markdown_cell("## A"), short, long, plot)
    assert [kind for kind, *_ in found] == ["slide", "-", "subslide", "-", "subslide"]
    assert found[-1][1:] == ("code", "")


def test_another_package_than_the_pinned_one_is_refused():
    package = npm.Package("reveal.js", "5.2.1", "0" * 86 + "==", "", ("dist/",))
    with pytest.raises(UserError, match=r"reveal\.js@5\.2\.1 has SHA-512"):
        package.unpack(b"another")
