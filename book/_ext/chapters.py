"""Exercises numbered by chapter, 5.2 being the second of chapter 5, and a table of all of them.

``{exercises}`` shows the table: number, title, how difficult, how long::

    ```{exercises}
    ```
"""

import re
import sys
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

sys.path.append(str(Path(__file__).parents[1]))

import exercises

CHAPTER = "[0-9][0-9]_*.ipynb"


class Exercises(SphinxDirective):
    """The exercises of the chapters that are rendered, a row each."""

    def run(self) -> list[nodes.Node]:
        rows = ["| exercise | | minutes | |", "|---|---|---|---|"]
        for path in sorted((Path(self.env.srcdir) / "notebooks").glob(CHAPTER)):
            self.env.note_dependency(str(path))
            for e in exercises.of(path):
                words = "code and words" if e.written else "code"
                rows.append(
                    f"| {{ref}}`{e.number} <{e.label}>` | {e.title} | {e.minutes} | {e.level}, {words} |"
                )
        container = nodes.container()
        self.state.nested_parse(StringList(rows, self.get_source_info()[0]), 0, container)
        return container.children


def number(_: Sphinx, env: BuildEnvironment) -> None:
    """Give each exercise its chapter's number and its own, where Sphinx has counted through the book."""
    for page, counted in env.toc_fignumbers.items():
        chapter = re.match(r"notebooks/(\d\d)_", page)
        if chapter and "exercise" in counted:
            numbers = ((int(chapter[1]), index) for index in range(1, 1 + len(counted["exercise"])))
            counted["exercise"] = dict(zip(counted["exercise"], numbers, strict=True))


def setup(app: Sphinx) -> dict:
    app.add_directive("exercises", Exercises)
    # After Sphinx has kept what it counted: it compares with that, and would write each page anew each time.
    app.connect("env-check-consistency", number)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
