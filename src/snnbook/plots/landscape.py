"""Loss landscapes, seen from above."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from snnbook.errors import UserError
from snnbook.plots.style import HEIGHT, ON_DARK, numbers, panels, styled

COLORS = "viridis"


@styled
def contours(steps, surfaces: Mapping[str, Mapping], losses: Sequence[str]) -> Figure:
    """Landscapes seen from above: a row for each minimum, a column for each loss, one scale of colours for all.

    Args:
        steps: coordinates ``[n]`` of the grid along both directions.
        surfaces: for each minimum, by the name of what found it, each loss ``[n, n]`` by name.
        losses: the names to show, in order.

    Raises:
        UserError: no surface, one that does not fit the grid or has no finite number, or a loss that it has not.
    """
    steps = numbers(steps)
    missing = [(name, loss) for name, found in surfaces.items() for loss in losses if loss not in found]
    if not surfaces or not losses or missing or steps.ndim != 1 or len(steps) < 2:
        what = f"losses {list(losses)} of minima {list(surfaces)} over {steps.size} steps"
        raise UserError(f"{what}; expected each loss of each minimum, at least one, over two steps or more")
    grids = {(name, loss): numbers(found[loss]) for name, found in surfaces.items() for loss in losses}
    for (name, loss), z in grids.items():
        if z.shape != (len(steps), len(steps)):
            raise UserError(
                f"surface {loss!r} of {name!r} has shape {list(z.shape)}; expected {[len(steps)] * 2}, the grid's"
            )
    figure, axes = panels(len(surfaces), len(losses), height=0.75 * HEIGHT * len(surfaces),
                          sharex=True, sharey=True)  # fmt: skip
    # What is not finite, far from a minimum, stays empty.
    grids = {key: np.ma.masked_invalid(z) for key, z in grids.items()}
    present = np.concatenate([z.compressed() for z in grids.values()])
    if not present.size:
        raise UserError("surfaces have no finite number in them; take a smaller radius")
    low, high = present.min(), present.max()
    if low == high:  # a dead network's loss is the same everywhere
        high = low + 1
    levels = np.linspace(low, high, 15)
    for place, ((minimum, loss), z) in zip(axes, grids.items(), strict=True):
        filled = place.contourf(steps, steps, z, levels=levels, cmap=COLORS)
        place.contour(steps, steps, z, levels=levels[::2], colors=ON_DARK, linewidths=0.5)
        place.plot(0, 0, "+", color=ON_DARK)
        place.set(title=f"{loss}, minimum of {minimum}", aspect="equal")
        place.grid(False)
    for place in axes[-len(losses) :]:
        place.set_xlabel("second direction, filter norms")
    for place in axes[:: len(losses)]:
        place.set_ylabel("first direction")
    figure.colorbar(filled, ax=axes, shrink=0.8, label="loss")
    return figure
