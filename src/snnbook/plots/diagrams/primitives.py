"""Boxes, arrows and words that diagrams are drawn with.  Places are inches from the figure's lower left corner."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from torch import Tensor

from snnbook.plots.style import THRESHOLD, WIDTH, panels, shade, tint

WORDS, SHAPES = 10, 8.5  # points, of text and of shapes of tensors
INK = "#222222"

Place = tuple[float, float]


def canvas(height: float) -> tuple[Figure, Axes]:
    """A figure of the book's width and one area that fills it."""
    figure, (axes,) = panels(height=height)
    figure.set_layout_engine("none")
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, height))
    axes.set_axis_off()
    return figure, axes


def box(axes: Axes, centre: Place, size: Place, text: str = "", color: str = THRESHOLD) -> None:
    """A rounded box, tinted with ``color``, and a text in its middle."""
    x, y = centre[0] - size[0] / 2, centre[1] - size[1] / 2
    style = "round,pad=0,rounding_size=0.06"
    axes.add_patch(
        FancyBboxPatch((x, y), *size, style, facecolor=tint(color), edgecolor=color, linewidth=1.2)
    )
    label(axes, centre, text)


def arrow(
    axes: Axes,
    start: Place,
    end: Place,
    color: str = THRESHOLD,
    bend: float = 0.0,
    width: float = 1.3,
    dots=False,
) -> None:
    """An arrow; to its right where ``bend`` is above 0, with its head at ``end``; dotted, if nothing passes."""
    axes.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=10, shrinkA=0, shrinkB=0, color=color, linewidth=width,
            connectionstyle=f"arc3,rad={bend}", linestyle=(0, (1, 1.6)) if dots else "-",
        )
    )  # fmt: skip


def label(
    axes: Axes, place: Place, text: str, color: str = INK, size: float = WORDS, side: str = "center"
) -> None:
    """Words, dark enough for white paper, with their ``"left"``, ``"center"`` or ``"right"`` at ``place``."""
    axes.text(*place, text, color=shade(color), fontsize=size, ha=side, va="center", linespacing=1.35)


def shape(x: Tensor, *names: str) -> str:
    """A tensor's shape as comments in the code have it, its first axes by name: ``[T*B, 16, 8, 8]``."""
    return f"[{', '.join([*names, *map(str, x.shape[len(names) :])])}]"


def amount(value: float) -> str:
    """A number in two digits."""
    return f"{value + 0.0:.2g}".replace("-", "−")  # no -0


def some(count: int, most: int) -> Sequence[int | None]:
    """Numbers from 0 to ``count`` - 1, at most so many of them: None stands for those left out before the last."""
    return range(count) if count <= most else [*range(most - 2), None, count - 1]
