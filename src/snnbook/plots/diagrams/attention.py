"""Attention of a student's layers, at each step, over a teacher's."""

from matplotlib.figure import Figure
from torch import Tensor

from snnbook.errors import UserError
from snnbook.plots.diagrams.primitives import SHAPES, arrow, box, canvas, label, shape
from snnbook.plots.style import CURRENT, PALETTE, POTENTIAL, SPIKE, WIDTH, styled

STUDENT, TEACHER = POTENTIAL, CURRENT
COLORS = (SPIKE, PALETTE[2], PALETTE[4], PALETTE[5], PALETTE[7])
ROW = 0.62


@styled
def attention_between_layers(student: list[Tensor], teacher: list[Tensor], attention: Tensor) -> Figure:
    """What each layer of the student takes from each of the teacher's, at the first and the last step.

    The thicker an arrow, the more attention, the mean over images; the numbers are in the student's boxes.

    Args:
        student: features ``[T, B, C, H, W]``, S layers.
        teacher: features ``[B, C, H, W]``, K layers.
        attention: ``[T, B, S, K]``.

    Raises:
        UserError: attention for other layers, steps or images.
    """
    expected = [*student[0].shape[:2], len(student), len(teacher)]
    if list(attention.shape) != expected:
        raise UserError(f"attention has shape {list(attention.shape)}; expected {expected}, [T, B, S, K]")
    mean = attention.detach().mean(1)
    rows = [(t, i) for t in sorted({0, len(mean) - 1}) for i in range(len(student))]
    height = 0.9 + ROW * max(len(rows), len(teacher))
    figure, axes = canvas(height)
    label(axes, (1.45, height - 0.2), "student's layers, at each step", STUDENT)
    label(axes, (5.9, height - 0.2), "teacher's layers", TEACHER)
    label(axes, (3.8, height - 0.2), "softmax of q · k", size=SHAPES)
    right = [height - 0.45 - (j + 0.5) * ROW * len(rows) / len(teacher) for j in range(len(teacher))]
    for j, (y, features) in enumerate(zip(right, teacher, strict=True)):
        box(axes, (5.9, y), (1.7, 0.48), f"layer {j + 1}: k\n{shape(features, 'B')}", TEACHER)
    for row, (t, i) in enumerate(rows):
        y = height - 0.45 - (row + 0.5) * ROW
        shares = mean[t, i].tolist()
        numbers = ", ".join(f"{share:.2f}" for share in shares)
        text = f"t = {t + 1}, layer {i + 1}: q   {shape(student[i][t], 'B')}\nα = {numbers}"
        box(axes, (1.45, y), (2.6, 0.48), text, STUDENT)
        for j, share in enumerate(shares):
            end = y + 0.1 * ((len(shares) - 1) / 2 - j)
            arrow(axes, (5.05, right[j]), (2.76, end), COLORS[j % len(COLORS)], width=0.3 + 4 * share)
    words = "T = {}, B = {}, S = {}, K = {}".format(*attention.shape)
    label(
        axes, (WIDTH / 2, 0.2), f"{words}; the α of a row sum to 1; a mean over images is shown", size=SHAPES
    )
    return figure
