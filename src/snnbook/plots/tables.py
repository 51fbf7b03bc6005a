"""Figures of the papers' tables, from run records."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from matplotlib.figure import Figure

from snnbook.errors import UserError
from snnbook.plots.style import PALETTE, grounded, legend, logarithmic, panels, styled


class Rows(Protocol):
    """What is drawn of a table: see :class:`snnbook.experiments.Report`."""

    lines: Sequence[Any]
    profile: str
    which: str


@styled
def table(report: Rows, network: str = "snn") -> Figure:
    """Accuracies of one network over a table's rows: ours with every seed; the paper's, if any, in a panel beside.

    A rehearsal, the quick profile, has no panel of the paper's.

    Args:
        report: from :func:`snnbook.experiments.report`; rows without a record show the paper's alone.
        network: ``"snn"`` or ``"ann"``.
    """
    lines = [line for line in report.lines if line.network == network]
    rehearsed = report.profile == "quick"  # one seed on small data: nothing to set beside a paper's number
    printed = not rehearsed and any(line.paper is not None for line in lines)
    figure, (ours, *paper) = panels(1, 1 + printed, height=0.8 + 0.36 * len(lines), sharey=True)
    for y, line in enumerate(lines):
        if line.ours is not None:
            seeds = [record.value(f"{network}.{report.which}") for record in line.ours.records]
            ours.plot(seeds, [y] * len(seeds), "o", color=PALETTE[0], alpha=0.35, markersize=5)
            ours.plot([line.ours.mean], [y], "D", color=PALETTE[0], markersize=7)
        if printed and line.paper is not None:
            paper[0].plot([line.paper], [y], "D", color=PALETTE[1], markersize=7)
    ours.set(
        yticks=range(len(lines)),
        yticklabels=[line.label for line in lines],
        ylim=(len(lines) - 0.5, -0.5),
        xlabel="accuracy, %",
        title=f"ours, {report.profile} profile",
    )
    for axes in paper:
        axes.set(xlabel="accuracy, %", title="paper, its own data")
    for axes in (ours, *paper):
        if axes.lines:
            grounded(axes, "x")
    return figure


@styled
def energies(computation: Mapping[str, float], movement: Mapping[str, tuple[float, float]]) -> Figure:
    """Energy of one inference: of the arithmetic (a diamond), and of moving data (a range), on a logarithmic axis.

    Args:
        computation: microjoules by network.
        movement: least and most microjoules by network, the same names.

    Raises:
        UserError: no network, or other names.
    """
    if not computation or not computation.keys() <= movement.keys():
        names = f"{', '.join(computation) or 'none'}, of their data of {', '.join(movement) or 'none'}"
        raise UserError(f"energies are of networks {names}; expected one or more, the same in both")
    figure, (axes,) = panels(height=0.9 + 0.45 * len(computation))
    rows = range(len(computation))
    axes.plot(list(computation.values()), rows, "D", color=PALETTE[0], zorder=3, label="arithmetic")
    least, most = zip(*(movement[name] for name in computation), strict=True)
    axes.hlines(rows, least, most, color=PALETTE[1], linewidth=5, alpha=0.6, label="moving data")
    logarithmic(axes)
    axes.set(
        yticks=rows,
        yticklabels=list(computation),
        ylim=(len(computation) - 0.5, -0.5),
        xlabel="energy of one inference, µJ",
    )
    legend(axes)
    return figure
