"""Event data: single events over time, and the frames they are cut into."""

from collections.abc import Mapping

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from snnbook.errors import UserError
from snnbook.plots.style import HEIGHT, PALETTE, WIDTH, numbers, panels, styled

OFF, ON = PALETTE[0], PALETTE[1]


@styled
def events(recording) -> Figure:
    """A recording over time: the column of each event on the left, its row on the right.

    Args:
        recording: ``[M, 4]``: time in microseconds, x, y, polarity.

    Raises:
        UserError: another shape.
    """
    rows = numbers(recording)
    if rows.ndim != 2 or rows.shape[1] != 4:
        raise UserError(f"events have shape {list(rows.shape)}; expected [M, 4]: t, x, y, polarity")
    t, x, y, polarity = rows.T
    figure, axes = panels(1, 2, height=1.1 * HEIGHT)
    for place, values, label in zip(axes, (x, y), ("column x", "row y"), strict=True):
        for which, (name, color) in enumerate((("OFF: darker", OFF), ("ON: brighter", ON))):
            chosen = polarity == which
            # Beside each other, where a pixel sends both.
            shifted = values[chosen] + 0.15 * (2 * which - 1)
            place.plot(t[chosen] / 1000, shifted, ".", color=color, markersize=2.5, alpha=0.6, label=name)
        place.set(xlabel="time, ms", ylabel=label)
    axes[1].invert_yaxis()  # rows are counted from the top
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, markerscale=4)
    return figure


@styled
def frames(cut: Mapping) -> Figure:
    """Frames of events in a row for each name, blue where OFF, orange where ON, the more the darker.

    Args:
        cut: frames ``[T, 2, H, W]`` by name, numbers of at least 0; each frame has its own scale.  The number of
            frames may differ.

    Raises:
        UserError: another shape, or nothing to show.
    """
    found = {name: numbers(values) for name, values in cut.items()}
    if not found or any(x.ndim != 4 or x.shape[1] != 2 or not len(x) for x in found.values()):
        shapes = {name: list(values.shape) for name, values in found.items()}
        raise UserError(f"frames have shapes {shapes}; expected one or more of [T, 2, H, W], T at least 1")
    longest = max(len(values) for values in found.values())
    side = 0.95 * WIDTH / max(longest, 5)
    figure, axes = panels(len(found), longest, height=len(found) * (side + 0.25))
    for place in axes:
        place.set(xticks=[], yticks=[])
        place.grid(False)
    for row, (name, values) in enumerate(found.items()):
        here = axes[row * longest : (row + 1) * longest]
        here[0].set_ylabel(name)
        for step, (place, frame) in enumerate(zip(here, values, strict=False), start=1):
            place.imshow(_colored(frame))
            place.set_title(f"{step}", fontsize="small")
        for place in here[len(values) :]:
            place.set_axis_off()
    return figure


def _colored(frame: np.ndarray) -> np.ndarray:
    """``[2, H, W]`` to ``[H, W, 3]``: ink of two colours on white paper."""
    share = (frame / max(frame.max(), 1e-12))[..., None]
    ink = [1 - (1 - np.array(to_rgb(color))) * part for color, part in zip((OFF, ON), share, strict=True)]
    return ink[0] * ink[1]
