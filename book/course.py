"""The course, in ``_build/course``: each chapter for students, for teachers and for nbgrader, and as slides.

``python book/course.py`` writes all of it, ``--chapters 1 5`` that of these chapters.  ``--grade 1`` runs nbgrader
over a chapter as well, from its source to the feedback, and says how it marks two students.
Slides need nbconvert, and ``--grade`` nbgrader: ``make course`` puts them into an environment of their own.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat

import build
import copies
import execute
import grading
import slides
from labels import Book
from snnbook import files
from snnbook.errors import UserError

FOLDER = build.BUILD / "course"
NBGRADER = FOLDER / "nbgrader"


def write(chapters: Sequence[Path], folder: Path = FOLDER) -> Path:
    """Write the copies of ``chapters``: for students, for teachers, and nbgrader's source.

    Raises:
        UserError: an exercise lacks a part, or a text names what is not there.
    """
    book, sources = Book(files.root()), {}
    for chapter in chapters:
        made = copies.copies(chapter, book)
        sources[chapter.stem] = made[copies.SOURCE]
        for kind in (copies.STUDENT, copies.TEACHER):
            files.write_text(folder / kind / chapter.name, nbformat.writes(made[kind]) + "\n")
    grading.course(folder / "nbgrader", sources)
    return folder


def write_slides(chapters: Sequence[Path], programs: Path, folder: Path = FOLDER) -> None:
    """Write slides of ``chapters``, which are executed where no copy of the present state is."""
    book = Book(files.root())
    for executed in execute.all_executed(chapters, build.BUILD / "executed"):
        slides.write(executed, folder / "slides", book, programs)
        say(f"slides of {executed.stem}")


def grade(chapter: Path, programs: Path) -> bool:
    """Whether nbgrader marks the chapter as it should."""
    source = nbformat.read(NBGRADER / "source" / chapter.stem / chapter.name, as_version=4)
    most, _ = grading.most(source)
    points = grading.grade(NBGRADER, chapter.stem, programs)
    for student, (score, waits) in points.items():
        later = f", {waits:g} wait for a person" if waits else ""
        say(f"nbgrader gives {student} {score:g} of {most:g} points for what is checked{later}")
    say(f"feedback lies in {NBGRADER / 'feedback'}")
    return [points[student][0] for student in grading.STUDENTS] == [most, 0]


def say(text: str) -> None:
    print(f"course: {text}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chapters", type=int, nargs="+", default=(), help="these alone, by number (all)")
    parser.add_argument("--grade", type=int, metavar="CHAPTER", help="run nbgrader over this one, too")
    parser.add_argument("--environment", type=Path, help="where nbconvert and nbgrader are installed")
    parser.add_argument("--no-slides", action="store_true", help="copies alone; no chapter is executed")
    options = parser.parse_args()
    try:
        programs = slides.programs(options.environment) if options.environment else None
        numbers = (*options.chapters, *([] if options.grade is None else [options.grade]))
        chapters = build.chapters(numbers if options.chapters else ())
        say(f"copies in {write(chapters)}")
        if not options.no_slides and programs:
            write_slides(chapters, programs)
        elif not options.no_slides:
            say("no slides: nbconvert is not there; make course installs it")
        if options.grade is None:
            return 0
        if programs is None:
            raise UserError("nbgrader is not there; make course installs it")
        (graded,) = build.chapters((options.grade,))
        return int(not grade(graded, programs))
    except UserError as error:
        print(f"course: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
