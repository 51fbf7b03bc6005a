"""Curves and clouds over shared axes: learning curves, gradients over time, one measure against another."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from snnbook.errors import UserError
from snnbook.plots.style import PALETTE, THRESHOLD, band, grounded, legend, numbers, panels, styled

FEW = 6  # values of a horizontal axis that can each have a label


@styled
def lines(
    x,
    series: Mapping,
    x_label: str,
    y_label: str,
    *,
    markers: bool = False,
    doubling: bool = False,
    events: Mapping[str, float] | None = None,
) -> Figure:
    """One curve a name; where several runs are given, their mean in a band from the least to the greatest.

    Args:
        x: values ``[n]`` along the horizontal axis, a tensor or a list.
        series: values ``[n]``, or ``[runs, n]``, by name; the names go into the legend.
        x_label: what ``x`` is, with its unit.
        y_label: what the curves are, with their unit.
        markers: a dot at each value, for few and discrete ones; up to six are the axis's labels, too.
        doubling: a horizontal axis on which each doubling takes the same room, labelled at the values of ``x``.
        events: places on the horizontal axis by name, each a dashed vertical line.

    Raises:
        UserError: a curve that is not as long as ``x``.
    """
    x = numbers(x)
    figure, (axes,) = panels()
    for name, y in series.items():
        y = numbers(y)
        if y.shape[-1:] != x.shape or y.ndim > 2:
            raise UserError(f"curve {name!r} has shape {list(y.shape)}; expected x's, {list(x.shape)}")
        band(axes, x, y, name, marker="o" if markers else None)
    for name, place in (events or {}).items():
        axes.axvline(place, color=THRESHOLD, linestyle="--", linewidth=1)
        axes.annotate(name, (place, 1), xycoords=("data", "axes fraction"), xytext=(3, -10),
                      textcoords="offset points", fontsize="small", color=THRESHOLD)  # fmt: skip
    if doubling:
        axes.set_xscale("log", base=2)
        shown = [value for value in x if float(np.log2(value)).is_integer()]
        axes.set_xticks(shown, labels=[f"{value:g}" for value in shown])
        axes.minorticks_off()
    elif markers and len(x) <= FEW:
        axes.set_xticks(x, labels=[f"{value:g}" for value in x])
    elif (x == x.round()).all():  # epochs and time steps have no halves
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel=x_label, ylabel=y_label)
    grounded(axes, "y")
    legend(axes)
    return figure


@styled
def scatter(
    series: Mapping, x_label: str, y_label: str, *, diagonal: bool = False, connect: bool = False
) -> Figure:
    """A cloud of points a name.

    Args:
        series: pairs of ``[n]`` horizontal and ``[n]`` vertical values by name.
        x_label, y_label: what the axes are, with their units.
        diagonal: draw the line on which both are equal.
        connect: join a cloud's points in their order.

    Raises:
        UserError: a cloud of not as many horizontal as vertical values.
    """
    figure, (axes,) = panels()
    for index, (name, (x, y)) in enumerate(series.items()):
        x, y = numbers(x), numbers(y)
        if x.shape != y.shape or x.ndim != 1:
            shapes = f"{list(x.shape)} and {list(y.shape)}"
            raise UserError(f"values of {name!r} have shapes {shapes}; expected [n] of both axes")
        color = PALETTE[index % len(PALETTE)]
        style = dict(color=color, marker="osD^"[index % 4], alpha=0.8, label=name)
        axes.plot(x, y, linestyle="-" if connect else "none", linewidth=1, **style)
    axes.set(xlabel=x_label, ylabel=y_label)
    for which in "xy":
        grounded(axes, which)
    if diagonal:
        ends = [max(axes.get_xlim()[0], axes.get_ylim()[0]), min(axes.get_xlim()[1], axes.get_ylim()[1])]
        axes.plot(ends, ends, color=THRESHOLD, linestyle="--", linewidth=1, label="equal")
    legend(axes)
    return figure
