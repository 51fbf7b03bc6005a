"""An epoch's seconds on a CPU are those of its cores: what else a machine does makes no method slower."""

import time

import pytest
import torch
from torch import nn

from snnbook import Dataset, Recipe, fit
from snnbook.trainers.loop.history import History


class Waiting(nn.Module):
    """A network that waits in each step, as on a core that another program has."""

    def __init__(self, pause):
        super().__init__()
        self.layer, self.pause = nn.Linear(4, 2), pause

    def forward(self, images, labels):
        time.sleep(self.pause)
        return {"ce": nn.functional.cross_entropy(self.layer(images.flatten(1)), labels)}

    def predict(self, images):
        return {"ann": self.layer(images.flatten(1))}

    def backbones(self):
        return {"ann": self.layer}


def twenty():
    images, labels = torch.rand(20, 1, 2, 2), torch.arange(20) % 2
    return Dataset.from_tensors(images, labels, images, labels)


def test_waiting_costs_no_seconds():
    start = time.perf_counter()
    history = fit(Waiting(0.2), twenty(), Recipe(epochs=1, batch_size=2, augment=()), seed=0, progress=False)
    assert time.perf_counter() - start > 2.0
    assert 0 < history.seconds[0] < 1.0


def test_threads_that_work_at_once_count_once(monkeypatch):
    """Four cores that work for two seconds have spent eight."""
    spent = iter(range(0, 1000, 8))
    monkeypatch.setattr(time, "process_time", lambda: float(next(spent)))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    history = fit(Waiting(0), twenty(), Recipe(epochs=3, batch_size=4, augment=()), seed=0, progress=False)
    assert history.seconds == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("drop_last, seen", [(True, 16), (False, 20)])
def test_images_of_a_batch_that_is_not_full_count_as_they_are(drop_last, seen):
    recipe = Recipe(epochs=2, batch_size=8, augment=(), drop_last=drop_last)
    assert fit(Waiting(0), twenty(), recipe, seed=0, progress=False).images == [seen, seen]


def test_the_pace_is_that_of_the_median_epoch():
    assert History(seconds=[8.0, 1.0, 2.0], images=[8, 8, 8]).images_per_second == 4


def test_an_epoch_too_short_for_the_clock_has_a_pace():
    assert 0 < History(seconds=[0.0], images=[8]).images_per_second < float("inf")
