"""The handwritten digits that come with scikit-learn: 1797 scans of 8x8 pixels, nothing to download."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from snnbook import room
from snnbook.data.dataset import Images
from snnbook.data.folder import fit

COUNT = 1797
SMALLER = "choose a smaller data.size"


def load(size: int) -> tuple[tuple[str, ...], Images]:
    """Class names, and all digits as one grey channel, ``[1797, 1, size, size]``; 8 keeps the scans as is.

    The scans have 17 grey levels, 0 to 16, spread over 0 to 255 before they are resized.
    """
    room.check(COUNT * size * size, room.at_hand(), f"digits of {size} pixels a side", advice=SMALLER)
    scans, target = _scans()
    pixels = np.rint(scans.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    images = np.stack([np.asarray(fit(Image.fromarray(scan), size)) for scan in pixels])
    names = tuple(str(digit) for digit in range(10))
    return names, Images(torch.from_numpy(images)[:, None], torch.from_numpy(target).long())


def _scans() -> tuple[np.ndarray, np.ndarray]:
    """Grey levels ``[1797, 64]`` and digits ``[1797]``, as ``sklearn.datasets.load_digits`` gives them.

    They are read from scikit-learn's file: importing its data sets takes a second, thirty times as long.
    """
    place = Path(find_spec("sklearn").origin).with_name("datasets") / "data/digits.csv.gz"
    if not place.is_file():  # kept elsewhere by another version
        from sklearn.datasets import load_digits

        return load_digits(return_X_y=True)
    table = np.loadtxt(place, delimiter=",")
    return table[:, :-1], table[:, -1].astype(np.int64)
