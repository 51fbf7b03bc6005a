"""Training speed as ratios: variants measured in turn, round by round, on whatever machine this is.

Absolute times say little about another machine; a ratio within a round nearly does.  A spiking step cannot be
faster than the same convolutions in an ANN fed ``T*B`` images: that is the limit.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

import torch
from torch import nn

from snnbook import allocator, files, neurons
from snnbook.backbones import NetworkConfig, build_ann
from snnbook.baselines.snntorch_resnet import SnnTorchConfig, SnnTorchResNet
from snnbook.experiments.provenance import code, environment, pick_device
from snnbook.trainers import Direct, JointASNN

# Rounds that are not counted: an allocator needs a few until it has settled.
WARM_UP = 3

Variants = dict[str, Callable[[], None]]


def ratios(variants: Variants, base: str, rounds: int, synchronize: Callable[[], None]) -> dict[str, dict]:
    """Time of each variant relative to ``base``: median and range over rounds, after some to warm up."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(WARM_UP + rounds):
        for name, step in variants.items():
            synchronize()
            start = time.perf_counter()
            step()
            synchronize()
            if turn >= WARM_UP:
                times[name].append(time.perf_counter() - start)
    result = {}
    for name, seconds in times.items():
        relative = [a / b for a, b in zip(seconds, times[base], strict=True)]
        result[name] = {
            "ratio": median(relative),
            "least": min(relative),
            "most": max(relative),
            "milliseconds": 1e3 * median(seconds),
        }
    return result


def lif_layer(time_steps: int, device: torch.device) -> Variants:
    """One layer of neurons, forward and backward, on ``[T, 32, 64, 32, 32]``."""
    import snntorch

    shape = (time_steps * 32, 64, 32, 32)
    current = torch.randn(shape, device=device, requires_grad=True)
    gradient = torch.randn(shape, device=device)
    ours = neurons.preset("joint_asnn", time_steps=time_steps)
    leaky = snntorch.Leaky(beta=0.25, threshold=0.5, reset_mechanism="zero").to(device)

    def loop(x):
        potential, spikes = leaky.reset_mem(), []
        for c in x.unflatten(0, (time_steps, 32)):
            spike, potential = leaky(c, potential)
            spikes.append(spike)
        return torch.stack(spikes).flatten(0, 1)

    def step(layer):
        layer(current).backward(gradient)
        current.grad = None

    return {
        "ReLU": partial(step, torch.relu),
        "snnbook": partial(step, ours),
        "snnTorch": partial(step, loop),
    }


def training_step(time_steps: int, batch: int, device: torch.device, width: int = 64) -> Variants:
    """A whole step of ResNet-18 on 32x32 images: forward, backward, Adam."""
    network = NetworkConfig("resnet18", width=width, time_steps=time_steps)
    images = torch.randn(batch, 3, 32, 32, device=device)
    labels = torch.randint(10, (batch,), device=device)
    limit = _Repeated(build_ann(network, 10), time_steps)
    methods = {
        "ANN on T*B images": (limit, True, None),
        "ANN on T*B images, bfloat16": (limit, True, torch.bfloat16),
        "snnbook": (Direct(Direct.Config(), network, 10), True, None),
        "snnbook, bfloat16": (Direct(Direct.Config(), network, 10), True, torch.bfloat16),
        "snnbook, joint": (JointASNN(JointASNN.Config(), network, 10), True, None),
        "snnTorch": (SnnTorchResNet(SnnTorchConfig(), network, 10), False, None),
    }
    return {
        name: _step(method.to(device), images, labels, last, dtype)
        for name, (method, last, dtype) in methods.items()
    }


class _Repeated(nn.Module):
    """The limit: an ANN that sees each image T times."""

    def __init__(self, network: nn.Module, time_steps: int):
        super().__init__()
        self.network, self.time_steps = network, time_steps

    def forward(self, images, labels):
        outputs = self.network(images.repeat(self.time_steps, 1, 1, 1))
        return {"ce": nn.functional.cross_entropy(outputs, labels.repeat(self.time_steps))}


def _step(method, images, labels, channels_last, dtype) -> Callable[[], None]:
    if channels_last:
        method = method.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(method.parameters(), fused=True)

    def step():
        with torch.autocast(images.device.type, dtype, enabled=dtype is not None):
            loss = sum(method(images, labels).values())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def main(device: str = "auto", rounds: int = 5, results: Path | None = None) -> None:
    """Measure, print, and write ``results/bench/<device type>.json``."""
    allocator.keep_freed_memory()
    device = pick_device(device)
    synchronize = torch.cuda.synchronize if device.type == "cuda" else (lambda: None)
    batch = 256 if device.type == "cuda" else 8
    groups = {}
    for name, base, make in (
        *((f"LIF layer, T = {t}", "snnbook", partial(lif_layer, t)) for t in (2, 4, 8)),
        *(
            (f"ResNet-18 step, T = {t}, batch {batch}", "ANN on T*B images", partial(training_step, t, batch))
            for t in (2, 4)
        ),
    ):
        groups[name] = ratios(make(device), base, rounds, synchronize)
        print(f"{name} (time relative to {base}; range over {rounds} rounds)")
        for variant, row in groups[name].items():
            spread = f"{row['least']:.2f} to {row['most']:.2f}"
            print(
                f"  {variant:30} {row['ratio']:6.2f}  ({spread})  {row['milliseconds']:8.1f} ms", flush=True
            )
    record = {
        "groups": groups,
        "environment": environment(device, "float32"),
        "code": code(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    path = (results or files.results()) / "bench" / f"{device.type}.json"
    files.write_text(path, json.dumps(record, indent=1) + "\n")
    print(f"record: {path}")
