"""An epoch's seconds on a CPU are those of its cores: what else a machine does makes no method slower."""

import time

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


def test_waiting_costs_no_seconds():
    images, labels = torch.rand(20, 1, 2, 2), torch.arange(20) % 2
    data = Dataset.from_tensors(images, labels, images, labels)
    start = time.perf_counter()
    history = fit(Waiting(0.2), data, Recipe(epochs=1, batch_size=2, augment=()), seed=0, progress=False)
    assert time.perf_counter() - start > 2.0
    assert 0 < history.seconds[0] < 1.0


def test_the_pace_is_that_of_the_median_epoch():
    assert History(seconds=[8.0, 1.0, 2.0], images=[8, 8, 8]).images_per_second == 4
