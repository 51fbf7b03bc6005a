"""Time unfolded, a call of each layer at each step, and folded into the batch."""

from copy import deepcopy

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from snnbook.folding import fold, unfold
from snnbook.plots.diagrams.primitives import SHAPES, arrow, box, canvas, label, shape, some
from snnbook.plots.style import CURRENT, POTENTIAL, SPIKE, WIDTH, styled

FOLDED, GAP = 2.15, 0.5  # inches: height of the lower half, between two rows of the upper


@styled
def time_folded(layers: nn.Sequential, images: Tensor, time_steps: int) -> Figure:
    """The same layers twice: called once a step, above, and once for all steps, below, with the shapes they give.

    Args:
        layers: at most four, neurons among them; they are left as they are.
        images: ``[B, C, H, W]``, shown at each step.
        time_steps: T; of more than four, the first two and the last are drawn.
    """
    layers = deepcopy(layers).eval()
    found = [
        fold(images.expand(time_steps, *images.shape))
    ]  # [T*B, ...], before the first layer and behind each
    with torch.no_grad():
        for layer in layers:
            found.append(layer(found[-1]))
    figure, axes = canvas(FOLDED + GAP * (len(layers) + 2) + 0.45)
    _unfolded(axes, layers, [unfold(x, time_steps)[0] for x in found], time_steps)
    _folded(axes, layers, found, time_steps)
    return figure


def _color(layer: nn.Module) -> str:
    return SPIKE if hasattr(layer, "dynamics") else POTENTIAL


def _unfolded(axes: Axes, layers: nn.Sequential, found: list[Tensor], time_steps: int) -> None:
    top = axes.get_ylim()[1] - 0.2
    label(axes, (0.1, top), f"unfolded: each layer is called T = {time_steps} times", side="left")
    steps = some(time_steps, 4)
    width = WIDTH / len(steps)
    for column, step in enumerate(steps):
        x, y = (column + 0.5) * width, top - 0.4
        label(axes, (x, y), "…" if step is None else f"t = {step + 1}: {shape(found[0], 'B')}", size=SHAPES)
        for layer in layers:
            y -= GAP
            spiking = hasattr(layer, "dynamics")
            if step is not None:
                arrow(axes, (x, y + GAP - 0.14), (x, y + 0.14))
                box(axes, (x, y), (1.16, 0.28), type(layer).__name__, _color(layer))
            if spiking and column:
                arrow(axes, (x - width + 0.58, y), (x - 0.58, y), SPIKE)
                label(axes, (x - width / 2, y + 0.13), "u", SPIKE, SHAPES)
        if step is not None:
            arrow(axes, (x, y - 0.14), (x, y - GAP + 0.14))
            label(axes, (x, y - GAP), shape(found[-1], "B"), size=SHAPES)


def _folded(axes: Axes, layers: nn.Sequential, found: list[Tensor], time_steps: int) -> None:
    label(axes, (0.1, FOLDED - 0.2), "folded: each layer is called once", side="left")
    span, y = (WIDTH - 1.2) / len(layers), 1.2
    steps = some(time_steps, 4)
    part = 1.0 / len(steps)
    for number, x in enumerate(found):
        place = 0.6 + number * span
        for row, step in enumerate(steps):
            middle = y + 0.5 - (row + 0.5) * part
            box(axes, (place, middle), (0.42, 0.9 * part), "", CURRENT)
            label(axes, (place, middle), "…" if step is None else f"t = {step + 1}", size=7)
        label(axes, (place, y - 0.65), shape(x, "T*B"), size=SHAPES)
    for number, layer in enumerate(layers):
        place = 0.6 + (number + 0.5) * span
        arrow(axes, (place - span / 2 + 0.23, y), (place - 0.58, y))
        box(axes, (place, y), (1.16, 0.28), type(layer).__name__, _color(layer))
        arrow(axes, (place + 0.58, y), (place + span / 2 - 0.23, y))
        if hasattr(layer, "dynamics"):
            inside = shape(unfold(found[number], time_steps), "T", "B")
            words = f"inside the neuron: {inside}, and u goes from step to step"
            label(axes, (WIDTH - 0.1, 0.2), words, SPIKE, SHAPES, "right")
