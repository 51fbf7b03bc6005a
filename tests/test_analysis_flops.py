"""The cost of a training step, by hand."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sastc_cases import BATCH, images
from snnbook.analysis import training_flops
from snnbook.backbones import NetworkConfig, build_ann
from snnbook.trainers.feature_distillation import FeatureDistillation
from snnbook.trainers.sastc import SASTC


def test_operations_of_a_step_by_hand():
    """A convolution and a linear layer, forward, for the weights, and for the input where one is wanted."""

    class Method(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.linear = nn.Conv2d(3, 5, 3, padding=1), nn.Linear(5 * 16, 7)

        def forward(self, images, labels):
            return {"ce": F.cross_entropy(self.linear(self.conv(images).flatten(1)), labels)}

    products = 2 * (8 * 16 * 3 * 5 * 9) + 3 * (8 * 5 * 16 * 7)
    assert training_flops(Method, (8, 3, 4, 4)) == 2 * products
    with torch.no_grad():  # as around an evaluation
        assert training_flops(Method, (8, 3, 4, 4)) == 2 * products


@pytest.mark.parametrize("groups", [1, 2, 64])
@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_groups_share_the_operations(kind, groups):
    """Forward, for the weights, and for the input where one is wanted: a group reads its own channels alone."""

    class Method(nn.Module):
        def __init__(self):
            super().__init__()
            layers = [kind(64, 64, 3, padding=1, groups=groups, bias=False) for _ in range(2)]
            self.network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())

        def forward(self, images, labels):
            return {"ce": F.cross_entropy(self.network(images), labels)}

    products = 5 * (2 * 36 * 64 * 64 // groups * 9)
    assert training_flops(Method, (2, 64, 6, 6)) == 2 * products


def test_operations_of_the_calibration_by_hand():
    """With equal shares the projections are all that is added; attention adds little to them."""
    teacher = NetworkConfig("convnet", width=8)

    def count(method, **options):
        config = method.Config(**options)
        return training_flops(
            lambda: method(config, network, 10, 1, build_ann(teacher, 10, 1)), (BATCH, 1, 16, 16)
        )

    network = NetworkConfig("convnet", width=8, time_steps=2, neuron="sastc")
    with torch.no_grad():
        shapes = [x.shape[1:] for x in build_ann(teacher, 10, 1).features(images())]
    products = sum(
        min(h, height) ** 2 * (9 * c * 2 * channels + 2 * channels * channels)
        for c, h, _ in shapes
        for channels, height, _ in shapes
    )
    alone = count(SASTC, beta=0.0, batch_size=BATCH)
    expected = 3 * 2 * 2 * BATCH * products  # forward, weights, input; two operations; two steps
    assert count(FeatureDistillation) - alone == expected
    assert expected < count(SASTC, batch_size=BATCH) - alone < 1.2 * expected
