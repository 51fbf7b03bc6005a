"""A raster shows each spike once, at its step and in its neuron's row."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnbook import plots
from snnbook.errors import UserError
from snnbook.plots.style import WIDTH


@settings(deadline=None, max_examples=10)
@given(panels=st.integers(1, 5), seed=st.integers(0, 1000))
def test_each_spike_is_drawn_once_where_it_is(panels, seed):
    generator = torch.Generator().manual_seed(seed)
    spikes = {str(i): torch.randint(-1, 2, (7, 4), generator=generator) for i in range(panels)}
    figure = plots.raster(spikes, "pixel")
    figure.canvas.draw()
    assert figure.get_figwidth() == WIDTH
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title() for axes in shown] == list(spikes)
    for axes, values in zip(shown, spikes.values(), strict=True):
        assert axes.get_xlabel() == "time step t" and axes.get_ylabel() == "pixel"
        drawn = np.zeros((7, 4))
        for ticks, sign in zip(axes.collections, (1, -1), strict=True):
            for (t, low), (_, high) in ticks.get_segments():
                drawn[int(t) - 1, round((low + high) / 2)] += sign
        assert np.array_equal(drawn, values.numpy())
    on, off = (tuple(ticks.get_color()[0]) for ticks in shown[0].collections)
    assert on != off


@pytest.mark.parametrize(
    "spikes", [{}, {"a": torch.ones(3)}, {"a": torch.ones(3, 2), "b": torch.ones(1, 2, 3)}]
)
def test_other_shapes_are_refused(spikes):
    with pytest.raises(UserError, match=r"expected one or more of \[T, N\]"):
        plots.raster(spikes)
