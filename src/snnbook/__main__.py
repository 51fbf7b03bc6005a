"""``python -m snnbook``."""

import sys

from snnbook import warm


def run() -> int:
    """The command's exit code; a warm process runs it, where there is one."""
    code = warm.hand_over(["-m", "snnbook", *sys.argv[1:]])
    if code is None:
        from snnbook.cli import main

        code = main()
    elif code == warm.KILLED:
        print("\nsnnbook: killed; the same command goes on from the last finished epoch", file=sys.stderr)
    return code


sys.exit(run())
