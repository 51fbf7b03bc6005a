"""Curves over a shared axis: learning curves, gradients over time, anything with one x and some y."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from snnbook.errors import UserError
from snnbook.plots.style import legend, numbers, panels, styled


@styled
def lines(x, series: Mapping, x_label: str, y_label: str, *, markers: bool = False) -> Figure:
    """One curve a name.

    Args:
        x: values ``[n]`` along the horizontal axis, a tensor or a list.
        series: values ``[n]`` by name; the names go into the legend.
        x_label: what ``x`` is, with its unit.
        y_label: what the curves are, with their unit.
        markers: a dot at each value, for few and discrete ones.

    Raises:
        UserError: a curve that is not as long as ``x``.
    """
    x = numbers(x)
    figure, (axes,) = panels()
    for name, y in series.items():
        y = numbers(y)
        if y.shape != x.shape:
            raise UserError(f"curve {name!r} has shape {list(y.shape)}; expected x's, {list(x.shape)}")
        axes.plot(x, y, label=name, marker="o" if markers else None)
    axes.set(xlabel=x_label, ylabel=y_label)
    legend(axes)
    return figure
