"""What the tests of event data share: settings, a network, a made-up recording."""

import numpy as np

from snnbook.backbones import NetworkConfig
from snnbook.data import DataConfig

SMALL = DataConfig("digit_events", size=16, frames=3, train_per_class=2, test_limit=20)
NETWORK = NetworkConfig("vggsnn", width=2, time_steps=3, neuron="tet")


def recording(count=200, size=6, seed=0):
    draw = np.random.default_rng(seed)
    columns = (
        np.sort(draw.integers(0, 1000, count)),
        *draw.integers(0, size, (2, count)),
        draw.integers(0, 2, count),
    )
    return np.stack(columns, axis=1)
