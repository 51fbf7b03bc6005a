"""BatchNorm over the batches of all processes.

Torch's own ``SyncBatchNorm`` needs a GPU; this one runs wherever processes can add tensors.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn


def batch_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Normalize a channel by its mean and variance over the batches of all processes.

    Args:
        x: ``[N, C, H, W]``; N may differ between processes.
        weight, bias: ``[C]``.
        eps: added to the variance.

    Returns:
        The result, of the shape and dtype of ``x``, and in float32 the mean ``[C]`` and the unbiased variance
        ``[C]``, which take no part in gradients.
    """
    with torch.autocast(x.device.type, enabled=False):
        channels, values = x.shape[1], x.float()
        variance, mean = torch.var_mean(values, (0, 2, 3), correction=0)
        count = mean.new_full((1,), x.numel() // channels)
        means, variances, counts = _Rows.apply(torch.cat((mean, variance, count))).split(
            [channels, channels, 1], dim=1
        )
        # Means of means, and not sums of squares, which would cancel.
        shares = counts / counts.sum()
        mean = (shares * means).sum(0)
        variance = (shares * (variances + (means - mean) ** 2)).sum(0)
        scale = weight * torch.rsqrt(variance + eps)
        shift = bias - mean * scale
        y = values * scale[:, None, None] + shift[:, None, None]
        unbiased = variance.detach() * (counts.sum() / (counts.sum() - 1))
    return y.to(x.dtype), mean.detach(), unbiased


class _Rows(torch.autograd.Function):
    """A vector of each process, ``[n]``, to all of them in all processes, ``[processes, n]``.

    What one process does with another's row counts for the other's gradient: the backward pass adds them up.
    """

    @staticmethod
    def forward(ctx, mine: Tensor) -> Tensor:
        rows = mine.new_zeros(dist.get_world_size(), len(mine))
        rows[dist.get_rank()] = mine
        dist.all_reduce(rows)
        return rows

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return _Mine.apply(gradient)


class _Mine(torch.autograd.Function):
    """The other way: what all processes have, ``[processes, n]``, added up, and this one's row of it, ``[n]``."""

    @staticmethod
    def forward(ctx, rows: Tensor) -> Tensor:
        rows = rows.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(rows)
        return rows[dist.get_rank()]

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return _Rows.apply(gradient)


class SyncBatchNorm2d(nn.BatchNorm2d):
    """A ``BatchNorm2d`` that trains on the statistics of all processes; evaluation is as usual."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        y, mean, variance = batch_norm(x, self.weight, self.bias, self.eps)
        if self.track_running_stats:
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance, self.momentum)
                self.num_batches_tracked += 1
        return y


@contextmanager
def synchronized(module: nn.Module) -> Iterator[None]:
    """Every ``BatchNorm2d`` inside ``module`` is a :class:`SyncBatchNorm2d` while the body runs.

    The layers stay the same objects with the same parameters and names.
    """
    norms = [m for m in module.modules() if type(m) is nn.BatchNorm2d]
    for norm in norms:
        norm.__class__ = SyncBatchNorm2d
    try:
        yield
    finally:
        for norm in norms:
            norm.__class__ = nn.BatchNorm2d
