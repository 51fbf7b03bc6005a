"""Figures of single neurons: what they integrate, when they fire, how steep their spike is."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from snnbook.errors import UserError
from snnbook.plots.curves import lines
from snnbook.plots.style import (
    CURRENT,
    HEIGHT,
    PALETTE,
    POTENTIAL,
    SPIKE,
    THRESHOLD,
    legend,
    numbers,
    panels,
    styled,
)
from snnbook.surrogates import Surrogate


@styled
def trace(current: Tensor, potential: Tensor, spikes: Tensor, threshold: float, after=None) -> Figure:
    """One neuron over time, in three panels: its input current, its membrane potential, its spikes.

    Args:
        current, potential, spikes: ``[T]`` each; the potential before the reset.
        threshold: drawn as a dashed line.
        after: the potential after the reset, ``[T]``; draws the fall from one to the other.

    Raises:
        UserError: tensors of different shapes.
    """
    drawn = [current, potential, spikes] + ([] if after is None else [after])
    current, potential, spikes, *rest = (_one_axis(x, len(current)) for x in drawn)
    t = np.arange(1, len(current) + 1)
    figure, (top, middle, bottom) = panels(
        3, height=1.4 * HEIGHT, sharex=True, gridspec_kw={"height_ratios": [1, 2.2, 0.6]}
    )
    top.bar(t, current, width=0.6, color=CURRENT)
    top.set_ylabel("current c")
    middle.axhline(threshold, color=THRESHOLD, linestyle="--", linewidth=1.2, label="threshold θ")
    if rest:
        times, values = np.repeat(t, 2), np.stack([potential, rest[0]], 1).ravel()
        middle.plot(np.r_[0, times], np.r_[0, values], color=POTENTIAL, linewidth=1.2, alpha=0.6)
        middle.plot(t, rest[0], "o", color="white", markeredgecolor=POTENTIAL, label="u after the reset")
    else:
        middle.plot(t, potential, color=POTENTIAL, linewidth=1.2, alpha=0.6)
    middle.plot(t, potential, "o", color=POTENTIAL, label="u before the reset")
    middle.set_ylabel("potential u")
    legend(middle)
    _raster(bottom, t, {"": spikes}, [SPIKE])
    bottom.set_ylabel("spike s", rotation=0, ha="right", va="center")
    return figure


@styled
def compare_traces(potential: Mapping, spikes: Mapping, threshold: float) -> Figure:
    """The potentials before the reset of several neurons in one panel, and a row of spikes for each below.

    Args:
        potential, spikes: ``[T]`` each, by the neuron's name.
        threshold: shared by the neurons, drawn as a dashed line.

    Raises:
        UserError: other names in one than in the other, or traces of different lengths.
    """
    if list(potential) != list(spikes):
        raise UserError(
            f"potentials of {list(potential)} but spikes of {list(spikes)}; expected the same names"
        )
    if not potential:
        raise UserError("there is no neuron to show; expected a potential by the name of one")
    length = len(next(iter(potential.values())))
    t = np.arange(1, length + 1)
    figure, (top, bottom) = panels(
        2, height=1.2 * HEIGHT, sharex=True, gridspec_kw={"height_ratios": [2.4, 0.35 * len(spikes)]}
    )
    top.axhline(threshold, color=THRESHOLD, linestyle="--", linewidth=1.2, label="threshold θ")
    colors = []
    for name, u in potential.items():
        (line,) = top.plot(t, _one_axis(u, length), marker="o", label=name)
        colors.append(line.get_color())
    top.set_ylabel("potential u\nbefore the reset")
    legend(top)
    _raster(bottom, t, {name: _one_axis(s, length) for name, s in spikes.items()}, colors)
    bottom.set_ylabel("spikes")
    return figure


@styled
def firing_rates(currents: Tensor, rates: Mapping, threshold_current: float | None = None) -> Figure:
    """Firing rate over a constant input current (f-I curve), one curve a neuron.

    Args:
        currents: ``[N]``.
        rates: spikes a time step, ``[N]`` each, by the neuron's name.
        threshold_current: the weakest current that makes a neuron fire, drawn as a vertical line.
    """
    figure = lines(currents, rates, "constant input current c", "firing rate (spikes a step)")
    if threshold_current is not None:
        axes = figure.axes[0]
        axes.axvline(threshold_current, color=THRESHOLD, linestyle="--", linewidth=1.2, label="θ (1 − β)")
        legend(axes)
    return figure


@styled
def surrogates(shown: Sequence[Surrogate]) -> Figure:
    """Smooth steps (left, with the true step) and their derivatives (right) over the distance to threshold.

    Args:
        shown: surrogates, at most six.
    """
    x = torch.linspace(-1.5, 1.5, 601)
    figure, (left, right) = panels(1, 2, height=1.1 * HEIGHT)
    left.plot(x, (x > 0).float(), color=THRESHOLD, linewidth=1.2, linestyle="-")
    for surrogate in shown:
        left.plot(x, surrogate.smooth(x), label=_name(surrogate))
        right.plot(x, surrogate.derivative(x))
    left.set(title="forward: step (grey) and smooth steps", ylabel="output")
    right.set(title="backward: derivatives", ylabel="derivative")
    for axes in (left, right):
        axes.set_xlabel("distance to threshold u − θ")
    figure.legend(loc="outside lower center", ncols=3)
    return figure


@styled
def potentials(distances: Mapping, surrogate: Surrogate, reach: float = 3.0) -> Figure:
    """Where potentials lie, beside what the surrogate lets through there: dead neurons sit where it is zero.

    Args:
        distances: potentials minus threshold, any shape, by name.
        surrogate: drawn on a second axis.
        reach: largest distance drawn, both ways; what lies further is counted in the outermost bar.
    """
    figure, (axes,) = panels(height=1.15 * HEIGHT)
    edges = np.linspace(-reach, reach, 49)
    colors = [PALETTE[i] for i in (0, 1, 2, 4, 5)]  # the surrogate has the colour of spikes
    for (name, x), color in zip(distances.items(), cycle(colors), strict=False):
        x = np.clip(numbers(x).ravel(), -reach, reach)
        weights = np.full(x.size, 1 / x.size)
        axes.hist(x, edges, weights=weights, color=color, alpha=0.35, label=name)
        axes.hist(x, edges, weights=weights, color=color, histtype="step", linewidth=1.5)
    axes.set(xlabel="distance to threshold u − θ", ylabel="share of potentials")
    axes.plot([], [], color=SPIKE, linestyle="-", label=_name(surrogate))
    figure.legend(loc="outside lower center", ncols=4)
    other = axes.twinx()
    x = torch.linspace(-reach, reach, 1201)
    other.plot(x, surrogate.derivative(x), color=SPIKE, linestyle="-")
    other.set(ylabel="surrogate derivative", ylim=(0, None))
    other.spines["right"].set_visible(True)
    other.grid(False)
    return figure


def _one_axis(x, length: int) -> np.ndarray:
    x = numbers(x)
    if x.shape != (length,):
        raise UserError(f"a trace has shape {list(x.shape)}; expected [{length}], one value a time step")
    return x


def _raster(axes: Axes, t: np.ndarray, spikes: Mapping, colors: Sequence[str]) -> None:
    """A row of ticks for each neuron, the first on top."""
    times = [t[s > 0] for s in spikes.values()]
    rows = range(len(times))
    axes.eventplot(times, lineoffsets=rows, linelengths=0.7, colors=colors, linewidths=2.5)
    axes.set(xlabel="time step t", ylim=(len(rows) - 0.5, -0.5), yticks=rows, yticklabels=list(spikes))
    axes.tick_params(left=False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(False)


def _name(surrogate: Surrogate) -> str:
    values = ", ".join(f"{k}={v:g}" for k, v in vars(surrogate).items())
    return f"{type(surrogate).__name__}({values})"
