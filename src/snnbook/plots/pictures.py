"""Pictures as they are: images of a data set, with their labels."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from snnbook.errors import UserError
from snnbook.plots.style import WIDTH, numbers, panels, styled

BRIGHTEST = 1.01  # of floats: what pixels times a deviation, plus a mean, may come to by rounding


@styled
def images(pixels, labels: Sequence | Tensor) -> Figure:
    """Images in a row, each with its label above it.

    Args:
        pixels: ``[N, C, H, W]`` of one channel or three, as bytes or floats in [0, 1].
        labels: ``[N]``, numbers or names.

    Raises:
        UserError: another shape, or not a label for each image.
    """
    shown = drawable(pixels)
    labels = labels.tolist() if isinstance(labels, Tensor) else labels
    count = len(labels) if hasattr(labels, "__len__") else 1
    if count != len(shown):
        raise UserError(f"there are {len(shown)} images and {count} labels; expected one each")
    side = 0.95 * WIDTH / max(len(shown), 4) * shown.shape[1] / shown.shape[2]
    figure, axes = panels(1, len(shown), height=side + 0.3)
    for place, image, name in zip(axes, shown, labels, strict=True):
        place.imshow(image)
        place.set(xticks=[], yticks=[])
        place.set_title(str(name.item() if isinstance(name, Tensor) else name), fontsize="small")
        place.grid(False)
    return figure


def drawable(pixels) -> np.ndarray:
    """Images ``[N, H, W, 3]`` in [0, 1]; whole numbers are bytes, however dark, and one channel is grey.

    Raises:
        UserError: images that are no ``[N, 1 or 3, H, W]``, or empty, or brighter than white.
    """
    found = numbers(pixels)
    if found.ndim != 4 or found.shape[1] not in (1, 3) or not found.size:
        raise UserError(f"images have shape {list(found.shape)}; expected [N, 1 or 3, H, W]")
    kind = str(pixels.dtype) if isinstance(pixels, Tensor) else np.asarray(pixels).dtype.name
    found = found / 255 if "int" in kind else found
    if found.max() > BRIGHTEST:
        raise UserError(f"images reach {found.max():g}; expected bytes, or floats in [0, 1]")
    found = found.transpose(0, 2, 3, 1).clip(0, 1)
    return found.repeat(3, -1) if found.shape[-1] == 1 else found
