"""An ANN and an SNN of one architecture, with an exit after each stage, where the one teaches the other."""

from copy import deepcopy

import torch
from matplotlib.figure import Figure
from torch import Tensor

from snnbook.backbones import MultiExit
from snnbook.folding import SpikingNetwork, fold
from snnbook.plots.diagrams.primitives import SHAPES, arrow, box, canvas, label, shape
from snnbook.plots.style import CURRENT, PALETTE, POTENTIAL, WIDTH, styled

ANN, SNN, LABEL = CURRENT, POTENTIAL, PALETTE[2]
HEIGHT = 4.5


@styled
def network_with_exits(ann: MultiExit, snn: SpikingNetwork, images: Tensor) -> Figure:
    """The ANN above, the SNN below, their exits between them, with the shapes that ``images`` have on their way.

    Args:
        ann: a network with exits.
        snn: its spiking twin, a network with exits inside; both are left as they are.
        images: ``[B, C, H, W]``.
    """
    ann, snn = deepcopy(ann).eval(), deepcopy(snn).eval()
    with torch.no_grad():
        layers = (
            ann.backbone.features(images),
            [fold(x) for x in snn.run(snn.backbone.backbone.features, images)],
        )
        logits = ann(images)[0], snn.run(snn.backbone, images)[0]
    figure, axes = canvas(HEIGHT)
    width, middle = WIDTH / len(layers[0]), HEIGHT / 2
    for name, color, side, features, answers, leading in (
        ("ANN", ANN, 1, layers[0], logits[0], ("B",)),
        ("SNN", SNN, -1, layers[1], logits[1], ("T", "B")),
    ):
        row, exits = middle + side * 1.65, middle + side * 0.62
        words = f"{name}: images {shape(images, 'B')}" + (", shown at T steps" if name == "SNN" else "")
        label(axes, (0.12, row + side * 0.42), words, color, side="left")
        without = len(features) - len(answers)  # stages with no exit, the stem among them
        for column, x in enumerate(features):
            at = (column + 0.5) * width
            text = "stem" if column == 0 else f"stage {column}"
            box(axes, (at, row), (width - 0.3, 0.36), text, color)
            if column:
                arrow(axes, (at - width / 2 - 0.15, row), (at - width / 2 + 0.15, row), color)
            label(axes, (at, row - side * 0.3), shape(x, "*".join(leading)), size=7.5)
            if column < without:
                continue
            arrow(axes, (at, row - side * 0.42), (at, exits + side * 0.24), color)
            text = f"exit {column}\n{shape(answers[column - without], *leading)}"
            box(axes, (at, exits), (width - 0.3, 0.48), text, color)
            if side > 0:
                arrow(axes, (at, exits - 0.24), (at, middle - 0.38), LABEL)
                label(axes, (at + 0.07, middle), "KL, norm", LABEL, SHAPES, "left")
    words = "labels teach\nall exits;\nthe ANN's teach\nthe SNN's,\nmean over T"
    label(axes, (width / 2, middle), words, LABEL, SHAPES)
    return figure
