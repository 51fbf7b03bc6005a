"""Diagrams, each drawn from what it shows: a network's own shapes, a neuron's own derivatives."""

from snnbook.plots.diagrams.attention import attention_between_layers
from snnbook.plots.diagrams.exits import network_with_exits
from snnbook.plots.diagrams.factors import shared_factors
from snnbook.plots.diagrams.folded_time import time_folded
from snnbook.plots.diagrams.moments import loss_at_every_moment
from snnbook.plots.diagrams.parts import architecture
from snnbook.plots.diagrams.reset import gradient_at_reset

__all__ = [
    "architecture",
    "attention_between_layers",
    "gradient_at_reset",
    "loss_at_every_moment",
    "network_with_exits",
    "shared_factors",
    "time_folded",
]
