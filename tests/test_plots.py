"""Each plotting function gives one figure of the book's width, with named axes, and shows what it was given."""

from itertools import pairwise

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from snnbook import plots, surrogates
from snnbook.errors import UserError
from snnbook.experiments import report
from snnbook.plots.style import PALETTE, WIDTH

T = 8
CURRENT = torch.full((T,), 0.4)
POTENTIAL = torch.tensor([0.4, 0.5] * (T // 2))
SPIKES = torch.tensor([0.0, 1.0] * (T // 2))

STEPS = torch.linspace(-1, 1, 5)
BOWL = STEPS[:, None] ** 2 + STEPS[None, :] ** 2
SURFACES = {"SDT": {"sdt": 2 * BOWL, "tet": 3 * BOWL}, "TET": {"sdt": BOWL, "tet": BOWL}}

FIGURES = {
    "trace": lambda: plots.trace(CURRENT, POTENTIAL, SPIKES, 0.5),
    "trace with reset": lambda: plots.trace(CURRENT, POTENTIAL, SPIKES, 0.5, after=POTENTIAL * (1 - SPIKES)),
    "compare_traces": lambda: plots.compare_traces(
        {"a": POTENTIAL, "b": CURRENT}, {"a": SPIKES, "b": 0 * SPIKES}, 0.5
    ),
    "firing_rates": lambda: plots.firing_rates(torch.arange(4.0), {"LIF": torch.arange(4.0)}, 1.5),
    "surrogates": lambda: plots.surrogates([surrogates.Triangle(), surrogates.ATan()]),
    "potentials": lambda: plots.potentials({"layer": torch.randn(4, 10)}, surrogates.Rectangle()),
    "ratios": lambda: plots.ratios(
        {"snnbook": {"ratio": 1.0, "least": 0.9, "most": 1.2}, "other": {"absent": "not installed"}},
        "the limit",
    ),
    "layer_times": lambda: plots.layer_times(
        [
            {"layer": "stem", "kind": "Conv2d", "forward": 0.002, "backward": 0.004},
            {"layer": "optimizer", "kind": "Adam", "forward": 0.001, "backward": 0.0},
        ]
    ),
    "roofline": lambda: plots.roofline({"copy": (1, 8), "convolution": (1e3, 8)}, 1e10, 1e11),
    "lines": lambda: plots.lines(range(3), {"loss": [3, 2, 1]}, "update", "cross-entropy", markers=True),
    "lines with bands": lambda: plots.lines(
        [1, 2, 4], {"SDT": [[1, 2, 3], [2, 3, 5]]}, "T", "accuracy", doubling=True, events={"trained": 2}
    ),
    "scatter": lambda: plots.scatter(
        {"SDT": ([1, 2], [3, 4]), "TET": ([2], [5])}, "moments", "whole", diagonal=True, connect=True
    ),
    "contours": lambda: plots.contours(STEPS, SURFACES, ["sdt", "tet"]),
    "heatmaps": lambda: plots.heatmaps(
        {"SDT": torch.rand(2, 3), "SASTC": torch.rand(2, 3)}, "student layer", "teacher layer", "STM"
    ),
    "activation_maps": lambda: plots.activation_maps(
        torch.rand(4, 1, 8, 8), {"student": torch.rand(4, 8, 8), "teacher": torch.rand(4, 8, 8)}
    ),
    "events": lambda: plots.events([[0, 1, 2, 0], [1000, 1, 2, 1], [2000, 3, 0, 1]]),
    "frames": lambda: plots.frames({"by number": torch.rand(3, 2, 8, 8), "by time": torch.rand(2, 2, 8, 8)}),
    "table": lambda: plots.table(report("joint-table4")),
    "energies": lambda: plots.energies({"ANN": 10.0, "SNN": 2.0}, {"ANN": (1.0, 10.0), "SNN": (2.0, 20.0)}),
}

PICTURES = {"activation_maps": ["image", "student", "teacher"], "frames": ["by number", "by time"]}


@pytest.mark.parametrize("name", FIGURES)
def test_figure_has_labelled_axes_and_the_books_width(name):
    before, open_figures = dict(plt.rcParams), plt.get_fignums()
    figure = FIGURES[name]()
    figure.canvas.draw()
    assert isinstance(figure, Figure)
    assert figure.get_figwidth() == WIDTH
    for axes in [] if name in PICTURES else figure.axes:  # a vertical axis has a label, or words for ticks
        words = "".join(label.get_text() for label in axes.get_yticklabels())
        shared = axes.get_shared_y_axes().joined(axes, figure.axes[0])
        assert axes.get_ylabel() or shared or any(letter.isalpha() for letter in words)
    if name in PICTURES:  # which have no units
        assert [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()] == PICTURES[name]
        return
    placed = [axes for axes in figure.axes if axes.get_subplotspec() is not None]  # all but a colour bar's
    bottom = [axes for axes in placed if axes.get_subplotspec().is_last_row()]
    assert any(axes.get_xlabel() for axes in bottom)
    # A notebook shows the figure once, and the reader's own settings stay theirs.
    assert plt.get_fignums() == open_figures
    assert dict(plt.rcParams) == before


@pytest.mark.parametrize(
    "module", [f"snnbook.plots.{name}" for name in ("curves", "neuron", "landscape", "heat", "event_data")]
)
def test_every_function_is_tested(module):
    public = {name for name in plots.__all__ if getattr(plots, name).__module__ == module}
    assert public
    assert public <= {name.split()[0] for name in FIGURES}


def test_trace_draws_a_tick_for_each_spike():
    raster = FIGURES["trace"]().axes[-1]
    assert raster.collections[0].get_positions() == [2, 4, 6, 8]


def test_lines_draw_the_values():
    (line,) = FIGURES["lines"]().axes[0].lines
    assert list(line.get_ydata()) == [3, 2, 1]


def test_few_values_are_the_ticks():
    def ticks(x):
        return list(plots.lines(x, {"a": [*x]}, "x", "y", markers=True).axes[0].get_xticks())

    assert ticks((0, 20, 50)) == [0, 20, 50]
    assert len(ticks(range(100))) < 20


def test_series_differ_in_more_than_colour():
    series = {str(i): [0, i] for i in range(6)}
    drawn = plots.lines([0, 1], series, "x", "y").axes[0].lines
    assert len({line.get_color() for line in drawn}) == len({str(line._dash_pattern) for line in drawn}) == 6


def test_names_may_outnumber_the_colours():
    names = [str(i) for i in range(23)]
    clouds = plots.scatter({name: ([1], [2]) for name in names}, "x", "y")
    kernels = plots.roofline({name: (1, 8) for name in names}, 1e10, 1e11)
    layers = plots.potentials({name: torch.zeros(2) for name in names}, surrogates.Triangle())
    for legend in (clouds.axes[0].get_legend(), kernels.axes[0].get_legend(), layers.legends[0]):
        assert {text.get_text() for text in legend.get_texts()} >= set(names)


def test_shares_of_potentials_sum_to_one():
    axes = FIGURES["potentials"]().axes[0]
    heights = [patch.get_height() for patch in axes.patches if hasattr(patch, "get_height")]
    assert sum(heights) == pytest.approx(1)


def test_potentials_out_of_reach_are_in_the_outermost_bars():
    axes = plots.potentials({"far": [-9.0, -0.1, 9.0, 10.0]}, surrogates.Triangle(), reach=2.0).axes[0]
    heights = [bar.get_height() for bar in axes.patches[:48]]
    assert (heights[0], heights[-1], sum(heights)) == (0.25, 0.5, 1)


def test_layers_lie_in_the_order_of_a_step():
    bars = FIGURES["layer_times"]().axes[0].patches[:4]
    ends = [bar.get_x() + part * bar.get_width() for bar in bars for part in (0, 1)]
    assert ends == pytest.approx([0, 2, 2, 3, 0, 0, 0, 4])  # forward, and backward the last layer first


def test_no_kernel_is_faster_than_memory_and_processor_allow():
    kernels = FIGURES["roofline"]().axes[0].lines[1:]
    assert [line.get_ydata()[0] for line in kernels] == pytest.approx([1.25, 100])


def test_the_slowest_variant_stands_below():
    rows = {name: {"ratio": x, "least": x, "most": x} for name, x in (("slow", 3.0), ("fast", 1.0))}
    axes = plots.ratios(rows, "the limit").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["fast", "slow"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]


@pytest.mark.parametrize(("least", "most"), [(0.2, 1.7), (0.37, 3.7), (0.37, 44), (2, 3)])
def test_numbers_of_a_short_logarithmic_axis_keep_apart(least, most):
    figure = plots.energies({"ANN": least, "SNN": most}, {"ANN": (least, most), "SNN": (least, most)})
    figure.rendered("png")  # with the layout of a page
    axes = figure.axes[0]
    labels = (*axes.xaxis.get_majorticklabels(), *axes.xaxis.get_minorticklabels())
    boxes = sorted(
        (label.get_window_extent() for label in labels if label.get_text()), key=lambda box: box.x0
    )
    inside = [box for box in boxes if axes.bbox.x0 <= (box.x0 + box.x1) / 2 <= axes.bbox.x1]
    assert len(inside) > 1
    assert all(one.x1 < other.x0 for one, other in pairwise(inside))


def test_energies_are_a_point_and_a_range_of_each_network():
    axes = FIGURES["energies"]().axes[0]
    assert list(axes.lines[0].get_xdata()) == [10, 2]
    assert [tuple(ends[:, 0]) for ends in axes.collections[0].get_segments()] == [(1, 10), (2, 20)]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.trace(CURRENT, POTENTIAL[:-1], SPIKES, 0.5),
        lambda: plots.trace(CURRENT[:, None], POTENTIAL, SPIKES, 0.5),
        lambda: plots.compare_traces({"a": POTENTIAL}, {"b": SPIKES}, 0.5),
        lambda: plots.lines(range(3), {"loss": [1, 2]}, "update", "loss"),
        lambda: plots.heatmaps({"a": torch.rand(3)}, "rows", "columns", "numbers"),
        lambda: plots.activation_maps(torch.rand(2, 1, 8, 8), {"a": torch.rand(2, 4, 4)}),
        lambda: plots.contours(STEPS[1:], SURFACES, ["sdt"]),
        lambda: plots.events(torch.rand(4, 3)),
        lambda: plots.frames({"a": torch.rand(4, 3, 8, 8)}),
        lambda: plots.scatter({"a": ([1, 2, 3], [1, 2])}, "x", "y"),
        lambda: plots.ratios({}, "base"),
        lambda: plots.ratios({"a": {"absent": "not installed"}}, "base"),
        lambda: plots.layer_times([]),
        lambda: plots.layer_times([{"layer": "a", "kind": "LIF", "forward": 0.0, "backward": 0.0}]),
        lambda: plots.energies({}, {}),
        lambda: plots.energies({"ANN": 10.0}, {"SNN": (1.0, 2.0)}),
    ],
)
def test_shapes_that_do_not_fit(draw):
    with pytest.raises(UserError, match="expected"):
        draw()


def test_bands_reach_from_the_least_run_to_the_greatest():
    axes = FIGURES["lines with bands"]().axes[0]
    (band,) = axes.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (1, 5)
    assert list(axes.lines[0].get_ydata()) == [1.5, 2.5, 4]


def test_landscapes_share_one_scale_from_the_least_loss_to_the_greatest():
    surfaces = {"SDT": {"sdt": BOWL + 1}, "TET": {"sdt": 3 * BOWL + 2}}
    for axes in plots.contours(STEPS, surfaces, ["sdt"]).axes[:2]:
        levels = axes.collections[0].levels
        assert (levels[0], levels[-1]) == (1, 8)


def test_events_are_drawn_as_off_and_on_where_they_were():
    drawn = plots.events([[0, 1, 2, 0], [5000, 3, 4, 1]]).axes
    for axes, places in zip(drawn, ((1, 3), (2, 4)), strict=True):
        found = {line.get_label(): (*line.get_xdata(), *line.get_ydata().round()) for line in axes.lines}
        assert found == {"OFF: darker": (0, places[0]), "ON: brighter": (5, places[1])}


def test_frames_are_blue_where_off_and_orange_where_on():
    (image,) = plots.frames({"a": [[[[1, 0]], [[0, 1]]]]}).axes[0].images
    assert image.get_array()[0].tolist() == [pytest.approx(to_rgb(color)) for color in PALETTE[:2]]
