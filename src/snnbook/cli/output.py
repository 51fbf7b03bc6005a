"""What the commands print, and that it can always be printed."""

import codecs
import os
import sys
import tempfile
import traceback
from contextlib import suppress

from snnbook.errors import UserError, clipped

# What an encoding may lack, in letters that all have.
SPELLED = {
    "±": "+/-",
    "λ": "lambda",
    "σ": "sigma",
    "×": "x",
    "µ": "u",
    "μ": "u",
    "Δ": "delta",
    "²": "^2",
    "–": "-",
}
SPELLED |= {"−": "-", "…": "...", "→": "->", "≤": "<=", "≥": ">="}


def prepare() -> None:
    """Let the streams take any character, and no file take the number of one that is closed.

    Raises:
        UserError: the current folder was deleted.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:  # closed: the next file opened, a checkpoint perhaps, would receive what is printed
            os.open(os.devnull, os.O_RDWR)
    codecs.register_error("snnbook", _spelled)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # None where it is closed; a notebook's has no such method
            stream.reconfigure(errors="snnbook")
    try:
        os.getcwd()
    except FileNotFoundError:
        raise UserError("the current folder was deleted; change to one that exists") from None


def _spelled(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(
        SPELLED.get(c) or c.encode("ascii", "backslashreplace").decode() for c in missing
    ), error.end


def flush() -> None:
    """Write out what was printed; errors show here and not after the last line."""
    if sys.stdout is not None:
        sys.stdout.flush()


def discard() -> None:
    """Drop what could not be written, which Python would try to write once more when it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            with suppress(OSError, ValueError, AttributeError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)


def say(line: str) -> None:
    """``line`` on the error stream, if there is one."""
    try:
        print(line, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        discard()


def unforeseen(error: BaseException) -> str:
    """An error that nobody raised for a reader, in a line that names the file with its traceback."""
    said = clipped(f"{error.strerror}" if isinstance(error, OSError) and error.strerror else str(error), 160)
    if isinstance(error, OSError) and error.filename:
        said += f": {clipped(str(error.filename), 100)}"
    elif not isinstance(error, OSError):
        said = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return f"{said} ({_log(error)})"


def _log(error: BaseException) -> str:
    with suppress(OSError, ValueError):
        descriptor, path = tempfile.mkstemp(prefix="snnbook-", suffix=".log", text=True)
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write("".join(traceback.format_exception(error)))
        return f"traceback in {path}"
    return "--debug shows the traceback"
