"""Figures of time: ratios to a common measure, and the roofline."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from snnbook.plots.style import PALETTE, THRESHOLD, legend, panels, styled


@styled
def ratios(rows: Mapping[str, Mapping[str, float]], base: str) -> Figure:
    """Time of each variant relative to ``base``, with its range over rounds, the slowest below.

    Args:
        rows: by variant, with ``ratio``, ``least`` and ``most``, as :func:`snnbook.bench.ratios` returns them;
            variants that were not measured have none and are left out.
        base: what is 1, for the axis.
    """
    shown = sorted(((name, row) for name, row in rows.items() if "ratio" in row), key=lambda x: x[1]["ratio"])
    figure, (axes,) = panels(height=0.9 + 0.32 * len(shown))
    for y, (name, row) in enumerate(shown):
        color = PALETTE[0] if name.startswith("snnbook") else PALETTE[1]
        axes.hlines(y, row["least"], row["most"], color=color, linewidth=5, alpha=0.35)
        axes.plot([row["ratio"]], [y], "D", color=color, markersize=6)
        axes.annotate(f"{row['ratio']:.2f}", (row["most"], y), xytext=(6, -4), textcoords="offset points")
    axes.axvline(1, color=THRESHOLD, linestyle="--", linewidth=1)
    axes.set(
        yticks=range(len(shown)),
        yticklabels=[name for name, _ in shown],
        ylim=(len(shown) - 0.5, -0.5),
        xlim=(0, 1.1 * max(row["most"] for _, row in shown)),
        xlabel=f"time relative to {base}",
    )
    return figure


@styled
def roofline(operations: Mapping[str, tuple[float, float]], bandwidth: float, peak: float) -> Figure:
    """How fast arithmetic can be, by how much of it is done on each byte moved.

    Args:
        operations: arithmetic (operations) and traffic (bytes) of each kernel, by name.
        bandwidth: bytes a second that memory delivers.
        peak: operations a second that the processor can do.
    """
    figure, (axes,) = panels()
    intensity = np.logspace(-2, 3, 200)
    axes.plot(intensity, np.minimum(bandwidth * intensity, peak) / 1e9, color=THRESHOLD, linestyle="-")
    markers = "Do^sv*"
    for index, (name, (work, traffic)) in enumerate(operations.items()):
        x = work / traffic
        y = min(bandwidth * x, peak) / 1e9
        axes.plot([x], [y], markers[index % 6], color=PALETTE[index], markersize=9, linestyle="", label=name)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="arithmetic per byte moved (operations)",
        ylabel="best speed, billion operations/s",
    )
    legend(axes)
    return figure
