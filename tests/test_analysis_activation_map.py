"""Spike activation maps by hand, Grad-CAM against the definition, and their errors."""

import math

import pytest
import torch

from bad_input import one_line
from snnbook.analysis import activation_maps, grad_cam, spike_activation_map
from snnbook.backbones import NetworkConfig, build_ann, build_backbone
from snnbook.errors import UserError
from snnbook.trainers import SASTC, Direct


def test_a_neurons_earlier_spikes_count():
    """One channel, two positions: one fires at t = 1, 2, 4, the other at t = 3 alone."""
    spikes = torch.zeros(4, 1, 1, 1, 2)
    spikes[[0, 1, 3], 0, 0, 0, 0] = 1
    spikes[2, 0, 0, 0, 1] = 1
    maps = spike_activation_map(spikes, (1, 2), gamma=0.5)[:, 0, 0]  # [T, 2]
    raw = [0, math.exp(-0.5), 0, math.exp(-0.5 * 3) + math.exp(-0.5 * 2)]
    expected = torch.tensor([value / max(raw) for value in raw])
    torch.testing.assert_close(maps[:, 0], expected)
    assert not maps[:, 1].any()
    larger = spike_activation_map(spikes, (1, 4), gamma=0.5)[1, 0, 0]  # pixels of half the width
    torch.testing.assert_close(larger, torch.tensor([1, 0.75, 0.25, 0]))


def test_channels_add_up_and_images_do_not_mix():
    torch.manual_seed(0)
    spikes = (torch.rand(5, 2, 3, 4, 4) > 0.5).float()
    whole = spike_activation_map(spikes, (4, 4))
    one = spike_activation_map(spikes[:, 1:], (4, 4))
    torch.testing.assert_close(whole[:, 1:], one)
    twice = spike_activation_map(torch.cat([spikes, spikes], 2), (4, 4))
    torch.testing.assert_close(twice, whole)


def test_a_silent_layer_has_an_empty_map():
    maps = spike_activation_map(torch.zeros(3, 2, 4, 4, 4), (8, 8))
    assert maps.shape == (3, 2, 8, 8)
    assert not maps.any()


def test_grad_cam_works_in_inference_mode():
    ann, images = build_ann(NetworkConfig("convnet", width=4), 10), torch.rand(2, 3, 8, 8)
    with torch.inference_mode():
        found = grad_cam(ann, 1 * images, (8, 8))
    assert torch.equal(found, grad_cam(ann, images, (8, 8)))


@pytest.mark.parametrize("shape", [(1, 2, 3, 4, 4), (2, 3, 4, 4)])
def test_maps_need_time(shape):
    with pytest.raises(UserError, match="two time steps or more"):
        spike_activation_map(torch.zeros(shape), (4, 4))


def test_grad_cam_takes_a_backbone_and_its_classes():
    ann, images = build_ann(NetworkConfig("convnet", width=4), 10), torch.rand(2, 3, 8, 8)
    one_line(lambda: grad_cam(torch.nn.Linear(2, 2), images, (8, 8)), "expected a Backbone")
    one_line(lambda: grad_cam(ann, images, (8, 8), torch.tensor([1, 10])), "whole numbers below 10")
    one_line(lambda: grad_cam(ann, images, (8, 8), torch.full((2, 10), 0.1)), "number of one class")


def test_grad_cam_by_definition():
    torch.manual_seed(0)
    network = build_backbone("resnet18", 10, width=4)
    images, classes = torch.randn(3, 3, 32, 32), torch.tensor([1, 5, 2])
    maps = grad_cam(network, images, (4, 4), classes)
    assert not network.training
    features = network.features(images)[-1]
    # Behind global average pooling, the gradient of a logit is the classifier's weight over the map's positions.
    weights = network.head.weight[classes] / 16
    expected = (weights[:, :, None, None] * features).sum(1).clamp(min=0).detach()
    assert expected.any()
    expected = expected / expected.amax((1, 2), keepdim=True).clamp(min=1e-12)
    torch.testing.assert_close(maps[0], expected, atol=1e-5, rtol=1e-4)
    assert all(p.grad is None for p in network.parameters())


def test_maps_for_a_record_are_small_and_those_of_student_and_teacher():
    torch.manual_seed(0)
    teacher = build_ann(NetworkConfig("convnet", width=4), 10, 1)
    network = NetworkConfig("convnet", width=4, time_steps=3, neuron="sastc")
    method = SASTC(SASTC.Config(batch_size=8), network, 10, 1, teacher)
    images = torch.rand(2, 1, 32, 32)
    for _ in range(20):  # so that BatchNorm knows the images, and deep layers fire
        method.student(images)
    maps = activation_maps(method, images, largest=16)
    assert not method.training
    with torch.no_grad():
        layers, (logits, features) = method.study(images)[1], method.teach(images)
    assert [torch.tensor(x).shape for x in maps["student"]] == [
        (2, min(x.shape[-1], 16), min(x.shape[-1], 16)) for x in layers
    ]
    deep = spike_activation_map(layers[-1], layers[-1].shape[-2:]).mean(0)
    assert deep.any()
    deep = deep / deep.amax((1, 2), keepdim=True).clamp(min=1e-12)
    torch.testing.assert_close(torch.tensor(maps["student"][-1]), deep, atol=6e-4, rtol=0)
    size = features[-1].shape[-2:]
    looks = grad_cam(method.teacher, images, size, logits.argmax(1))[0]
    torch.testing.assert_close(torch.tensor(maps["teacher"]), looks, atol=6e-4, rtol=0)


def test_maps_need_a_teacher():
    method = Direct(Direct.Config(), NetworkConfig("convnet", width=4, neuron="sastc"), 10, 1)
    with pytest.raises(UserError, match="has no teacher"):
        activation_maps(method, torch.rand(2, 1, 8, 8))
