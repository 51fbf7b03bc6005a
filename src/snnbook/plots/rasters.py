"""Spikes of many neurons over time: a tick for each, a row for each neuron."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from snnbook.errors import UserError
from snnbook.plots.style import HEIGHT, PALETTE, SPIKE, numbers, panels, styled


@styled
def raster(spikes: Mapping, y_label: str = "neuron") -> Figure:
    """A panel a name, two beside each other, or three if there are three; the first neuron on top.

    Args:
        spikes: ``[T, N]`` by name; what is not 0 is drawn, and what is below 0, an OFF spike, in blue.
        y_label: what the neurons are.

    Raises:
        UserError: another shape, or nothing to show.
    """
    found = {name: numbers(values) for name, values in spikes.items()}
    if not found or any(values.ndim != 2 for values in found.values()):
        shapes = {name: list(values.shape) for name, values in found.items()}
        raise UserError(f"spikes have shapes {shapes}; expected one or more of [T, N]")
    columns = len(found) if len(found) <= 3 else 2
    rows = -(-len(found) // columns)
    figure, axes = panels(rows, columns, height=(0.35 + 0.65 * rows) * HEIGHT)
    for place in axes[len(found) :]:
        place.set_axis_off()
    for place, (name, values) in zip(axes, found.items(), strict=False):
        for drawn, color in ((values > 0, SPIKE), (values < 0, PALETTE[0])):
            t, n = np.nonzero(drawn)
            place.vlines(t + 1, n - 0.35, n + 0.35, color=color, linewidth=1.8)
        steps, neurons = values.shape
        place.set(title=name, xlim=(0, steps + 1), ylim=(neurons - 0.5, -0.5), xlabel="time step t")
        place.set_ylabel(y_label)
        place.xaxis.set_major_locator(MaxNLocator(integer=True))
        place.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        place.grid(False)
    return figure
