"""How all figures look: one width, calm axes, colours that colour-blind readers tell apart."""

from collections.abc import Callable
from functools import wraps
from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
import seaborn
from matplotlib import cycler
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from torch import Tensor

WIDTH, HEIGHT = 7.0, 3.2  # inches, of every figure; a function may stretch the height, never the width

PALETTE = seaborn.color_palette("colorblind").as_hex()
CURRENT, POTENTIAL, SPIKE, THRESHOLD = PALETTE[1], PALETTE[0], PALETTE[3], "#555555"
# Words on an area that a colour map painted: not quite white and black, which pages in the dark turn round.
ON_DARK, ON_LIGHT = "#fefeff", "#010100"

# Series differ in dashes as well as in colour, so that they can be told apart in print.
SERIES = cycler(color=[PALETTE[i] for i in (0, 1, 2, 4, 3, 5)]) + cycler(
    linestyle=["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2))]
)

SETTINGS = {
    **seaborn.axes_style("ticks"),
    **seaborn.plotting_context("notebook", font_scale=0.9),
    "axes.prop_cycle": SERIES,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.titlesize": "medium",
    "grid.color": "#e8e8e8",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "figure.dpi": 120,
}


HEAVIEST = 300_000  # bytes of SVG; a figure of more, thousands of points, is shown as PNG


class Picture(Figure):
    """A figure that a notebook shows sharp at any size, whatever format the reader's own figures have there."""

    def rendered(self, kind: str) -> bytes:
        """The file: ``"svg"``, or ``"png"`` at twice the resolution; of the same figure always the same bytes."""
        file, metadata = BytesIO(), {"Date": None} if kind == "svg" else {}
        with plt.rc_context({"svg.hashsalt": "snnbook"}):
            options = dict(dpi=2 * self.dpi, bbox_inches="tight", metadata=metadata)
            self.savefig(file, format=kind, **options)
        return file.getvalue()

    def _ipython_display_(self) -> None:
        from IPython.display import display  # only IPython calls this

        svg = self.rendered("svg")
        light = len(svg) <= HEAVIEST
        image = {"image/svg+xml": svg.decode()} if light else {"image/png": self.rendered("png")}
        display({**image, "text/plain": repr(self)}, raw=True)


def styled(plot: Callable[..., Figure]) -> Callable[..., Figure]:
    """Draw ``plot`` in the book's style, leaving the caller's own matplotlib settings alone."""

    @wraps(plot)
    def draw(*arguments, **options) -> Figure:
        with plt.rc_context(SETTINGS):
            return plot(*arguments, **options)

    return draw


def panels(rows: int = 1, columns: int = 1, height: float = HEIGHT, **options) -> tuple[Figure, list[Axes]]:
    """A figure and its axes, row by row.  It is closed for pyplot, so that a notebook shows it once."""
    figure, axes = plt.subplots(
        rows,
        columns,
        FigureClass=Picture,
        figsize=(WIDTH, height),
        layout="constrained",
        squeeze=False,
        **options,
    )
    plt.close(figure)
    return figure, list(axes.flat)


def band(axes: Axes, x: np.ndarray, runs: np.ndarray, label: str, **options) -> None:
    """The mean of ``runs [n, x]`` over ``x``, in a band from the least to the greatest where there are several."""
    runs = np.atleast_2d(runs)
    (curve,) = axes.plot(x, runs.mean(0), label=label, **options)
    if len(runs) > 1:
        axes.fill_between(x, runs.min(0), runs.max(0), color=curve.get_color(), alpha=0.15, linewidth=0)


def tint(color) -> list[float]:
    """A little of a colour on white, for areas with words on them."""
    return [1 - 0.16 * (1 - part) for part in to_rgb(color)]


def shade(color) -> list[float]:
    """A colour dark enough for words on white."""
    return [0.6 * part for part in to_rgb(color)]


def logarithmic(axes: Axes) -> None:
    """A logarithmic x axis with numbers at 1, 2 and 5, which keep apart within a decade and are there in less."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())


def legend(axes: Axes) -> None:
    """To the right of the axes, where it hides nothing."""
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def grounded(axes: Axes, which: str) -> None:
    """Begin a linear axis of numbers above zero at zero, or, where that would flatten what it shows, say where.

    Args:
        axes: with its lines drawn and its axes named.
        which: ``"x"`` or ``"y"``.
    """
    axis = getattr(axes, f"{which}axis")
    low, high = axis.get_view_interval()
    if low <= 0 or axis.get_scale() != "linear":
        return
    if low < high / 2:
        low = 0.0
    else:
        low = max(tick for tick in axis.get_major_locator().tick_values(low, high) if tick <= low)
        axis.set_label_text(f"{axis.get_label_text()}\n(axis begins at {low:g})")
    axes.set(**{f"{which}lim": (low, high)})


def numbers(x) -> np.ndarray:
    """Values of a tensor on any device, or of a list, as numpy's."""
    return x.detach().float().cpu().numpy() if isinstance(x, Tensor) else np.asarray(x, dtype=float)
