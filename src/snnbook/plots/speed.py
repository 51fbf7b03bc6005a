"""Figures of time: ratios to a common measure, the roofline, and a step layer by layer."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from snnbook.errors import UserError
from snnbook.plots.style import PALETTE, THRESHOLD, legend, panels, styled

KINDS = {"Conv2d": "convolution", "BatchNorm2d": "BatchNorm", "LIF": "neurons", "MaxPool2d": "max-pooling"}
COLORS = dict(zip([*KINDS.values(), "all else"], [*PALETTE[:4], THRESHOLD], strict=True))


@styled
def ratios(rows: Mapping[str, Mapping[str, float]], base: str) -> Figure:
    """Time of each variant relative to ``base``, with its range over rounds, the slowest below.

    Args:
        rows: by variant, with ``ratio``, ``least`` and ``most``, as :func:`snnbook.bench.ratios` returns them;
            variants that were not measured have none and are left out.
        base: what is 1, for the axis.

    Raises:
        UserError: no variant was measured.
    """
    shown = sorted(((name, row) for name, row in rows.items() if "ratio" in row), key=lambda x: x[1]["ratio"])
    if not shown:
        raise UserError("no variant was measured; expected one or more with a ratio")
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
        axes.plot(
            [x],
            [y],
            markers[index % 6],
            color=PALETTE[index % len(PALETTE)],
            markersize=9,
            linestyle="",
            label=name,
        )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="arithmetic per byte moved (operations)",
        ylabel="best speed, billion operations/s",
    )
    legend(axes)
    return figure


@styled
def layer_times(rows: Sequence[Mapping[str, float | str]]) -> Figure:
    """A training step in the order it happens: every layer forward, every layer backward, the optimizer.

    Args:
        rows: a layer each, as :func:`snnbook.bench.layer_times` returns them, in seconds.

    Raises:
        UserError: no layers, or none that took time.
    """
    whole = sum(row["forward"] + row["backward"] for row in rows)
    if not whole > 0:
        raise UserError(f"{len(rows)} layers took {whole:g} s; expected one or more that took time")
    figure, (axes,) = panels(height=2.6)
    kinds = [KINDS.get(row["kind"], "all else") for row in rows]
    for y, (way, direction) in enumerate((("forward", 1), ("backward", -1))):
        widths = 1000 * np.array([row[way] for row in rows])[::direction]
        colors = [COLORS[kind] for kind in kinds[::direction]]
        left = np.cumsum(widths) - widths
        axes.barh([y] * len(rows), widths, 0.6, left, color=colors, edgecolor="white", linewidth=0.6)
    for kind, color in COLORS.items():
        share = sum(row["forward"] + row["backward"] for row, k in zip(rows, kinds, strict=True) if k == kind)
        axes.barh([0], [0], color=color, label=f"{kind}, {share / whole:.0%}")
    axes.set(yticks=(0, 1), yticklabels=("forward", "backward"), ylim=(1.5, -0.5), xlabel="milliseconds")
    legend(axes)
    return figure
