"""Test files shared out to several pytest processes, each file to the first that comes to it.

``SNNBOOK_SHARE`` names a folder that is empty at first; processes with the same folder run each file once between
them.  ``SNNBOOK_SHARE_FROM=end`` begins with the last file, so that two meet in the middle.
"""

import os
from itertools import groupby
from pathlib import Path

import pytest


def order(items):
    """Tests by file, the last file first where that is asked for."""
    if os.environ.get("SNNBOOK_SHARE_FROM") == "end":
        groups = [list(group) for _, group in groupby(items, key=lambda item: item.path)]
        items[:] = [item for group in reversed(groups) for item in group]


class Claims:
    """Which test files are this process's."""

    def __init__(self, folder):
        self.folder, self.mine = Path(folder), {}

    def claim(self, path):
        """Whether this process runs the file, which it decides at the file's first test."""
        if path not in self.mine:
            try:
                (self.folder / path.stem).touch(exist_ok=False)
                self.mine[path] = True
            except FileExistsError:
                self.mine[path] = False
        return self.mine[path]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item):
        return None if self.claim(item.path) else True  # True: it has been dealt with
