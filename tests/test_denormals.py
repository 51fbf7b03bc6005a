"""Denormal numbers are zero in a training on a CPU, in every thread, and what they were outside of it."""

import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from snnbook.data import DataConfig, load
from snnbook.trainers.loop.denormals import flushed, flushing
from snnbook.trainers.loop.evaluation import evaluate
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.recipe import Recipe

CPU = torch.device("cpu")
IMAGES, WEIGHTS = torch.ones(16, 64, 16, 16), torch.full((64, 64, 3, 3), 1e-42)
pytestmark = pytest.mark.skipif(
    not torch.set_flush_denormal(False), reason="this CPU cannot take denormal numbers for zero"
)


@pytest.fixture(params=[1, 2])
def threads(request):
    if request.param > 1 and sys.platform != "linux":
        pytest.skip("threads that have begun stay as they are")
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def kept():
    """Whether denormal numbers were left in the parts of an output that threads share out, in all or in none."""
    outputs = F.conv2d(IMAGES, WEIGHTS, padding=1).flatten()
    bits = outputs.view(torch.int32)  # a comparison of the numbers would take them for zero, too
    return {bool(part.any()) for part in bits.chunk(4)}


def test_every_thread_takes_them_for_zero_and_then_no_longer(threads):
    assert kept() == {True}  # these threads have begun
    with flushed(CPU):
        assert flushing() and kept() == {False}
        with flushed(CPU):
            pass
        assert kept() == {False}
    assert not flushing() and kept() == {True}
    with pytest.raises(ZeroDivisionError), flushed(CPU):
        1 / 0  # noqa: B018
    assert kept() == {True}
    assert torch.get_num_threads() == threads


def test_who_takes_them_for_zero_anyway_still_does():
    torch.set_flush_denormal(True)
    try:
        with flushed(CPU):
            assert flushing()
        assert flushing()
    finally:
        torch.set_flush_denormal(False)


def test_other_devices_have_their_own_ways():
    with flushed(torch.device("meta")):
        assert not flushing()


class Dead(nn.Module):
    """A classifier that notes whether denormal numbers are zero where it computes."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 10)
        self.trained, self.tested = [], []

    def forward(self, images, labels):
        self.trained.append(flushing())
        return {"ce": F.cross_entropy(self.layer(images.flatten(1)), labels)}

    def predict(self, images):
        self.tested.append(flushing())
        return {"ann": self.layer(images.flatten(1))}


def test_training_and_tests_take_them_for_zero():
    data = load(DataConfig(name="digits", size=8, train_per_class=6, test_limit=20), None)
    method, recipe = Dead(), Recipe(epochs=1, batch_size=20, augment=())
    fit(method, data, recipe, seed=0, progress=False)
    assert len(method.trained) == 3 and all(method.trained) and method.tested[-1]
    method.tested.clear()
    evaluate(method, data)
    assert method.tested == [True]
    assert not flushing()
