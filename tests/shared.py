"""Test files shared out to several pytest processes, each file to the first that comes to it.

``SNNBOOK_SHARE`` names a folder that is empty at first; processes with the same folder run each file once between
them.  ``SNNBOOK_SHARE_FROM=end`` begins with the last file, so that two meet in the middle.
"""

import os
from itertools import groupby
from pathlib import Path

import pytest


def register(config):
    """For ``pytest_configure``: share, if the environment says so, which a test's own pytest does not see."""
    folder, begin = (os.environ.pop(name, "") for name in ("SNNBOOK_SHARE", "SNNBOOK_SHARE_FROM"))
    if folder:
        config.pluginmanager.register(Shared(Path(folder).absolute(), begin == "end"))


class Shared:
    """Which test files are this process's."""

    def __init__(self, folder, backwards):
        self.folder, self.backwards, self.mine = folder, backwards, {}

    def pytest_collection_modifyitems(self, items):
        if self.backwards:
            files = [list(tests) for _, tests in groupby(items, key=lambda item: item.path)]
            items[:] = [item for tests in reversed(files) for item in tests]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item):
        if item.path not in self.mine:
            self.mine[item.path] = self.claimed(item.path.stem)
        return None if self.mine[item.path] else True  # True: it has been dealt with

    def claimed(self, name):
        try:
            (self.folder / name).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True
