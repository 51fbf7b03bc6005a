"""How a step is timed and its memory counted."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from snnbook.precision import autocast
from snnbook.trainers.loop.compiled import compiled as whole

# Rounds that are not counted: an allocator needs a few until it has settled, a compiler one.
WARM_UP = 2


class Step:
    """One training step: forward, backward, and the optimizer's.

    Args:
        method: returns loss terms by name from images and labels.
        images, labels: one batch.
        channels_last: memory layout.
        dtype: of autocast; None for float32.
        compiled: by ``torch.compile``, whole; in CUDA graphs on a GPU.
        kernel: of the neurons; None for the device's own.
    """

    def __init__(
        self,
        method: nn.Module,
        images: Tensor,
        labels: Tensor,
        channels_last: bool = True,
        dtype: torch.dtype | None = None,
        compiled: bool = False,
        kernel: str | None = None,
    ):
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self.method = method.to(images.device, memory_format=layout)
        self.images, self.labels = images.contiguous(memory_format=layout), labels
        self.dtype, self.compiled, self.kernel = dtype, compiled, kernel
        self.forward = whole(self.method, images.device) if compiled else self.method
        self.optimizer = torch.optim.Adam(method.parameters(), fused=True)

    def loss(self) -> Tensor:
        with autocast(self.images.device, self.dtype, self.compiled):
            return sum(self.forward(self.images, self.labels).values())

    def __call__(self) -> None:
        with using_kernel(self.kernel):
            self.optimizer.zero_grad(set_to_none=True)
            loss = self.loss()
            loss.backward()
            self.optimizer.step()


@contextmanager
def using_kernel(name: str | None) -> Iterator[None]:
    """Neurons run on the kernel of that name, whatever the environment says; None changes nothing."""
    before = os.environ.get("SNNBOOK_KERNEL")
    chosen = before if name is None else name
    try:
        os.environ.update({} if chosen is None else {"SNNBOOK_KERNEL": chosen})
        yield
    finally:
        os.environ.pop("SNNBOOK_KERNEL", None)
        os.environ.update({} if before is None else {"SNNBOOK_KERNEL": before})


def ratios(
    variants: Mapping[str, Callable[[], None]],
    base: Sequence[str],
    rounds: int,
    synchronize: Callable[[], None] = lambda: None,
) -> dict[str, dict[str, Any]]:
    """Time of each variant relative to that of ``base``, together, in the same round: median and range.

    ``each`` are the milliseconds of the rounds, in which variants can be compared one by one.
    """
    times: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(WARM_UP + rounds):
        for name, step in variants.items():
            synchronize()
            start = time.perf_counter()
            step()
            synchronize()
            if turn >= WARM_UP:
                times[name].append(time.perf_counter() - start)
    together = [sum(seconds) for seconds in zip(*(times[name] for name in base), strict=True)]
    found = {}
    for name, seconds in times.items():
        relative = [a / b for a, b in zip(seconds, together, strict=True)]
        found[name] = {
            "ratio": median(relative),
            "least": min(relative),
            "most": max(relative),
            "milliseconds": 1e3 * median(seconds),
            "each": [1e3 * one for one in seconds],
        }
    return found


def kept_bytes(compute: Callable[[], Tensor], weights: Sequence[Tensor] = ()) -> int:
    """Bytes that ``compute`` keeps for the backward pass of its result, apart from the ``weights``."""
    known, storages = {w.untyped_storage().data_ptr() for w in weights}, {}

    def note(x: Tensor) -> Tensor:
        if x.untyped_storage().data_ptr() not in known:
            storages[x.untyped_storage().data_ptr()] = x  # held, so that no address is used twice
        return x

    with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
        compute()
    return sum(x.untyped_storage().nbytes() for x in storages.values())


def peak_bytes(step: Callable[[], None], device: torch.device) -> int | None:
    """The most memory a GPU holds during a step, beyond what it held before; None elsewhere."""
    if device.type != "cuda":
        return None
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    step()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before
