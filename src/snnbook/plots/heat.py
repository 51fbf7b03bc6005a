"""Tables of numbers as colours: layers against layers, steps against layers; and maps laid over images."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from snnbook.errors import UserError
from snnbook.plots.pictures import drawable
from snnbook.plots.style import HEIGHT, ON_DARK, ON_LIGHT, WIDTH, numbers, panels, styled

COLORS = "viridis"
SIGNED = "PuOr"  # dark at both ends
EMPTY = "#e8e8e8"


@styled
def heatmaps(
    tables: Mapping, rows: str, columns: str, label: str, first: int = 0, signed: bool = False
) -> Figure:
    """Tables ``[n, m]`` side by side, on one scale of colours, with their numbers written in.

    Args:
        tables: by the name above each; where a number is NaN there is none: an empty, hatched cell, not a zero.
        rows, columns: what the axes count.
        label: what the numbers are.
        first: number of the first row and column.
        signed: what counts is the sign: two colours meet at zero, and numbers have one digit behind the point.

    Raises:
        UserError: no table, one that is none, or not one number in all.
    """
    found = {name: numbers(table) for name, table in tables.items()}
    if not found or any(table.ndim != 2 for table in found.values()):
        shapes = {name: list(table.shape) for name, table in found.items()}
        raise UserError(f"tables have shapes {shapes}; expected one or more of [rows, columns]")
    present = np.concatenate([table[~np.isnan(table)] for table in found.values()])
    if not present.size:
        raise UserError("tables have no number in them; expected some that are not NaN")
    low, high = present.min(), present.max()
    if signed:
        high = max(-low, high) or 1.0
        low = -high
    figure, axes = panels(1, len(found), height=0.85 * HEIGHT)
    for place, (name, table) in zip(axes, found.items(), strict=True):
        image = place.imshow(table, vmin=low, vmax=high, cmap=SIGNED if signed else COLORS, aspect="auto")
        for (i, j), value in np.ndenumerate(table):
            if np.isnan(value):
                place.add_patch(
                    Rectangle((j - 0.5, i - 0.5), 1, 1, facecolor=EMPTY, edgecolor="white", hatch="//")
                )
                continue
            dark = abs(value) > 0.6 * high if signed else value < (low + high) / 2
            shown = f"{value + 0.0:+.1f}" if signed else f"{value + 0.0:.3g}"
            place.text(j, i, shown, ha="center", va="center", fontsize="small",
                       color=ON_DARK if dark else ON_LIGHT)  # fmt: skip
        place.set(title=name, xlabel=columns, ylabel=rows)
        place.set_xticks(range(table.shape[1]), labels=range(first, first + table.shape[1]))
        place.set_yticks(range(table.shape[0]), labels=range(first, first + table.shape[0]))
        place.grid(False)
    figure.colorbar(image, ax=axes, label=label)
    return figure


@styled
def activation_maps(images, maps: Mapping) -> Figure:
    """Images in the first row, and below, in a row for each network, where it looks, laid over them.

    Args:
        images: ``[N, C, H, W]`` of one channel or three, as bytes or floats in [0, 1].
        maps: ``[N, H, W]`` in [0, 1] by the network's name.

    Raises:
        UserError: images of another shape, or maps that do not fit them.
    """
    shown = drawable(images)
    grey = shown.mean(-1)
    count = len(shown)
    side = 0.95 * WIDTH / max(count, 4) * grey.shape[1] / grey.shape[2]
    figure, axes = panels(1 + len(maps), count, height=(1 + len(maps)) * side)
    for place in axes:
        place.set(xticks=[], yticks=[])
        place.grid(False)
    for place, image in zip(axes, shown, strict=False):
        place.imshow(image)
    names = dict(rotation=0, ha="right", va="center")  # rows may be lower than a name is long
    axes[0].set_ylabel("image", **names)
    for row, (name, values) in enumerate(maps.items(), start=1):
        values = numbers(values)
        if values.shape != grey.shape:
            raise UserError(f"maps of {name!r} have shape {list(values.shape)}; expected {list(grey.shape)}")
        for column, (image, value) in enumerate(zip(grey, values, strict=True)):
            place = axes[row * count + column]
            place.imshow(image, cmap="gray", vmin=0, vmax=1)
            place.imshow(value, cmap="inferno", alpha=0.55, vmin=0, vmax=1)
        axes[row * count].set_ylabel(name, **names)
    return figure
