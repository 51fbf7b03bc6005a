"""nbgrader over a chapter: what it releases of our source, and how it marks two students.

One knows all, one hands in what was released.

It lives in an environment of its own, so that the project's does not need it; the notebooks it runs run in ours.
"""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode

import copies
from snnbook import files
from snnbook.errors import UserError

CELL_SECONDS = 600  # a cell that trains; nbgrader's own limit is 30
STUDENTS = ("knows-all", "untouched")
CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "snnbook"
c.ClearSolutions.code_stub = {{"python": {code!r}}}
c.ClearSolutions.text_stub = {words!r}
c.Execute.timeout = {seconds}
"""


def course(folder: Path, sources: Mapping[str, NotebookNode]) -> None:
    """Write nbgrader's folder: its settings, and a source for each chapter, by name."""
    config = CONFIG.format(code=copies.YOUR_CODE, words=copies.YOUR_WORDS, seconds=CELL_SECONDS)
    files.write_text(folder / "nbgrader_config.py", config)
    for name, notebook in sources.items():
        files.write_text(folder / "source" / name / f"{name}.ipynb", nbformat.writes(notebook) + "\n")


def grade(folder: Path, name: str, programs: Path) -> dict[str, tuple[float, float]]:
    """Run nbgrader over the chapter ``name`` in ``folder``, from its source to the feedback.

    Args:
        folder: as :func:`course` wrote it.
        name: of the chapter.
        programs: the folder with nbgrader's program.

    Returns:
        For each of :data:`STUDENTS` the points that nbgrader gave, and those that a person has not given yet.

    Raises:
        UserError: nbgrader failed, or released what a student must not see.
    """
    run = _nbgrader(folder, programs)
    run("generate_assignment", name, "--force", "--create")
    source = nbformat.read(folder / "source" / name / f"{name}.ipynb", as_version=4)
    released = folder / "release" / name / f"{name}.ipynb"
    if leaks := [c.id for c in nbformat.read(released, as_version=4).cells if "SOLUTION" in c.source]:
        raise UserError(f"nbgrader released a solution of {name}, in the cell {leaks[0]}")
    for student in STUDENTS:
        answers = nbformat.read(released, as_version=4)
        if student == STUDENTS[0]:
            copies.solved(answers, source)
        where = folder / "submitted" / student / name / f"{name}.ipynb"
        files.write_text(where, nbformat.writes(answers) + "\n")
    for step in ("autograde", "generate_feedback"):
        run(step, name, "--force")
    run("export", "--assignment", name)
    with open(folder / "grades.csv", encoding="utf-8", newline="") as table:
        points = {row["student_id"]: float(row["score"]) for row in csv.DictReader(table)}
    waits = sum(c.metadata.nbgrader.points for c in source.cells if _by_hand(c))
    return {student: (points[student], waits if student == STUDENTS[0] else 0.0) for student in STUDENTS}


def most(source: NotebookNode) -> tuple[float, float]:
    """Points that a chapter has for answers that are checked, and for words that a person reads."""
    graded = [cell for cell in source.cells if cell.metadata.nbgrader.grade]
    by_hand = sum(cell.metadata.nbgrader.points for cell in graded if _by_hand(cell))
    return sum(cell.metadata.nbgrader.points for cell in graded) - by_hand, by_hand


def _by_hand(cell: NotebookNode) -> bool:
    return cell.metadata.nbgrader.grade and cell.metadata.nbgrader.solution


def _nbgrader(folder: Path, programs: Path):
    """Runs nbgrader's commands in ``folder``, whose notebooks are run by this Python."""
    kernel = {"argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]}
    kernel |= {"display_name": "Python 3", "language": "python"}
    files.write_text(folder / "jupyter" / "kernels" / "python3" / "kernel.json", json.dumps(kernel))
    # By name nbgrader finds alembic too, without which its grade book is marred.
    path = f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {**os.environ, "PATH": path, "JUPYTER_PATH": str((folder / "jupyter").absolute())}
    program = shutil.which("nbgrader", path=str(programs))

    def run(*words: str) -> None:
        if program is None:
            raise UserError(f"no nbgrader in {programs}; make course installs it")
        done = subprocess.run([program, *words], cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            said = re.sub(r"\x1b\[[\d;]*m", "", done.stderr).strip().splitlines()
            raise UserError(f"nbgrader {words[0]} failed: {' '.join(said[-3:])[-300:]}")

    return run
