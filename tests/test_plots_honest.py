"""Figures that are sharp, whose empty cells are no zeros, and whose axes say where they begin."""

import re
from types import SimpleNamespace as Made

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure
from PIL import Image

from snnbook import plots
from snnbook.errors import UserError
from snnbook.plots.style import HEAVIEST, WIDTH, Picture, panels


@pytest.fixture
def shown(monkeypatch):
    """What a notebook gets of a figure, from a shell that shows the reader's own ones as PNG."""
    formatter, published = DisplayFormatter(), []
    formatter.formatters["image/png"].for_type(Figure, lambda figure: "the reader's")
    monkeypatch.setattr("IPython.display.display", lambda data, raw: published.append(data))

    def show(figure):
        published.clear()
        data, _ = formatter.format(figure)
        return published[0] if published else data

    yield show
    InteractiveShell.clear_instance()


def test_a_figure_is_shown_once_as_svg(shown):
    data = shown(plots.lines([0, 1], {"a": [0, 1]}, "x", "y"))
    assert set(data) == {"image/svg+xml", "text/plain"}
    assert data["image/svg+xml"].startswith("<?xml") and "</svg>" in data["image/svg+xml"]
    assert len(data["image/svg+xml"]) <= HEAVIEST


def test_thousands_of_points_are_shown_as_png_of_twice_the_width(shown, tmp_path):
    generator = torch.Generator().manual_seed(0)
    cloud = torch.rand(2, 20_000, generator=generator)
    data = shown(plots.scatter({"a": (cloud[0], cloud[1])}, "x", "y"))
    assert set(data) == {"image/png", "text/plain"}
    (tmp_path / "a.png").write_bytes(data["image/png"])
    with Image.open(tmp_path / "a.png") as image:
        assert image.width > 1.5 * 120 * WIDTH


def test_the_readers_own_figures_are_left_alone(shown):
    assert shown(Figure())["image/png"] == "the reader's"


def test_the_same_figure_is_the_same_file():
    def draw():
        return plots.heatmaps({"a": [[1.0, 2.0], [3.0, 4.0]]}, "rows", "columns", "numbers")

    for kind in ("svg", "png"):
        assert draw().rendered(kind) == draw().rendered(kind)
    assert isinstance(draw(), Picture)


@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 1000), rows=st.integers(1, 4), columns=st.integers(2, 4))
def test_a_cell_without_a_number_is_empty_and_leaves_the_scale_alone(seed, rows, columns):
    generator = torch.Generator().manual_seed(seed)
    table = torch.rand(rows, columns, generator=generator) + 1
    hidden = torch.rand(rows, columns, generator=generator) < 0.5
    hidden[0, :2] = False
    figure = plots.heatmaps({"a": table.masked_fill(hidden, torch.nan)}, "rows", "columns", "numbers")
    figure.canvas.draw()
    axes = figure.axes[0]
    empty = {(round(p.get_y() + 0.5), round(p.get_x() + 0.5)) for p in axes.patches}
    written = {(round(t.get_position()[1]), round(t.get_position()[0])) for t in axes.texts}
    assert empty == {tuple(place) for place in hidden.nonzero().tolist()}
    assert written == {tuple(place) for place in (~hidden).nonzero().tolist()}
    seen = table[~hidden]
    np.testing.assert_allclose(axes.images[0].get_clim(), (seen.min(), seen.max()), rtol=1e-6)


@settings(deadline=None, max_examples=8)
@given(low=st.floats(-20, 20), high=st.floats(-20, 20))
def test_two_colours_meet_at_zero_where_the_sign_counts(low, high):
    figure = plots.heatmaps({"a": [[low, high]]}, "rows", "columns", "numbers", signed=True)
    (image,) = figure.axes[0].images
    least, greatest = image.get_clim()
    assert least == -greatest and greatest == (max(abs(low), abs(high)) or 1)
    written = [text.get_text() for text in figure.axes[0].texts]
    assert written == [f"{low + 0.0:+.1f}", f"{high + 0.0:+.1f}"]


def test_a_landscape_is_drawn_where_it_is_finite_and_also_if_it_is_flat():
    steps, flat = [-1.0, 0.0, 1.0], torch.ones(3, 3)
    far = torch.tensor([[torch.inf, 2.0, torch.nan], [1.0, 0.0, 1.0], [3.0, 2.0, 3.0]])
    for surface in (flat, far):
        plots.contours(steps, {"a": {"sdt": surface}}, ["sdt"]).canvas.draw()
    for minima, named in (({}, ["sdt"]), ({"a": {"sdt": flat}}, ["tet"]), ({"a": {"sdt": flat}}, [])):
        with pytest.raises(UserError, match="expected each loss of each minimum"):
            plots.contours(steps, minima, named)
    with pytest.raises(UserError, match="two steps or more"):
        plots.contours([0.0], {"a": {"sdt": [[1.0]]}}, ["sdt"])
    with pytest.raises(UserError, match="no finite number"):
        plots.contours(steps, {"a": {"sdt": torch.full((3, 3), torch.nan)}}, ["sdt"])


def test_a_table_of_nothing_is_refused():
    with pytest.raises(UserError, match="no neuron to show"):
        plots.compare_traces({}, {}, 1.0)
    with pytest.raises(UserError, match="T at least 1"):
        plots.frames({"by number": torch.zeros(0, 2, 4, 4)})
    with pytest.raises(UserError, match="not NaN"):
        plots.heatmaps({"a": [[torch.nan]]}, "rows", "columns", "numbers")


def begins(axes, which):
    """Where an axis begins, and where its words say so."""
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    said = re.search(r"\(axis begins at (.+)\)$", getattr(axes, f"get_{which}label")())
    return low, high, None if said is None else float(said.group(1))


@settings(deadline=None, max_examples=40)
@given(low=st.floats(-10, 100), span=st.floats(0.01, 100), which=st.sampled_from(["lines", "x", "y"]))
def test_an_axis_begins_at_zero_or_says_where(low, span, which):
    values = [low, low + span]
    if which == "lines":
        figure, which = plots.lines([1, 2], {"a": values}, "epoch", "accuracy"), "y"
    else:
        places = (values, [0, 1]) if which == "x" else ([0, 1], values)
        figure = plots.scatter({"a": places}, "one", "two", diagonal=True)
    axes = figure.axes[0]
    at, to, said = begins(axes, which)
    assert at <= low and to >= low + span
    assert (said is None) == (at <= 0)
    if said is not None:
        assert at == pytest.approx(said, rel=1e-5)


def test_logarithms_have_no_zero():
    _, (axes,) = panels()
    axes.plot([1, 2], [100, 101])
    axes.set(yscale="log", ylabel="energy")
    plots.style.grounded(axes, "y")
    assert axes.get_ylabel() == "energy" and axes.get_ylim()[0] > 0


def table(profile):
    records = [Made(value=lambda name: 97.0), Made(value=lambda name: 98.0)]
    line = Made(network="snn", paper=95.0, label="row", ours=Made(mean=97.5, records=records))
    return plots.table(Made(lines=[line], profile=profile, which="last"))


def test_a_rehearsal_stands_beside_no_number_of_a_paper():
    assert [len(table(profile).axes) for profile in ("quick", "desk", "lab", "paper")] == [1, 2, 2, 2]


def test_a_table_says_it_of_both_panels():
    for axes in table("desk").axes:
        at, _, said = begins(axes, "x")
        assert at == pytest.approx(said) and 80 < said < 97
