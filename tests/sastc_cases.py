"""What the tests of SASTC share: a student, a teacher, random features."""

import torch

from snnbook.backbones import NetworkConfig
from snnbook.trainers.direct import Direct, DirectConfig
from snnbook.trainers.feature_distillation import FeatureDistillation, FeatureDistillationConfig
from snnbook.trainers.loop.weights import save_weights
from snnbook.trainers.sastc import SASTC, SASTCConfig

STUDENT = NetworkConfig("resnet19", width=4, time_steps=2, neuron="sastc")
TEACHER = {"name": "convnet", "width": 8}
BATCH = 8
LABELS = torch.arange(BATCH)


def images(seed=0, count=BATCH, size=16):
    return torch.rand(count, 1, size, size, generator=torch.Generator().manual_seed(seed))


def trained(path, network, classes=10):
    """Weights of an ANN that has at least seen a batch."""
    torch.manual_seed(1)
    method = Direct(DirectConfig("ann"), network, classes, 1)
    method(images(), LABELS % classes)
    save_weights(method, path)
    return path


def sastc(weights, network=STUDENT, classes=10, **options):
    torch.manual_seed(0)
    config = SASTCConfig(**{"teacher": TEACHER, "batch_size": BATCH, **options})
    return SASTC(config, network, classes, 1, weights)


def features_kd(weights, network=STUDENT, **options):
    torch.manual_seed(0)
    return FeatureDistillation(
        FeatureDistillationConfig(**{"teacher": TEACHER, **options}), network, 10, 1, weights
    )


def maps(channels_and_sizes, time_steps=None, seed=0, batch=BATCH):
    """Random features of several layers, ``[T, B, C, H, W]`` or without T."""
    generator = torch.Generator().manual_seed(seed)
    lead = (batch,) if time_steps is None else (time_steps, batch)
    return [torch.randn(*lead, c, s, s, generator=generator) for c, s in channels_and_sizes]
