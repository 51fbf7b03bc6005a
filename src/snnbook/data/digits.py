"""The handwritten digits that come with scikit-learn: 1797 scans of 8x8 pixels, nothing to download."""

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
    from sklearn.datasets import load_digits  # takes seconds to import, and other data do not need it

    room.check(COUNT * size * size, room.at_hand(), f"digits of {size} pixels a side", advice=SMALLER)
    source = load_digits()
    pixels = np.rint(source.images * (255 / 16)).astype(np.uint8)
    images = np.stack([np.asarray(fit(Image.fromarray(scan), size)) for scan in pixels])
    labels = torch.from_numpy(source.target).long()
    return tuple(str(name) for name in source.target_names), Images(torch.from_numpy(images)[:, None], labels)
