"""One pair of singular vectors, two spectra: the weights of an ANN and an SNN."""

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from snnbook.factorized import Factors
from snnbook.plots.diagrams.primitives import SHAPES, arrow, box, canvas, label, shape
from snnbook.plots.style import CURRENT, PALETTE, POTENTIAL, styled

ANN, SNN, SHARED = CURRENT, POTENTIAL, PALETTE[4]
ROWS = {"ANN": (2.4, ANN), "SNN": (1.2, SNN)}  # heights, in inches


@styled
def shared_factors(factors: Factors) -> Figure:
    """U and V, which two networks share, between them each network's singular values, behind them its weights.

    Args:
        factors: of one layer; the bars are the singular values at the middle position of its kernel.
    """
    figure, axes = canvas(3.4)
    box(axes, (0.85, 1.8), (1.3, 2.2), f"U\n{shape(factors.u)}", SHARED)
    box(axes, (4.1, 1.8), (1.3, 2.2), f"V\n{shape(factors.v)}", SHARED)
    spectra = factors.spectrum_ann.detach(), factors.spectrum_snn.detach()  # [k*k, r] each
    at = len(spectra[0]) // 2
    shown = torch.stack([spectrum[at] for spectrum in spectra])
    low, high = min(0.0, float(shown.min())), max(0.0, float(shown.max()))
    for (name, (y, color)), spectrum, weight in zip(ROWS.items(), spectra, factors.compose(), strict=True):
        arrow(axes, (1.5, y), (1.75, y), color)
        _bars(axes, spectrum[at], low, high, y, color)
        label(axes, (2.47, y - 0.46), f"σ {name} {shape(spectrum)}", color, SHAPES)
        arrow(axes, (3.2, y), (3.45, y), color)
        arrow(axes, (4.75, y), (5.15, y), color)
        box(axes, (6.0, y), (1.7, 0.8), f"W {name}\n{shape(weight)}", color)
    label(axes, (0.85, 3.15), "of both networks", SHARED, SHAPES)
    label(axes, (4.1, 3.15), "of both networks", SHARED, SHAPES)
    label(axes, (2.47, 3.15), "each network's own", size=SHAPES)
    label(axes, (6.0, 3.15), "what the layers read", size=SHAPES)
    label(axes, (0.2, 0.3), _axes_of(factors), size=SHAPES, side="left")
    return figure


def _bars(axes: Axes, values: Tensor, low: float, high: float, y: float, color: str) -> None:
    """Singular values as bars on a line at 0, between the least and the greatest of both networks."""
    scale = 0.6 / max(high - low, 1e-12)  # inches
    zero, width = y - 0.25 - scale * low, 1.3 / len(values)
    for number, value in enumerate(values.tolist()):
        place = 1.82 + number * width, zero
        axes.add_patch(Rectangle(place, 0.75 * width, scale * value, facecolor=color, linewidth=0))
    axes.plot([1.8, 3.13], [zero, zero], color=color, linewidth=0.8, linestyle="-")


def _axes_of(factors: Factors) -> str:
    rank, thin = factors.spectrum_ann.shape[1], factors.u.shape[2] == factors.v.shape[1]
    vectors = "[k*k, out, r], [k*k, r, in]" if thin else "[k*k, out, out], [k*k, in, in]"
    return f"U and V are {vectors}, σ is [k*k, r]; a matrix at each kernel position, r = {rank}"
