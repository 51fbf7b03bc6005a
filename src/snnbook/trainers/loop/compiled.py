"""A method compiled whole; on a GPU its steps become CUDA graphs."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def compiled(method: nn.Module, device: torch.device, alone: bool = True) -> Callable[..., dict[str, Tensor]]:
    """``method`` to be called for training, compiled by ``torch.compile``.

    A step of a small network is hundreds of short kernels, and launching each takes time, too.  A CUDA graph
    launches them together, in memory that stays where it is; ``make gpu`` tests that numbers stay, too.

    Args:
        method: returns loss terms by name; what it keeps from step to step lies in its buffers.
        device: where it is trained; graphs are CUDA's.
        alone: no other process trains with this one.  Their gradients would have to be exchanged inside a graph.
    """
    if device.type != "cuda" or not alone:
        return torch.compile(method)
    graphed = torch.compile(method, mode="reduce-overhead")

    def step(*batch: Tensor) -> dict[str, Tensor]:
        torch.compiler.cudagraph_mark_step_begin()  # what the step before returned may be written over
        return graphed(*batch)

    return step
