"""What is measured, group by group."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from snnbook import neurons
from snnbook.backbones import NetworkConfig
from snnbook.baselines.snntorch_network import SnnTorchConfig, SnnTorchNetwork
from snnbook.bench.busy import busy
from snnbook.bench.desk import desk
from snnbook.bench.measure import Step, using_kernel
from snnbook.bench.measurement import BF16, LIMIT, MISSING, Measurement, batch_of, spiking
from snnbook.bench.rows import rows
from snnbook.bench.variants import Folded, Repeated, SnnTorchNeuron, SpikingJellyNeuron, spikingjelly_missing
from snnbook.trainers import SASTC, Direct, JointASNN
from snnbook.trainers.loop.weights import save_weights


def layer(device: torch.device) -> Iterator[Measurement]:
    """The neurons alone, forward and backward, float32."""
    for time_steps, batch in ((2, 32), (4, 32), (8, 32), (32, 8)):
        yield _layer(time_steps, batch, device)


def _layer(time_steps: int, batch: int, device: torch.device, channels: int = 64) -> Measurement:
    shape = (time_steps * batch, channels, 32, 32)
    current = torch.randn(shape, device=device, requires_grad=True)
    gradient = torch.randn(shape, device=device)

    def step(neuron, kernel=None):
        with using_kernel(kernel):
            neuron(current).backward(gradient)
        current.grad = None

    ours = neurons.preset("joint_asnn", time_steps=time_steps)
    # Forward: read the current, write spikes and potentials.  Backward: read two, write one.
    moved = torch.empty(3 * current.numel(), device=device)
    variants = {
        "ReLU": partial(step, torch.relu),
        "copy of the bytes a fused LIF moves": lambda: moved.clone(),
        "snnbook": partial(step, ours),
        "snnbook, compiled": partial(step, ours, "compiled"),
        "snnTorch": partial(step, SnnTorchNeuron(time_steps).to(device)),
    }
    absent = {"SpikingJelly": MISSING} if spikingjelly_missing() else {}
    if not absent:
        variants["SpikingJelly"] = partial(step, SpikingJellyNeuron(time_steps).to(device))
    title = f"LIF layer, T = {time_steps}, {list(shape)}"
    return Measurement(title, variants, ("snnbook",), batch, absent)


def step(device: torch.device) -> Iterator[Measurement]:
    """A whole training step of ResNet-18 on 32x32 images."""
    for time_steps in (2, 4):
        yield _step(time_steps, 256 if device.type == "cuda" else 16, device)


def _step(time_steps: int, batch: int, device: torch.device, width: int = 64) -> Measurement:
    network = NetworkConfig("resnet18", width=width, time_steps=time_steps)
    images, labels = batch_of(batch, device)
    make = partial(spiking, network, images, labels)
    variants = {
        LIMIT: Step(Repeated(network), images, labels),
        f"{LIMIT}, bfloat16": Step(Repeated(network), images, labels, dtype=BF16),
        "snnbook": make(),
        "snnbook, compiled neurons": make(kernel="compiled"),
        "snnbook, bfloat16": make(dtype=BF16),
        "snnbook, bfloat16, compiled neurons": make(dtype=BF16, kernel="compiled"),
        "snnbook, bfloat16, spikes as bytes": make("bytes", dtype=BF16),
        "snnbook, bfloat16, recomputed": make("recompute", dtype=BF16),
        "snnTorch, its loop": Step(SnnTorchNetwork(SnnTorchConfig(), network, 10), images, labels, False),
        "snnTorch, time folded": Step(Folded(network, SnnTorchNeuron), images, labels, False),
    }
    jelly = ("SpikingJelly", "SpikingJelly, bfloat16, channels-last")
    absent = dict.fromkeys(jelly, MISSING) if spikingjelly_missing() else {}
    for name, last, dtype in zip(jelly, (False, True), (None, BF16), strict=True) if not absent else ():
        folded = Folded(network, SpikingJellyNeuron)
        variants[name] = Step(folded, images, labels, last, dtype)
    title = f"ResNet-18 step, T = {time_steps}, batch {batch}"
    return Measurement(title, variants, (LIMIT,), batch, absent)


def whole(device: torch.device) -> Iterator[Measurement]:
    """The step again, compiled whole by ``torch.compile``: takes minutes to compile on a CPU."""
    batch, time_steps = (256, 4) if device.type == "cuda" else (16, 4)
    network = NetworkConfig("resnet18", time_steps=time_steps)
    images, labels = batch_of(batch, device)
    variants = {
        LIMIT: Step(Repeated(network), images, labels),
        f"{LIMIT}, compiled": Step(Repeated(network), images, labels, compiled=True),
        "snnbook": spiking(network, images, labels),
        "snnbook, compiled": spiking(network, images, labels, compiled=True),
        "snnbook, bfloat16, compiled": spiking(network, images, labels, dtype=BF16, compiled=True),
    }
    title = f"ResNet-18 step compiled whole, T = {time_steps}, batch {batch}"
    yield Measurement(title, variants, (LIMIT,), batch)


def joint(device: torch.device) -> Iterator[Measurement]:
    """Joint A-SNN beside an ANN's step and an SNN's: composing the factors costs the same whatever the batch."""
    for batch in (16, 128):
        network = NetworkConfig("resnet18", time_steps=2)
        images, labels = batch_of(batch, device)
        for name, dtype in (("float32", None), ("bfloat16", BF16)):
            ann = Step(Direct(Direct.Config(train="ann"), network, 10), images, labels, dtype=dtype)
            both = Step(JointASNN(JointASNN.Config(), network, 10), images, labels, dtype=dtype)
            variants = {
                "ANN": ann,
                "SNN": spiking(network, images, labels, dtype=dtype),
                "joint": both,
            }
            title = f"Joint A-SNN, ResNet-18, T = 2, batch {batch}, {name}"
            yield Measurement(title, variants, ("ANN", "SNN"), batch)


def sastc(device: torch.device) -> Iterator[Measurement]:
    """SASTC beside plain distillation on the same pair of networks."""
    batch = 64
    images, labels = batch_of(batch, device)
    for student, teacher in (("sastc_resnet19", "wrn28_4"), ("sastc_vgg11", "resnet19_teacher")):
        network = NetworkConfig(student, width=16, time_steps=2, neuron="sastc")
        taught_by = {"name": teacher, "width": 16}
        with TemporaryDirectory() as folder:
            weights = _trained_teacher(NetworkConfig(**taught_by), images, labels, Path(folder))
            config = SASTC.Config(teacher=taught_by, batch_size=batch)
            plain = SASTC.Config(teacher=taught_by, batch_size=batch, beta=0.0)
            saving = replace(config, recompute=True)
            variants = {
                name: Step(SASTC(c, network, 10, 3, weights), images, labels)
                for name, c in (("distillation", plain), ("SASTC", config), ("SASTC, recomputed", saving))
            }
        title = f"SASTC, {student} taught by {teacher}, width 16, T = 2, batch {batch}"
        yield Measurement(title, variants, ("distillation",), batch)


def growth(device: torch.device) -> Iterator[Measurement]:
    """How the cost of a step grows with T, with the batch and with the width."""
    sweeps = {
        "T": {f"T = {t}": (t, 32, 16) for t in (1, 2, 4, 8)},
        "batch": {f"batch {b}": (2, b, 16) for b in (8, 32, 128)},
        "width": {f"width {w}": (2, 32, w) for w in (8, 16, 32, 64)},
    }
    for name, points in sweeps.items():
        variants = {}
        for label, (time_steps, batch, width) in points.items():
            network = NetworkConfig("resnet18", width=width, time_steps=time_steps)
            variants[label] = spiking(network, *batch_of(batch, device))
        yield Measurement(
            f"ResNet-18 step by {name} (else T = 2, batch 32, width 16)", variants, (next(iter(points)),)
        )


GROUPS = {
    "layer": layer,
    "step": step,
    "desk": desk,
    "joint": joint,
    "sastc": sastc,
    "rows": rows,
    "growth": growth,
    "busy": busy,
    "whole": whole,
}


def _trained_teacher(network: NetworkConfig, images, labels, folder: Path) -> Path:
    """Weights of a teacher that has seen one batch: its speed does not depend on what it knows."""
    teacher = Direct(Direct.Config(train="ann"), network, 10).to(images.device)
    teacher(images, labels)
    save_weights(teacher, folder / "teacher.safetensors")
    return folder / "teacher.safetensors"
