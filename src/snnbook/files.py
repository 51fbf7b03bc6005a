"""Where things lie, and how they are written: whole or not at all, and by one process at a time."""

import math
import os
import platform
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from snnbook.errors import UserError


@cache  # asked for thousands of times, and links are followed each time
def root() -> Path:
    """The checkout this package runs from, or, when pip-installed, the copy packed beside the code."""
    package = Path(__file__).resolve().parent
    packed, checkout = package / "_repository", package.parents[1]
    if packed.is_dir():  # which no checkout has; what lies around an installed package is somebody else's
        return packed
    whole = (checkout / "experiments").is_dir() and (checkout / "pyproject.toml").is_file()
    return checkout if whole else packed


def experiments() -> Path:
    """The folder of experiment tables, one YAML file each."""
    return root() / "experiments"


def results() -> Path:
    """The folder of committed run records."""
    return root() / "results"


def notebooks() -> Path:
    """The folder of chapter notebooks; ``experiments/`` below it holds what papermill runs."""
    return root() / "notebooks"


def place(path: str | os.PathLike[str], what: str) -> Path:
    """``path`` if an ordinary file is there, or nothing yet.

    Args:
        path: of a file to be read or written.
        what: it holds, for messages: ``"weights"``.

    Raises:
        UserError: no path, a folder, or a pipe or device, which would wait for ever or be replaced.
    """
    if not isinstance(path, str | os.PathLike) or not str(path) or "\0" in str(path):
        raise UserError(f"path is {repr(path)[:80]}; expected the name of a file of {what}")
    found = Path(path)
    mode = reached(found)
    if mode is not None and not stat.S_ISREG(mode):
        found_kind = "a folder" if stat.S_ISDIR(mode) else "no ordinary file"
        raise UserError(f"{shown(found)} is {found_kind}; expected the name of a file of {what}")
    return found


def stamp(path: Path) -> tuple[int, int] | None:
    """When ``path`` was last written, and its length: another pair for another content; None where nothing is."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def reached(path: Path) -> int | None:
    """The mode of what is at ``path``; None if nothing is.

    Raises:
        UserError: nobody can tell: the name is too long, say, a link leads to itself, or a folder is closed.
    """
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot reach {shown(path)} ({reason}); choose another place") from None


def shown(path: Path) -> str:
    """``path`` for a message: in one line, and the end of one that is long."""
    text = " ".join(str(path).splitlines())
    return text if len(text) <= 200 else f"...{text[-200:]}"


@contextmanager
def explain_write_errors(
    path: Path, advice: str = "choose a folder you may write to, on a disk with room"
) -> Iterator[None]:
    """Turn an :class:`OSError` of the body into a UserError that names ``path``, the reason, and ``advice``.

    Raises:
        UserError: the body raised one.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UserError(f"cannot write {shown(path)}: {reason}; {advice}") from None


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` so that a reader sees the old file or the new one, never a part.

    A link stays, and the file that it stands for is written.

    Raises:
        UserError: a folder, a pipe or a device is there; the folder cannot be written, the disk is full.
    """
    _write(path, lambda file: file.write(content))


def write_array(path: Path, content: Any) -> None:
    """As :func:`write_bytes`, for an array of NumPy's, in its own format."""
    from numpy.lib import format as numpy_format

    _write(path, lambda file: numpy_format.write_array(file, content, allow_pickle=False))


def _write(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    with explain_write_errors(path):
        path = Path(os.path.realpath(place(path, "results")))
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)  # mkstemp makes private files; records are meant to be read
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise


def check_writable(paths: Iterable[Path], what: str) -> None:
    """Find out now, not after hours of work, whether files of ``what`` can be written at ``paths``.

    Raises:
        UserError: something else than a file is at one of them, or its folder cannot be written.
    """
    paths = list(paths)
    for path in paths:
        place(path, what)
    for folder in dict.fromkeys(path.parent for path in paths):
        probe = folder / f".write-{uuid4().hex}"  # on another host a process may have this one's number
        try:
            write_text(probe, "")
        finally:
            with suppress(OSError):
                probe.unlink()


def read_text(path: Path, what: str) -> str:
    """The UTF-8 text of the ordinary file at ``path``, which holds ``what``.

    Raises:
        UserError: nothing is there, or a folder, a pipe or a device; it may not be read, or is no text.
    """
    try:
        return place(path, what).read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UserError(f"cannot read {shown(path)} ({reason}); expected a file of {what}") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"cannot read {shown(path)} (byte {error.start} is no UTF-8); expected a file of {what}"
        ) from None


def write_text(path: Path, text: str) -> None:
    """As :func:`write_bytes`, for UTF-8 text."""
    write_bytes(path, text.encode())


class HeldError(UserError):
    """Another process holds a lock."""


@contextmanager
def hold(path: Path, what: str, patience: float = math.inf) -> Iterator[None]:
    """Hold the lock file ``path`` while the body runs.

    The system drops the lock when its holder ends, however it ends.

    Args:
        path: its folder is made if need be.  Who holds it stands in a file beside it, since some versions of
            filelock empty or delete the lock file itself.
        what: that which one process has at a time, for the message: "this run".
        patience: seconds to wait for another holder, without end by default.

    Raises:
        HeldError: another process still holds it; the message names it.
        UserError: the folder cannot be written, or its file system has no locks.
    """
    from filelock import FileLock, Timeout

    holder = path.with_name(f"{path.name}.holder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=patience if math.isfinite(patience) else -1)
        lock.acquire()
    except Timeout:
        raise HeldError(
            f"{_named(holder)} is at {what} already (lock {path}); wait for it, or stop it and try again"
        ) from None
    except OSError as error:
        raise UserError(
            f"cannot lock {path}: {error.strerror or error}; "
            "choose a folder that you may write to, on a disk that has locks"
        ) from None
    try:
        with suppress(OSError):  # a full disk, say: the lock holds without the name
            holder.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
        yield
    finally:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def _named(holder: Path) -> str:
    """Who wrote the file ``holder``."""
    try:
        name = " ".join(holder.read_text(encoding="utf-8", errors="replace").split())
    except OSError:
        name = ""
    return name[:100] or "another process"
