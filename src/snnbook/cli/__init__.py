"""The command line, from its arguments to its exit code."""

import logging
import signal
import sys
import time
from argparse import Namespace
from collections.abc import Sequence

from snnbook.checks import shown
from snnbook.cli import commands, output
from snnbook.cli.arguments import parser
from snnbook.errors import UserError, one_line
from snnbook.trainers.loop import processes

WORKERS = (commands.run, commands.reproduce, commands.bench)
LASTING = ("run", "reproduce")
READERS = (commands.report, commands.claims, commands.check)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code.

    Whatever happens is told in a line: bad input with code 2, all else with code 1 and the place of the traceback.
    """
    stopped = []

    def stop(number, _frame):
        stopped.append(number)
        # papermill's event loop would report, after our last line, that the kernel it waited for is gone.
        logging.getLogger("asyncio").disabled = True
        raise KeyboardInterrupt

    # Both signals unwind, so that a notebook's kernel is ended with us.
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    words = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in words
    try:
        code = _answered(arguments, debug, stopped)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if not stopped:
        return code
    if processes.first():
        goes_on = (
            "; the same command goes on from the last finished epoch" if {*words[:1]} & {*LASTING} else ""
        )
        output.say(f"\nsnnbook: interrupted{goes_on}")
    return 128 + stopped[0]


def _answered(arguments: Sequence[str] | None, debug: bool, stopped: list[int]) -> int:
    parsed = None
    try:
        output.prepare()
        try:
            parsed = parser().parse_args(arguments)
            _check_folders(parsed)
            parsed.command(parsed)
        except SystemExit:  # its code is the answer, unless nobody could read the rest
            output.flush()
            raise
        output.flush()
    except UserError as error:
        _let_the_first_speak()
        output.say(f"snnbook: {one_line(error)}")
        return 2
    except BrokenPipeError:  # the reader of our output closed it, as head does
        output.discard()
        if parsed and parsed.command in WORKERS and not getattr(parsed, "dry_run", False):
            output.say("snnbook: nobody reads the output any more, so it ends here; what is done is kept")
            return 1
    except (
        Exception,
        KeyboardInterrupt,
    ) as error:  # an interrupt may come out as the error of what it interrupted
        if stopped:
            return 0
        if debug:
            raise
        _let_the_first_speak()
        if isinstance(error, PermissionError) and error.filename:  # a closed folder on the way to a file
            output.say(
                f"snnbook: no permission for {error.filename}; choose another folder, or open it to you"
            )
            return 2
        output.say(f"snnbook: {output.unforeseen(error)}")
        output.discard()
        return 1
    return 0


def _check_folders(parsed: Namespace) -> None:
    """Raise a UserError if a folder that was named is something else."""
    for name in ("results", "work", "data"):
        path = getattr(parsed, name, None)
        try:
            wrong = path is not None and path.exists() and not path.is_dir()
        except OSError as error:
            raise UserError(f"--{name} {shown(str(path))}: {error.strerror}; choose another folder") from None
        if wrong:
            raise UserError(f"--{name} {path} is no folder; choose one, or a name that is not taken")
    if parsed.command in READERS and parsed.results is not None and not parsed.results.exists():
        raise UserError(f"--results {parsed.results} is not there; expected a folder of records")


def _let_the_first_speak() -> None:
    """Give ``torchrun`` the time to end this process, which it does if the first one, too, had to end."""
    if not processes.first():
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        time.sleep(30)
