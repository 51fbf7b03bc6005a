"""Checks of chapter 3: a first spiking network."""

import torch
import torch.nn.functional as F
from torch import nn

from snnbook import neurons
from snnbook.backbones import ConvNet
from snnbook.course.comparing import (
    Wrong,
    call,
    number,
    numbers,
    parts,
    tensor,
)
from snnbook.folding import SpikingNetwork, set_time_steps


def folded_axis(answer):
    T, B = 4, 3
    rows = range(T * B)
    found = [parts(call(answer, row, T, B), 2, "what your function returns") for row in rows]
    # A mistake is one of all rows: in a single row two may look alike.
    known = {
        "step and image are swapped": [(row // T, row % T) for row in rows],
        "that is the right folding, step after step": [divmod(row, B) for row in rows],
    }
    for said, wrong in known.items():
        if torch.equal(tensor(found, "what your function returns").reshape(T * B, -1), tensor(wrong)):
            raise Wrong(said)
    for row, (step, image) in zip(rows, found, strict=True):
        number(step, row % T, what=f"the step of row {row}")
        number(image, row // T, what=f"the image of row {row}")


def _small_network() -> SpikingNetwork:
    network = SpikingNetwork(ConvNet(10, 1, activation=lambda: neurons.preset("tet"), width=4), time_steps=4)
    # Averages of a batch in place of 0 and 1, with which no deep neuron would fire, and no answer differ.
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        network.train()(2 * torch.randn(60, 1, 8, 8))
    return network.eval()


def steps_after_training(answer):
    network = _small_network()
    images = 2 * torch.randn(60, 1, 8, 8)
    with torch.no_grad():
        labels = set_time_steps(network, 8)(images).mean(0).argmax(-1)
        labels[::3] = network(images)[0].argmax(-1)[::3]

    def accuracy_at(network, T, images, labels, read=lambda o: o.mean(0)):
        with torch.no_grad():
            return 100 * (read(set_time_steps(network, T)(images)).argmax(-1) == labels).double().mean()

    for T in (1, 2, 8, 16):
        right = accuracy_at(network, T, images, labels)
        near = [
            (
                accuracy_at(network, 4, images, labels),
                "that is T = 4 still; did the network hear of the new T?",
            ),
            (
                accuracy_at(network, T, images, labels, lambda o: o[-1]),
                "that reads the last step alone; the readout is the mean over steps",
            ),
        ]
        set_time_steps(network, 4)
        found = call(answer, network, T, images, labels)
        number(found, right, near=near, what=f"the accuracy at T = {T}")


def average_pooling(answer):
    windows = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4).view(-1, 1, 2, 2)
    values = F.avg_pool2d(windows, 2).unique()
    found = tensor(parts(answer)).flatten().sort()[0].tolist()
    if len(found) == 2:
        raise Wrong("those are the values after max-pooling; what is the mean of four spikes?")
    if len(found) != len(values):
        raise Wrong(f"{len(found)} values: some are missing, or too many")
    numbers(found, {f"value {i}": v.item() for i, v in enumerate(values, 1)})


CHECKS = {
    "3.1": folded_axis,
    "3.2": steps_after_training,
    "3.3": average_pooling,
}
