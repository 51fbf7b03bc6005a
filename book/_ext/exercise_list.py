"""A table of all exercises: number, title, how difficult, how long::

```{exercises}
```
"""

import sys
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
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


def setup(app: Sphinx) -> dict:
    app.add_directive("exercises", Exercises)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
