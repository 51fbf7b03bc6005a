"""A small problem of one's own, in the shapes torch users have their data in, and a network for it."""

from collections import OrderedDict

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from snnbook.folding import SpikingNetwork
from snnbook.neurons import LIF
from snnbook.trainers import Direct
from snnbook.trainers.direct import DirectConfig
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.recipe import Recipe

RECIPE = Recipe(epochs=2, batch_size=8, learning_rate=0.01, weight_decay=0.0, augment=())


def problem(count=40, channels=1, classes=3, size=6, frames=None, seed=0):
    """Images whose brightest row is their class, bytes, and labels; half to train on, half to test on."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    shape = (count, *([frames] if frames else []), channels, size, size)
    images = torch.randint(0, 100, shape, generator=generator, dtype=torch.uint8)
    for image, label in zip(images, labels.tolist(), strict=True):
        image[..., label, :] += 150
    half = count // 2
    return images[:half], labels[:half], images[half:], labels[half:]


def network(channels=1, classes=3, size=6, time_steps=2, seed=0):
    torch.manual_seed(seed)
    layers = OrderedDict(
        conv=nn.Conv2d(channels, 4, 3, padding=1, bias=False),
        bn=nn.BatchNorm2d(4),
        encode=LIF(),
        flat=nn.Flatten(),
        head=nn.Linear(4 * size * size, classes),
    )
    return SpikingNetwork(nn.Sequential(layers), time_steps)


def method(**options):
    return Direct(DirectConfig(), network(**options))


OWN = problem()
TRAIN, TEST = TensorDataset(*OWN[:2]), TensorDataset(*OWN[2:])


def as_floats(images):
    return images.float() / 255


FLOATS = TensorDataset(as_floats(OWN[0]), OWN[1]), TensorDataset(as_floats(OWN[2]), OWN[3])


def loaders(train=FLOATS[0], test=FLOATS[1], **options):
    options = {"batch_size": 8, "shuffle": True, **options}
    return DataLoader(train, **options), DataLoader(test, batch_size=16)


def run(data, recipe=RECIPE, seed=0, **options):
    return fit(method(), data, recipe, seed=seed, progress=False, **options)
