"""Pictures of a network and what passes through it: its images, its parts, its spikes layer by layer."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.patches import Rectangle
from torch import nn

from bad_input import one_line
from diagram_cases import can_be_read_on_white, nothing_is_covered_or_cut, shapes, words
from snnbook import neurons, plots
from snnbook.folding import unfold


class Network(nn.Module):
    """A spiking network as chapter 3 writes it, of so many stages."""

    def __init__(self, time_steps=4, channels=16, stages=2):
        super().__init__()
        self.time_steps = time_steps
        self.stem = nn.Sequential(nn.Conv2d(1, channels, 3, padding=1), nn.BatchNorm2d(channels))
        self.encode = neurons.preset("tet", time_steps=time_steps)
        self.stages = nn.ModuleList(self.stage(channels, time_steps) for _ in range(stages))
        self.head = nn.LazyLinear(10)

    @staticmethod
    def stage(channels, time_steps):
        conv = nn.Conv2d(channels, channels, 3, padding=1)
        lif = neurons.preset("tet", time_steps=time_steps)
        return nn.Sequential(conv, nn.BatchNorm2d(channels), lif, nn.MaxPool2d(2))

    def forward(self, images):
        x = self.encode(self.stem(images).repeat(self.time_steps, 1, 1, 1))
        for stage in self.stages:
            x = stage(x)
        return unfold(self.head(x.flatten(1)), self.time_steps)


def network(*settings, images=None):
    found = Network(*settings)
    found(torch.rand(2, 1, 8, 8) if images is None else images)  # so that the classifier has a shape
    return found


@given(st.integers(2, 9), st.integers(1, 128), st.integers(0, 2), st.integers(1, 5))
@settings(deadline=None, max_examples=10)
def test_an_architecture_has_the_network_s_shapes_and_leaves_it_alone(steps, channels, stages, batch):
    images = torch.rand(batch, 1, 8, 8)
    drawn = network(steps, channels, stages, images=images)
    before = {name: x.clone() for name, x in drawn.state_dict().items()}
    figure = plots.architecture(drawn, images)
    figure.canvas.draw()
    assert drawn.training and all(torch.equal(x, before[name]) for name, x in drawn.state_dict().items())
    assert not any(module._forward_hooks for module in drawn.modules())
    sides = [8 // 2**i for i in range(stages + 1)]
    expected = [(batch, 1, 8, 8), (batch, channels, 8, 8)]
    expected += [(steps * batch, channels, side, side) for side in sides]
    expected += [(steps * batch, 10), (batch, 10)]
    assert shapes(figure, T=steps, B=batch) == expected
    parts = ["stem", "encode", *(f"stages[{i}]" for i in range(stages)), "head", "mean"]
    named = [text.split("\n") for text in words(figure) if "\n" in text]
    assert [name for name, *_ in named] == parts
    assert named[0][1:] == ["Conv2d", "BatchNorm2d"] and named[1][1:] == ["LIF"]


@pytest.mark.parametrize("settings", [(4,), (9, 128, 2), (2, 1, 0)])
def test_no_word_of_an_architecture_is_covered(settings):
    figure = plots.architecture(network(*settings), torch.rand(2, 1, 8, 8))
    figure.canvas.draw()
    nothing_is_covered_or_cut(figure)
    can_be_read_on_white(figure)


def test_a_square_stands_for_the_maps_of_a_step_and_shrinks_with_them():
    figure = plots.architecture(network(3), torch.rand(2, 1, 8, 8))
    widths = [patch.get_width() for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    assert len(widths) == 2 + 3 * 4 + 1  # before time and after it one, else one for each of three steps
    squares = widths[:2] + widths[2:11:3]
    assert squares == sorted(squares, reverse=True) and squares[2] > squares[3] > squares[4]


def test_what_is_no_architecture():
    images = torch.rand(2, 1, 8, 8)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    one_line(lambda: plots.architecture(flat, images), "[2, 10]", "[T, B, classes]")
    many = Network(2, 2, 4)
    many(torch.rand(2, 1, 16, 16))
    one_line(lambda: plots.architecture(many, torch.rand(2, 1, 16, 16)), "7 parts", "1 to 6")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["bytes", "shares"])
def test_images_are_shown_as_they_are(channels, kind):
    pixels = torch.randint(0, 256, (5, channels, 8, 6), dtype=torch.uint8)
    figure = plots.images(pixels if kind == "bytes" else pixels / 255, torch.arange(5))
    assert [axes.get_title() for axes in figure.axes] == list("01234")
    for axes, image in zip(figure.axes, pixels, strict=True):
        (drawn,) = axes.images
        wanted = (image.permute(1, 2, 0) / 255).expand(-1, -1, 3)
        np.testing.assert_allclose(drawn.get_array(), wanted, atol=1e-6)


@pytest.mark.parametrize("kind", [torch.uint8, torch.int64, np.uint8])
def test_dark_bytes_stay_dark(kind):
    dark = torch.tensor([[[[0, 1], [0, 0]]]])
    pixels = dark.numpy().astype(kind) if kind is np.uint8 else dark.to(kind)
    for figure in (plots.images(pixels, ["dark"]), plots.activation_maps(pixels, {})):
        assert figure.axes[0].images[0].get_array().max() == pytest.approx(1 / 255)
    white = plots.images(dark.float(), ["white"])
    assert white.axes[0].images[0].get_array().max() == 1


@pytest.mark.parametrize("kind", [lambda x: x, list, np.asarray])
def test_labels_may_be_any_numbers(kind):
    figure = plots.images(torch.rand(2, 1, 4, 4), kind(torch.tensor([1.0, 2.5])))
    assert [axes.get_title() for axes in figure.axes] == ["1.0", "2.5"]


def test_labels_may_be_names():
    figure = plots.images(torch.rand(2, 3, 4, 4), ["a cat", "a dog"])
    assert [axes.get_title() for axes in figure.axes] == ["a cat", "a dog"]


def test_what_are_no_images():
    one_line(lambda: plots.images(torch.rand(2, 2, 4, 4), [0, 1]), "[2, 2, 4, 4]")
    one_line(lambda: plots.images(torch.rand(4, 4), [0]), "[4, 4]")
    one_line(lambda: plots.images(torch.rand(0, 1, 4, 4), []), "expected [N,")
    one_line(lambda: plots.images(torch.rand(2, 1, 4, 4), [0]), "2 images and 1 labels")
    one_line(lambda: plots.images(torch.rand(2, 1, 0, 4), [0, 1]), "[2, 1, 0, 4]")
    one_line(lambda: plots.images(255 * torch.ones(1, 1, 4, 4), [0]), "reach 255; expected bytes")
    for shape in ((2, 2, 4, 4), (0, 1, 4, 4)):
        one_line(lambda shape=shape: plots.activation_maps(torch.rand(shape), {}), "expected [N,")


@pytest.mark.parametrize(("layers", "rows"), [(1, 1), (2, 1), (3, 1), (4, 2), (5, 3)])
def test_three_layers_stand_in_one_row(layers, rows):
    figure = plots.raster({f"layer {i}": torch.ones(4, 6) for i in range(layers)})
    assert len({round(axes.get_position().y0, 2) for axes in figure.axes if axes.axison}) == rows
