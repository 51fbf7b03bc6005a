"""A network's parts in the order in which they are called, and the maps between them."""

from copy import deepcopy

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from snnbook.errors import UserError
from snnbook.plots.diagrams.primitives import SHAPES, arrow, box, canvas, label, shape
from snnbook.plots.style import CURRENT, POTENTIAL, SPIKE, THRESHOLD, WIDTH, styled

MAPS, PARTS = 2.0, 0.6  # inches: height of the row of maps, of the row of parts
SIDE, BEHIND = 0.42, 0.05  # inches: of the largest map, between the maps of two steps
MOST = 7  # parts, the mean over time among them


@styled
def architecture(network: nn.Module, images: Tensor) -> Figure:
    """What images become on their way through a spiking network: a square a map, one behind another for each step.

    Args:
        network: with at most six parts, images to readouts ``[T, B, classes]``; it is left as it is.
        images: ``[B, C, H, W]``.

    Raises:
        UserError: other outputs, or more parts than fit.
    """
    called, outputs = _called(network, images)
    if outputs.dim() != 3:
        raise UserError(f"the network puts out {list(outputs.shape)}; expected readouts [T, B, classes]")
    if not 0 < len(called) < MOST:
        raise UserError(f"the network has {len(called)} parts; expected 1 to {MOST - 1}, or they do not fit")
    steps = len(outputs)
    tensors = [images, *(x for _, _, x in called), outputs.mean(0)]
    figure, axes = canvas(MAPS + 0.5)
    width, end = WIDTH / len(tensors), None
    largest = max(x.shape[-1] for x in tensors if x.dim() == 4)
    for column, x in enumerate(tensors):
        place, folded = (column + 0.5) * width, len(x) != len(images)
        half = _maps(axes, place, x, min(steps, 4) if folded else 1, largest) + 0.05
        label(axes, (place, MAPS - 0.55), shape(x, "T*B" if folded else "B"), size=7)
        if end is not None:
            arrow(axes, (end, MAPS), (place - half, MAPS), width=1)
        end = place + half
    names = [(name, _layers(part), _color(part)) for name, part, _ in called]
    for column, (name, layers, color) in enumerate([*names, ("mean", ["over T"], CURRENT)], start=1):
        box(axes, (column * width, PARTS), (width - 0.08, 1.05), color=color)
        label(axes, (column * width, PARTS), "\n".join([name, *layers]), size=SHAPES)
    return figure


def _called(network: nn.Module, images: Tensor) -> tuple[list[tuple[str, nn.Module, Tensor]], Tensor]:
    """Name and output of each part of ``network``, and what it puts out itself."""
    network, seen = deepcopy(network).eval(), []
    for name, child in network.named_children():
        several = isinstance(child, nn.ModuleList)
        for index, part in enumerate(child if several else [child]):
            said = f"{name}[{index}]" if several else name
            part.register_forward_hook(lambda m, _, out, said=said: seen.append((said, m, out)))
    with torch.no_grad():
        outputs = network(images)
    return seen, outputs


def _layers(part: nn.Module) -> list[str]:
    return [type(m).__name__ for m in part.modules() if not list(m.children())]


def _color(part: nn.Module) -> str:
    return SPIKE if any(hasattr(m, "dynamics") for m in part.modules()) else POTENTIAL


def _maps(axes: Axes, x: float, tensor: Tensor, count: int, largest: int) -> float:
    """Squares for maps, bars for what has no height, ``count`` of them one behind another; half their width."""
    flat = tensor.dim() == 2
    side = SIDE * (0.25 + 0.75 * (1 if flat else tensor.shape[-1] / largest))
    size = (0.1, side) if flat else (side, side)
    for step in reversed(range(count)):
        shift = BEHIND * (step - (count - 1) / 2)
        corner = (x - size[0] / 2 + shift, MAPS - size[1] / 2 + shift)
        axes.add_patch(Rectangle(corner, *size, facecolor="white", edgecolor=THRESHOLD, linewidth=1))
    return (size[0] + BEHIND * (count - 1)) / 2
