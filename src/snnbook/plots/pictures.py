"""Pictures as they are: images of a data set, with their labels."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from torch import Tensor

from snnbook.errors import UserError
from snnbook.plots.style import WIDTH, numbers, panels, styled


@styled
def images(pixels, labels: Sequence | Tensor) -> Figure:
    """Images in a row, each with its label above it.

    Args:
        pixels: ``[N, C, H, W]`` of one channel or three, as bytes or numbers in [0, 1].
        labels: ``[N]``, numbers or names.

    Raises:
        UserError: another shape, or not a label for each image.
    """
    shown = numbers(pixels)
    if shown.ndim != 4 or shown.shape[1] not in (1, 3) or not len(shown):
        raise UserError(f"images have shape {list(shown.shape)}; expected [N, 1 or 3, H, W]")
    if len(labels) != len(shown):
        raise UserError(f"there are {len(shown)} images and {len(labels)} labels; expected one each")
    shown = (shown / 255 if shown.max() > 1 else shown).transpose(0, 2, 3, 1).clip(0, 1)
    side = 0.95 * WIDTH / max(len(shown), 4) * shown.shape[1] / shown.shape[2]
    figure, axes = panels(1, len(shown), height=side + 0.3)
    for place, image, name in zip(axes, shown, labels, strict=True):
        place.imshow(image.repeat(3, -1) if image.shape[-1] == 1 else image)
        place.set(xticks=[], yticks=[])
        place.set_title(f"{name:d}" if isinstance(name, Tensor) else str(name), fontsize="small")
        place.grid(False)
    return figure
