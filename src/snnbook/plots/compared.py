"""What helps, by how much, and at what price: paired differences with their intervals, and accuracy over cost."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any, Protocol

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snnbook.errors import UserError
from snnbook.plots.style import PALETTE, THRESHOLD, grounded, panels, shade, styled

# Of verdicts, with a marker each, so that colour alone says nothing.  Any other word, or none, is plain.
LOOKS = {
    "holds": (PALETTE[0], "D"),
    "does not hold": (PALETTE[3], "X"),
    "undecided": (THRESHOLD, "o"),
    "cannot be decided here": (THRESHOLD, "v"),
    "did not learn": ("#949494", "s"),
}
PLAIN = (PALETTE[0], "o")
LARGE, SMALL = 12, 10.5  # points; the figure is read on phones, too, where it is half as large
LETTERS, BOLD = 64, 1.25  # of a line, and how many of them a label's take, beside which its numbers stand
SPACE, TEXT, BAND = 0.16, 0.23, 0.34  # inches: above a label, for a line of text, for an interval and dots


class Compared(Protocol):
    """One line: see :class:`snnbook.experiments.evidence.comparisons.Comparison`."""

    label: str
    on: str
    estimate: Any
    word: str
    size: float | None


@styled
def forest(lines: Sequence[Compared], unit: str = "points of test accuracy") -> Figure:
    """Paired differences, a line each: every seed's (small dots), their mean, its 95 % interval, and the paper's.

    Args:
        lines: from the top down; what each compares and on what stands above it.
        unit: of the differences.

    Raises:
        UserError: no lines.
    """
    if not lines:
        raise UserError("there is nothing to draw; expected one comparison or more")
    settings = {line.on for line in lines}
    alike = len(settings) == 1  # then it is said once
    widths = [int((LETTERS - len(_ours(line))) / BOLD) for line in lines]
    labels = [fill(line.label, w, break_on_hyphens=False) for line, w in zip(lines, widths, strict=True)]
    heights = [SPACE + TEXT * (label.count("\n") + 1 + (not alike)) + BAND for label in labels]
    figure, (axes,) = panels(height=sum(heights) + 0.25 * alike + 1.0)
    axes.axvline(0, color=THRESHOLD, linewidth=1.3, zorder=1)  # above the grid
    top = 0.0
    for line, label, height in zip(lines, labels, heights, strict=True):
        _words(axes, top + SPACE, label, line, "" if alike else line.on)
        _interval(axes, top + height - BAND / 2, line)
        top += height
    if alike:
        axes.set_title(*settings, loc="left", fontsize=SMALL, color=THRESHOLD, pad=8)
    handles = {}
    for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
        handles.setdefault(name, handle)
    axes.set(yticks=[], ylim=(top, 0), xlabel=f"difference, {unit}")
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.04)
    axes.grid(True, axis="x")
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=3, fontsize=SMALL)
    return figure


def _words(axes: Axes, y: float, label: str, line: Compared, on: str) -> None:
    """What is compared, what came of it and, below, on what; ``y`` in inches from the top."""
    clear = dict(facecolor="white", edgecolor="none", pad=1)  # of the line at zero
    place = dict(transform=axes.get_yaxis_transform(), va="top", in_layout=False, bbox=clear)
    color, _ = LOOKS.get(line.word, PLAIN)
    axes.text(0, y, label, fontsize=LARGE, weight="bold", **place)
    axes.text(1, y, _ours(line), fontsize=LARGE, color=shade(color), ha="right", **place)
    if on:
        axes.text(0, y + TEXT * (label.count("\n") + 1), on, fontsize=SMALL, color=THRESHOLD, **place)


def _ours(line: Compared) -> str:
    return line.estimate.text() + (f", {line.word}" if line.word else "")


def _interval(axes: Axes, y: float, line: Compared) -> None:
    color, marker = LOOKS.get(line.word, PLAIN)
    found, name = line.estimate, line.word or "mean and 95 % interval"
    axes.plot(list(found.values.values()), [y + 0.12] * found.n, "o", color=color, alpha=0.45, markersize=4.5,
              markeredgewidth=0, label="one seed")  # fmt: skip
    if found.half is not None:
        axes.plot([found.mean - found.half, found.mean + found.half], [y, y], "-", color=color, linewidth=2.5)
    axes.plot([found.mean], [y], marker, color=color, markersize=8, label=name)
    if line.size is not None:
        axes.plot([line.size], [y], "d", markerfacecolor="white", markeredgecolor=PALETTE[1], markersize=8,
                  markeredgewidth=1.6, label="the paper's, on its data")  # fmt: skip


class Priced(Protocol):
    """A table: see :class:`snnbook.experiments.Report`."""

    lines: Sequence[Any]
    profile: str
    which: str

    def told(self) -> Sequence[Any]: ...


COSTS = {"time": "training, teachers included, minutes", "energy": "energy of one inference, µJ"}


@styled
def price(report: Priced, cost: str = "time") -> Figure:
    """Accuracy of each network of a table (mean, standard deviation over seeds) over what it costs.

    Args:
        report: from :func:`snnbook.experiments.report`; what has no record, or none of the cost, is left out.
        cost: ``"time"``, of training; or ``"energy"``, of an inference.

    Time is that of training steps, timed in turn by ``snnbook bench rows``; a row that was not is left out.

    Raises:
        UserError: another cost, or nothing to draw.
    """
    if cost not in COSTS:
        raise UserError(f"no cost {cost!r}; expected {' or '.join(COSTS)}")
    drawn = points(report, cost)
    if not drawn:
        raise UserError(f"no row of this table has a record of {COSTS[cost]}; expected one or more")
    height = 1.0 + 0.34 * max(len(drawn), 6)
    figure, (axes, names) = panels(1, 2, height=height, gridspec_kw={"width_ratios": [5, 3]})
    for x, line in drawn:
        color, marker = (PALETTE[1], "s") if line.network == "ann" else (PALETTE[0], "o")
        axes.errorbar(x, line.ours.mean, line.ours.std or 0, fmt=marker, color=color, markersize=6)
    axes.set(xlabel=COSTS[cost], ylabel="test accuracy, %", xlim=(0, None))
    grounded(axes, "y")
    _beside(axes, names, [(x, line.ours.mean, line.label) for x, line in drawn])
    return figure


def points(report: Priced, cost: str) -> list[tuple[float, Any]]:
    """What :func:`price` draws, the most accurate first: the mean cost of a line, and the line."""
    spent = {"time": lambda line: line.minutes, "energy": lambda line: line.energy and line.energy.mean}[cost]
    found = [(x, line) for line in report.told() if (x := spent(line)) is not None]
    return sorted(found, key=lambda point: -point[1].ours.mean)


def _beside(axes: Axes, names: Axes, points: Sequence[tuple[float, float, str]]) -> None:
    """A point's name in the panel to the right, in the order of heights, and a thin line from one to the other."""
    names.set_axis_off()
    for rank, (x, y, name) in enumerate(points):
        height = 1 - (rank + 0.5) / len(points)
        line = dict(arrowstyle="-", color="#949494", linewidth=0.6, shrinkB=5, relpos=(0, 0.5))
        words = names.annotate(fill(name, 28), (x, y), (0.0, height), xycoords=axes.transData, va="center",
                               textcoords=names.transAxes, fontsize=SMALL, annotation_clip=False,
                               arrowprops=line)  # fmt: skip
        words.set_in_layout(False)
