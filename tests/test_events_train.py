"""Recordings and spike trains through the whole of the library."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bad_input import one_line
from event_files import made
from snnbook import data, trainers
from snnbook.backbones import NetworkConfig
from snnbook.data import DataConfig
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.recipe import Recipe
from test_events_sets import shd  # noqa: F401

RECIPE = Recipe(epochs=1, batch_size=4, augment=("flip", "roll"), test_every=1)


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """Recordings of a sensor of 346x260 pixels."""
    root = tmp_path_factory.mktemp("camera")
    for half, number in (("train", 4), ("test", 2)):
        for label, name in enumerate(("left", "right")):
            folder = root / half / name
            folder.mkdir(parents=True)
            for index in range(number):
                t, x, y, p = made(500, (346, 260), 100_000, 10 * label + index).T
                np.savez(
                    folder / f"{index}.npz", t=t.astype(np.uint32), x=x, y=y, p=p > 0, width=346, height=260
                )
    return root


def trained(found, network, name="direct"):
    torch.manual_seed(0)
    method = trainers.build_method(name, trainers.METHODS[name].Config(), network, found)
    return fit(method, found, RECIPE, seed=0, progress=False)


def test_a_sensor_of_346x260_trains(camera):
    found = data.load(DataConfig("recordings", size=26, frames=2, split_by="time"), camera)
    assert found.shape == (2, 2, 26, 35)
    assert trained(found, NetworkConfig("convnet", width=2, time_steps=2, neuron="tet"), "tet").losses
    assert data.load(DataConfig("recordings", size=260, frames=1), camera).shape == (1, 2, 260, 346)


@given(st.integers(10**5, 10**12))
@settings(deadline=None, max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_recordings_of_any_size_are_asked_for_only_if_they_fit(camera, size):
    one_line(lambda: data.load(DataConfig("recordings", size=size, frames=4), camera), "at hand")
    one_line(lambda: data.load(DataConfig("recordings", frames=size, split_by="1 us"), camera), "at hand")


@pytest.mark.parametrize("name", ["dense", "recurrent"])
def test_spoken_words_train_and_their_silence_does_not_count(shd, name):  # noqa: F811
    found = data.load(DataConfig("shd", size=14, frames=7, split_by="250 ms"), shd)
    assert found.padded and found.channels == 14
    network = NetworkConfig(name, width=8, time_steps=7, neuron="tet")
    assert 0 <= trained(found, network, "tet").accuracy["snn"][-1] <= 100
