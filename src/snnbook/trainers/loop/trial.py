"""A training step tried on a copy: what it computes, and how long it takes with so many threads."""

import copy
import time
from collections.abc import Sequence

import torch
from torch import nn

from snnbook.data import Dataset, batches
from snnbook.operations import operations
from snnbook.trainers.loop.arguments import check_gradients, check_layout
from snnbook.trainers.loop.evaluation import autocast, laid_out
from snnbook.trainers.loop.recipe import Recipe

CPU = torch.device("cpu")
STEPS = 2  # timed of each number of threads, after one that is not


class Trial:
    """Forward and backward of one batch on the CPU.  The method, the order of images and random numbers stay.

    Args:
        method: see :mod:`snnbook.trainers`; untrained or not, it is copied.
        data: its first batch is taken.
        recipe: batch, memory layout and precision.

    Raises:
        UserError: gradients are off; the method has tensors that know no such layout.
    """

    def __init__(self, method: nn.Module, data: Dataset, recipe: Recipe):
        check_gradients(method)
        check_layout(method, recipe)
        layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
        self.recipe = recipe
        self.method = copy.deepcopy(method).to(memory_format=layout).train()
        if hasattr(self.method, "begin_epoch"):
            self.method.begin_epoch(0)
        first = batches(data, recipe.batch_size, seed=0, epoch=0, drop_last=recipe.drop_last)
        images, *self.known = next(iter(first))
        self.images = laid_out(images, recipe)

    def __call__(self) -> None:
        with torch.random.fork_rng(devices=()):
            with autocast(CPU, self.recipe):
                loss = sum(self.method(self.images, *self.known).values())
            self.method.zero_grad(set_to_none=True)
            loss.backward()

    def work(self) -> int:
        """Floating point operations of convolutions and matrix products, as ``analysis.training_flops``."""
        return operations(self)

    def seconds(self, counts: Sequence[int]) -> dict[int, float]:
        """Of the faster of two steps, by the number of threads."""
        before, found = torch.get_num_threads(), {}
        try:
            for count in counts:
                torch.set_num_threads(count)
                self()
                found[count] = min(self._timed() for _ in range(STEPS))
        finally:
            torch.set_num_threads(before)
        return found

    def _timed(self) -> float:
        start = time.perf_counter()
        self()
        return time.perf_counter() - start
