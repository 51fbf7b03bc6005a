"""What many files become, images decoded and recordings cut, kept on disk: it takes long, at each run again."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snnbook import files
from snnbook.data.dataset import Files
from snnbook.errors import UserError

WORTH = 2**24  # bytes of files; fewer are read before a cache is found
VERSION = 1  # of how images are decoded and fitted


def folder() -> Path:
    """Where they are kept: ``snnbook`` in ``$XDG_CACHE_HOME``, by default in ``~/.cache``; it may be deleted."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "snnbook" / "decoded"


def kept(
    half: Files,
    settings: tuple,
    fits: Callable[[NDArray[np.uint8]], bool],
    decode: Callable[[], NDArray[np.uint8]],
) -> NDArray[np.uint8]:
    """What ``half`` becomes: the bytes that were kept, or else ``decode``'s, then kept.

    They are found again by ``settings`` and the files' names, sizes and times of change, so a changed file is read
    anew.  Where nothing can be kept, on a full disk or without a home, all is as without.

    Args:
        half: files, or parts of files, whose names then end in ``#`` and the part.
        settings: all else that the bytes depend on.
        fits: whether an array of bytes that was found, and is not in memory yet, may be what is asked for.
        decode: makes it.
    """
    key, read = _key(half, settings)
    if read < WORTH:
        return decode()
    try:
        path = folder() / f"{key}.npy"
    except RuntimeError:  # nobody knows this user's home
        return decode()
    try:
        found = np.load(path, allow_pickle=False, mmap_mode="r")
    except (OSError, ValueError, EOFError):  # not there, or only a part of it
        found = None
    if found is not None and found.dtype == np.uint8 and fits(found):
        return np.array(found)
    made = decode()
    with suppress(UserError):
        files.write_array(path, made)
    return made


def stat(path: str) -> os.stat_result:
    """What the system says of a file.

    Raises:
        UserError: it is not there, or a link that leads nowhere.
    """
    try:
        return os.stat(path)
    except OSError as error:
        raise UserError(f"cannot read {path} ({error.strerror}); replace or delete it") from None


def _key(half: Files, settings: tuple) -> tuple[str, int]:
    """Of what was kept; and how many bytes the files have."""
    digest = hashlib.sha256(repr((VERSION, os.path.realpath(half.folder), *settings)).encode())
    states: dict[str, os.stat_result] = {}
    for index, name in enumerate(half.names):
        path = half.path(index)
        if not os.path.exists(path) and os.path.exists(whole := path.rpartition("#")[0]):
            path = whole
        state = states[path] = states.get(path) or stat(path)
        digest.update(bytes(name) + repr((state.st_size, state.st_mtime_ns)).encode())
    return digest.hexdigest()[:32], sum(state.st_size for state in states.values())
