"""Classes and channels are told at construction: of what is built, and of a teacher that comes ready."""

import numpy as np
import pytest
import torch
from torch import nn

import snnbook
from bad_input import one_line
from snnbook.backbones import BACKBONES, Backbone, NetworkConfig, build_ann, build_backbone, build_snn
from snnbook.trainers import JointASNN

NETWORK = NetworkConfig("resnet18", width=4, time_steps=2)
BUILDERS = {
    "build_backbone": lambda *numbers: build_backbone("resnet18", *numbers, width=4),
    "build_ann": lambda *numbers: build_ann(NETWORK, *numbers),
    "build_snn": lambda *numbers: build_snn(NETWORK, *numbers),
    "JointASNN": lambda *numbers: JointASNN(JointASNN.Config(), NETWORK, *numbers),
    "Direct": lambda *numbers: snnbook.Direct(snnbook.DirectConfig(), NETWORK, *numbers),
}


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("wrong", [0, -1, "4", 4.0, True, [4]])
def test_classes_and_channels_are_whole_numbers_of_at_least_one(build, wrong):
    one_line(lambda: BUILDERS[build](wrong), "num_classes is", "expected a whole number of at least 1")
    one_line(lambda: BUILDERS[build](4, wrong), "in_channels is", "expected a whole number of at least 1")


def test_numbers_of_numpy_are_numbers():
    network = build_ann(NETWORK, np.int64(1), np.int32(1)).eval()
    assert network(torch.zeros(2, 1, 8, 8)).shape == (2, 1)


METHODS = {
    "Distillation": {},
    "FeatureDistillation": {"student_layer": 1, "teacher_layer": 1},
    "SASTC": {"batch_size": 8},
}


def taught(name, teacher, **settings):
    config = getattr(snnbook, f"{name}Config")(**METHODS[name], **settings)
    return getattr(snnbook, name)(config, NETWORK, 4, 3, teacher)


@pytest.mark.parametrize("name", METHODS)
def test_a_teacher_of_other_data_is_refused(name):
    one_line(lambda: taught(name, build_ann(NETWORK, 7, 3)), "teacher has 7 classes and the student 4")
    one_line(
        lambda: taught(name, build_ann(NETWORK, 4, 1)), "teacher has 1 channels of images and the student 3"
    )
    taught(name, build_ann(NETWORK, 4, 3))
    taught(name, build_ann(NETWORK, 7, 3), kld=0.0)  # nobody asks for its classes


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_network_may_teach(backbone):
    options = {} if backbone in ("pyramidnet20",) else {"width": 4}
    with torch.device("meta"):
        teacher = build_backbone(backbone, 4, 3, **options)
        other = build_backbone(backbone, 5, 3, **options)
    taught("Distillation", teacher)
    one_line(lambda: taught("Distillation", other), "5 classes")


def test_a_teacher_of_ones_own_that_tells_nothing_is_taken():
    class Own(Backbone):
        def __init__(self):
            super().__init__()
            self.stem, self.encode, self.stages = (
                nn.Identity(),
                nn.ReLU(),
                nn.ModuleList([nn.Conv2d(3, 4, 1)]),
            )
            self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Flatten()

    images, labels = torch.rand(2, 3, 8, 8), torch.tensor([0, 1])
    assert taught("Distillation", Own())(images, labels)["kld"].isfinite()
