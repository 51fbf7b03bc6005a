"""Every figure of the book: one call gives one ``matplotlib`` figure, in one style and one width.

A function returns its figure and shows nothing; a notebook shows it when it is the last expression of a cell.
"""

from snnbook.plots.compared import forest, price
from snnbook.plots.curves import lines, scatter
from snnbook.plots.diagrams import (
    architecture,
    attention_between_layers,
    gradient_at_reset,
    loss_at_every_moment,
    network_with_exits,
    shared_factors,
    time_folded,
)
from snnbook.plots.event_data import events, frames
from snnbook.plots.heat import activation_maps, heatmaps
from snnbook.plots.landscape import contours
from snnbook.plots.learning import learning_curves
from snnbook.plots.neuron import compare_traces, firing_rates, potentials, surrogates, trace
from snnbook.plots.pictures import images
from snnbook.plots.rasters import raster
from snnbook.plots.speed import layer_times, ratios, roofline
from snnbook.plots.tables import energies, table

__all__ = [
    "activation_maps",
    "architecture",
    "attention_between_layers",
    "compare_traces",
    "contours",
    "energies",
    "events",
    "firing_rates",
    "forest",
    "frames",
    "gradient_at_reset",
    "heatmaps",
    "images",
    "layer_times",
    "learning_curves",
    "lines",
    "loss_at_every_moment",
    "network_with_exits",
    "potentials",
    "price",
    "raster",
    "ratios",
    "roofline",
    "scatter",
    "shared_factors",
    "surrogates",
    "table",
    "time_folded",
    "trace",
]
