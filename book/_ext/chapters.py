"""Exercises numbered by chapter: 5.2 is the second of chapter 5, whatever pages stand before it."""

import re

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


def number(_: Sphinx, env: BuildEnvironment) -> None:
    """Give each exercise its chapter's number and its own, where Sphinx has counted through the book."""
    for page, counted in env.toc_fignumbers.items():
        chapter = re.match(r"notebooks/(\d\d)_", page)
        if chapter and "exercise" in counted:
            numbers = ((int(chapter[1]), index) for index in range(1, 1 + len(counted["exercise"])))
            counted["exercise"] = dict(zip(counted["exercise"], numbers, strict=True))


def setup(app: Sphinx) -> dict:
    # After Sphinx has kept what it counted: it compares with that, and would write each page anew each time.
    app.connect("env-check-consistency", number)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
