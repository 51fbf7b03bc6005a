"""Two places for a mean: the loss of the mean readout, and the mean of the losses at every moment."""

from matplotlib.figure import Figure
from torch import Tensor

from snnbook import losses
from snnbook.plots.diagrams.primitives import arrow, box, canvas, label, shape, some
from snnbook.plots.style import CURRENT, POTENTIAL, WIDTH, styled

SDT, TET = POTENTIAL, CURRENT  # the colours that curves of the two have, in this order


@styled
def loss_at_every_moment(outputs: Tensor, labels: Tensor) -> Figure:
    """Standard direct training above, temporal efficient training below, with the losses of these readouts.

    Args:
        outputs: readouts ``[T, B, classes]``; of more than four steps, the first two and the last are drawn.
        labels: ``[B]``.
    """
    figure, axes = canvas(4.3)
    steps, middle, centre = some(len(outputs), 4), 2.2, WIDTH / 2
    width = WIDTH / len(steps)
    box(axes, (centre, middle + 1.0), (1.5, 0.42), f"mean over t\n{shape(outputs.mean(0), 'B')}", SDT)
    box(axes, (centre, middle + 1.75), (1.5, 0.42), f"CE with y\n{losses.sdt(outputs, labels):.3f}", SDT)
    arrow(axes, (centre, middle + 1.21), (centre, middle + 1.54), SDT)
    box(
        axes,
        (centre, middle - 1.85),
        (1.5, 0.42),
        f"mean over t\n{losses.every_moment(outputs, labels):.3f}",
        TET,
    )
    for y, name, color, order, error in (
        (1.75, "SDT", SDT, "the mean, then the loss", "one error for all moments:\nS(mean over t) − ŷ"),
        (-1.85, "TET", TET, "the loss, then the mean", "each moment its own error:\nS(O(t)) − ŷ"),
    ):
        label(axes, (centre - 0.9, middle + y), f"{name}\n{order}", color, side="right")
        label(axes, (centre + 0.9, middle + y), error, color, side="left")
    for column, step in enumerate(steps):
        x = (column + 0.5) * width
        if step is None:
            label(axes, (x, middle), "…")
            continue
        box(axes, (x, middle), (1.1, 0.42), f"O({step + 1})\n{shape(outputs[step], 'B')}", "#777777")
        towards = centre + 0.3 * (x - centre)
        arrow(axes, (x, middle + 0.21), (towards, middle + 0.79), SDT)
        arrow(axes, (x, middle - 0.21), (x, middle - 0.69), TET)
        loss = losses.every_moment(outputs[step, None], labels)
        box(axes, (x, middle - 0.9), (1.1, 0.42), f"CE with y\n{loss:.3f}", TET)
        arrow(axes, (x, middle - 1.11), (towards, middle - 1.64), TET)
    return figure
