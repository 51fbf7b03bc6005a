"""What many image files decode to, kept on disk: decoding 60,000 takes a dozen seconds, at each run again."""

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

WORTH = 5000  # files; fewer are decoded before a cache is found
VERSION = 1  # of how images are decoded and fitted


def folder() -> Path:
    """Where they are kept: ``snnbook`` in ``$XDG_CACHE_HOME``, by default in ``~/.cache``; it may be deleted."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "snnbook" / "decoded"


def kept(half: Files, size: int, share: float, decode: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The pixels of ``half``, uint8 ``[N, 3, size, size]``: those that were kept, or else ``decode``'s, then kept.

    They are found again by the files' names, sizes and times of change, so a changed image is decoded anew.  Where
    nothing can be kept, on a full disk for instance, all is as without.
    """
    if len(half.labels) < WORTH:
        return decode()
    path, shape = folder() / f"{_key(half, size, share)}.npy", (len(half.labels), 3, size, size)
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # not there, or only a part of it
        found = None
    if found is not None and found.shape == shape and found.dtype == np.uint8:
        return found
    pixels = decode()
    with suppress(UserError):
        files.write_array(path, pixels)
    return pixels


def _key(half: Files, size: int, share: float) -> str:
    digest = hashlib.sha256(repr((VERSION, os.path.realpath(half.folder), size, share)).encode())
    for index, name in enumerate(half.names):
        state = os.stat(half.path(index))
        digest.update(bytes(name) + repr((state.st_size, state.st_mtime_ns)).encode())
    return digest.hexdigest()[:32]
