"""The command line, from its arguments to its exit code."""

import logging
import os
import signal
import sys
import time
from collections.abc import Sequence

from snnbook.cli.arguments import parser
from snnbook.errors import UserError, one_line
from snnbook.trainers.loop import processes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    stopped = []

    def stop(number, _frame):
        stopped.append(number)
        # papermill's event loop would report, after our last line, that the kernel it waited for is gone.
        logging.getLogger("asyncio").disabled = True
        raise KeyboardInterrupt

    # Both signals unwind, so that a notebook's kernel is ended with us.
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        parsed = parser().parse_args(arguments)
        parsed.command(parsed)
    except UserError as error:
        if processes.rank():
            _let_the_first_speak()
        print(f"snnbook: {one_line(error)}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output closed it, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (Exception, KeyboardInterrupt):  # an interrupt may come out as the error of what it interrupted
        if not stopped:
            raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if stopped:
        if not processes.rank():
            print(
                "\nsnnbook: interrupted; the same command goes on from the last finished epoch",
                file=sys.stderr,
            )
        return 128 + stopped[0]
    return 0


def _let_the_first_speak() -> None:
    """Give ``torchrun`` the time to end this process, which it does if the first one, too, refused its input."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    time.sleep(30)
