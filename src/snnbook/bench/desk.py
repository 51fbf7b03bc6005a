"""A step of the size that a desk trains: VGG-11, 32 channels wide."""

import shutil
from collections.abc import Iterator

import torch

from snnbook.backbones import NetworkConfig
from snnbook.baselines.snntorch_network import SnnTorchConfig, SnnTorchNetwork
from snnbook.bench.earlier import COMMIT, Earlier, unavailable
from snnbook.bench.measure import Step
from snnbook.bench.measurement import BF16, LIMIT, MISSING, Measurement, batch_of, spiking
from snnbook.bench.variants import Folded, Repeated, SpikingJellyNeuron, spikingjelly_missing

LOOP = "snnTorch, its loop"
OURS = "snnbook, bfloat16"


def desk(device: torch.device) -> Iterator[Measurement]:
    """A training step of VGG-11 (width 32, batch 128), against snnTorch's loop, SpikingJelly and earlier code."""
    for time_steps in (2, 4):
        yield _desk(time_steps, 128, device)


def _desk(time_steps: int, batch: int, device: torch.device, width: int = 32) -> Measurement:
    network = NetworkConfig("vgg11", width=width, time_steps=time_steps)
    images, labels = batch_of(batch, device)
    variants = {
        LOOP: Step(SnnTorchNetwork(SnnTorchConfig(), network, 10), images, labels, False),
        f"{LIMIT}, bfloat16": Step(Repeated(network), images, labels, dtype=BF16),
        "snnbook": spiking(network, images, labels),
        OURS: spiking(network, images, labels, dtype=BF16),
    }
    absent = {}
    if device.type == "cuda" or shutil.which("c++") or shutil.which("g++"):
        variants[f"{OURS}, compiled"] = spiking(network, images, labels, dtype=BF16, compiled=True)
    else:
        absent[f"{OURS}, compiled"] = "there is no C++ compiler"
    before = f"snnbook of {COMMIT}, bfloat16"
    if why := unavailable():
        absent[before] = why
    else:
        variants[before] = Earlier({"name": "vgg11", "width": width, "time_steps": time_steps}, batch, device)
    if spikingjelly_missing():
        absent |= dict.fromkeys(("SpikingJelly", "SpikingJelly, bfloat16, channels-last"), MISSING)
    else:
        jelly = [Folded(network, SpikingJellyNeuron) for _ in range(2)]
        variants["SpikingJelly"] = Step(jelly[0], images, labels, False)
        variants["SpikingJelly, bfloat16, channels-last"] = Step(jelly[1], images, labels, dtype=BF16)
    title = f"VGG-11 step, width {width}, T = {time_steps}, batch {batch}"
    return Measurement(title, variants, (LOOP,), batch, absent, OURS)
