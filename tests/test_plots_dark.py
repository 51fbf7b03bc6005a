"""Figures on dark pages: words stay readable, what colour maps paint stays as it is."""

import math
import re
from itertools import combinations

import matplotlib

matplotlib.use("Agg")

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex, to_rgb

from snnbook import plots
from snnbook.plots import dark
from snnbook.plots.style import ON_DARK, ON_LIGHT, PALETTE, SERIES, shade, tint

PAGE = dark.dark("#ffffff")


def contrast(one, other):
    """As WCAG has it, from 1 to 21."""

    def luminance(color):
        linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in to_rgb(color)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("color", PALETTE)
def test_lines_and_words_in_colour_are_readable_on_the_page_and_on_tints(color):
    assert contrast(dark.dark(color), PAGE) > 4.5
    word = dark.dark(to_hex(shade(color)))
    assert contrast(word, PAGE) > 4.5
    assert contrast(word, dark.dark(to_hex(tint(color)))) > 4.5


def test_series_are_told_apart_nearly_as_well_as_on_white():
    colors = [each["color"] for each in SERIES]
    for one, other in combinations(colors, 2):
        shown = math.dist(to_rgb(dark.dark(one)), to_rgb(dark.dark(other)))
        assert shown > 0.75 * math.dist(to_rgb(one), to_rgb(other))


@settings(deadline=None, max_examples=40)
@given(level=st.integers(0, 255), other=st.integers(0, 255))
def test_greys_are_turned_round(level, other):
    one, two = (dark.dark(to_hex([x / 255] * 3)) for x in (level, other))
    assert (level < other) <= (one >= two)
    if level == 0:
        assert contrast(one, PAGE) > 15


def test_what_a_colour_map_paints_and_what_stands_on_it_stay():
    svg = (
        plots.heatmaps({"a": torch.tensor([[0.0, 1.0]])}, "row", "column", "number").rendered("svg").decode()
    )
    after = dark.darkened(svg)
    for color in (ON_DARK, ON_LIGHT):
        assert svg.count(color) == after.count(color) == 1
    assert re.findall('data:image/png[^"]*', svg) == re.findall('data:image/png[^"]*', after) != []
    assert "fill: #ffffff" in svg and "fill: #ffffff" not in after


def test_words_in_black_are_turned_too():
    figure = plots.lines([0, 1], {"a": [0, 1]}, "x", "y")
    figure.axes[0].set_title("black", color="black")
    assert f'<svg fill="{dark.dark("#000000")}"' in dark.darkened(figure.rendered("svg").decode())
