"""Learning curves of a table's rows, from run records: over epochs, and over minutes."""

from collections.abc import Sequence
from html import escape
from textwrap import fill
from typing import Any, Protocol

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from snnbook.errors import UserError
from snnbook.plots.style import HEIGHT, SERIES, band, grounded, legend, logarithmic, panels, styled

LEGEND = 26  # letters in a line of it
FAR = 4  # times longer than the shortest: from there on minutes have a logarithmic axis
FEW = 4  # tests


class Learned(Protocol):
    """What is drawn: see :class:`snnbook.experiments.Curves`."""

    curves: Sequence[Any]
    timed_on: str

    def left_out(self) -> str: ...

    def not_timed(self) -> str: ...


class Sentence(str):
    """What a notebook shows in place of a figure: a paragraph, and no text in quotation marks."""

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<p>{escape(self)}</p>"


AXES = {"epochs": "epoch", "minutes": "minutes of training, those of runs it needs included"}


@styled
def learning_curves(found: Learned, against: str = "epochs") -> Figure | Sentence:
    """Test accuracy over a training, a row's mean in a band from its least to its greatest seed.

    Args:
        found: from :func:`snnbook.experiments.curves`.
        against: ``"epochs"``, or ``"minutes"``, in which the training of a teacher, or of the network that a row
            inherits from, comes before its own.

    Returns:
        The figure, which names the rows that are not run, or not timed; where none is, a sentence that says so.

    Raises:
        UserError: another axis, or more rows than can be told apart.
    """
    if against not in AXES:
        raise UserError(f"curves are drawn against {against!r}; expected one of {', '.join(AXES)}")
    if len(found.curves) > len(SERIES):
        raise UserError(
            f"{len(found.curves)} curves in one figure; expected at most {len(SERIES)}, or none can be told apart"
        )
    drawn = [curve for curve in found.curves if getattr(curve, against)]
    if not drawn:
        return Sentence(f"{found.left_out()} {found.not_timed()}".strip())
    figure, (axes,) = panels(height=max(HEIGHT, 0.55 * len(found.curves) + 0.6))
    along = [getattr(curve, against) for curve in drawn]
    for curve, x in zip(drawn, along, strict=True):
        band(
            axes,
            x,
            curve.accuracy,
            fill(curve.name(), LEGEND),
            marker="o",
            markersize=3,
        )
    several = any(len(curve.accuracy) > 1 for curve in drawn)
    below = [AXES[against], found.left_out()]
    if against == "minutes":
        below = [below[0], f"(timed on {found.timed_on})", f"{below[1]} {found.not_timed()}".strip()]
    axes.set_ylabel("test accuracy, %" + ("\nmean; band: least to greatest seed" if several else ""))
    axes.set_xlabel("\n".join(fill(line, 90) for line in below if line))
    if against == "epochs":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    elif max(x[-1] for x in along) > FAR * min(x[-1] for x in along):  # else the short ones lie on each other
        logarithmic(axes)
    else:
        axes.set_xlim(left=0)
    # A first test may lie far below all others, and below the axis; all others are seen, and all of few.
    seen = [run[len(curve.epochs) > FEW :] for curve in drawn for run in curve.accuracy]
    if any(len(curve.epochs) > FEW for curve in drawn):
        axes.set_ylim(bottom=min(map(min, seen)))
    grounded(axes, "y")
    legend(axes)
    return figure
