"""What is asked of every diagram: that words can be read and nothing covers them, and whose shapes they are."""

import re

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from snnbook.plots.style import WIDTH


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts if text.get_text()]


def extent(artist):
    """Left, lower, right and upper end in inches."""
    return np.array(artist.get_window_extent().extents) / artist.figure.dpi


def overlap(a, b):
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


def inside(a, b):
    return (a[:2] >= b[:2]).all() and (a[2:] <= b[2:]).all()


def nothing_is_covered_or_cut(figure):
    (axes,) = figure.axes
    assert figure.get_figwidth() == WIDTH
    page = np.array([0, 0, WIDTH, figure.get_figheight()])
    texts = {text.get_text(): extent(text) for text in axes.texts if text.get_text()}
    places = [extent(text) for text in axes.texts if text.get_text()]
    for i, place in enumerate(places):
        assert not any(overlap(place, other) for other in places[i + 1 :])
    boxes = [extent(patch) for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    for text, place in texts.items():
        assert inside(place, page), text
        for around in boxes:
            assert inside(place, around) or not overlap(place, around), text
    for number, one in enumerate(boxes):
        assert inside(one, page) and not any(overlap(one, other) for other in boxes[number + 1 :])
    for bar in (extent(p) for p in axes.patches if isinstance(p, Rectangle)):
        assert not any(overlap(bar, place) for place in [*places, *boxes])
    for path in (p for p in axes.patches if isinstance(p, FancyArrowPatch)):
        line = path.get_path().interpolated(20).vertices
        for text, (left, low, right, high) in texts.items():
            met = (line[:, 0] > left) & (line[:, 0] < right) & (line[:, 1] > low) & (line[:, 1] < high)
            assert not met.any(), text


def can_be_read_on_white(figure):
    for text in figure.axes[0].texts:
        light = [
            x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in to_rgb(text.get_color())
        ]
        luminance = 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2]
        assert 1.05 / (luminance + 0.05) >= 4.5, text.get_text()


def shapes(figure, **names):
    """Every shape in the words, its letters replaced by numbers."""
    found = re.findall(r"\[([^\]=]*,[^\]]*)\]", " ".join(words(figure)))
    for name, number in names.items():
        found = [re.sub(rf"\b{name}\b", str(number), shape) for shape in found]
    return [tuple(eval(part) for part in shape.split(",")) for shape in found]  # T*B is a product
