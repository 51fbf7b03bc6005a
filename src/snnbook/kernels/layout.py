"""How a tensor ``[T, ...]`` lies in memory: kernels walk it in that order and never copy it to another."""

import torch
from torch import Tensor


def dense(x: Tensor) -> Tensor:
    """``x`` if each of its steps fills its memory without gaps (in any order of axes), else a copy."""
    step = x[0]
    if step.is_contiguous() or (step.dim() == 4 and step.is_contiguous(memory_format=torch.channels_last)):
        return x
    return x.contiguous()


def empty_like_step(x: Tensor) -> Tensor:
    """Uninitialized, shaped like ``x``, steps one after another: also where ``x`` repeats one (stride 0)."""
    return x.new_empty_strided(x.shape, (x.shape[1:].numel(), *x.stride()[1:]))


def like(x: Tensor, pattern: Tensor) -> Tensor:
    """``x`` in the memory order of ``pattern``; a copy only where they differ."""
    if x.stride()[1:] == pattern.stride()[1:] and x.dtype == pattern.dtype:
        return x
    return torch.empty_like(pattern).copy_(x)


def flat(x: Tensor) -> Tensor:
    """``[T, n]``, the steps of dense ``x`` in memory order; a view."""
    return x.as_strided((x.shape[0], x.shape[1:].numel()), (x.stride(0), 1))


def unflat(x: Tensor, pattern: Tensor) -> Tensor:
    """``[T, n]`` as a view shaped like ``pattern``, each step in its memory order."""
    return x.as_strided(pattern.shape, (x.shape[1], *pattern.stride()[1:]))
