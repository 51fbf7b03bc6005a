"""A notebook kernel that notes which of the project's files it opens, so that the book knows when to run it again.

Started as ``python watched_kernel.py ROOT LIST -f CONNECTION_FILE``; every path below ROOT that is opened, modules
included, becomes a line of the file LIST.  Where a warm process is at hand, it becomes the kernel.
"""

import os
import sys
from importlib.util import source_from_cache

# Where a page's numbers come from; what else lies below the root (the environment, what is built) is no source.
SOURCES = ("src", "experiments", "results", "notebooks")


def watch(root: str, listed: str) -> None:
    """Note what is opened from now on."""
    out = os.open(listed, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    folders = tuple(os.path.join(root, name) + os.sep for name in SOURCES)
    seen = set()

    def note(event, arguments):
        if event != "open" or not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if not path.startswith(folders):
            return
        if path.endswith(".pyc"):
            path = source_from_cache(path)
        if path not in seen:
            seen.add(path)
            os.write(out, (os.path.relpath(path, root) + "\n").encode())

    sys.addaudithook(note)
    for module in list(sys.modules.values()):  # opened before
        note("open", [getattr(module, "__file__", None)])


if __name__ == "__main__":
    from snnbook import warm

    if (code := warm.hand_over(sys.argv)) is not None:
        sys.exit(code)
    root, listed = sys.argv[1:3]
    del sys.argv[1:3]
    sys.path[0] = ""  # as for any kernel: the notebook's folder, not this file's
    watch(root, listed)
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()
