"""BatchNorm over the batches of all processes.

Torch's own ``SyncBatchNorm`` needs a GPU; this one runs wherever processes can add tensors.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn

from snnbook.backbones.batchnorm import StepBatchNorm2d, each_step
from snnbook.errors import UserError
from snnbook.trainers.loop.instead import Instead

KINDS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def batch_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalize a channel by its mean and variance over the batches of all processes.

    Args:
        x: ``[N, C]`` or ``[N, C, ...]``; N may differ between processes, and be 0 in some.
        weight, bias: ``[C]``; None for 1 and 0.
        eps: added to the variance.

    Returns:
        The result, of the shape and dtype of ``x``, and in float32 or wider the mean ``[C]`` and the unbiased
        variance ``[C]``, which take no part in gradients.

    Raises:
        UserError: a single value a channel, which has no variance.
    """
    with torch.autocast(x.device.type, enabled=False):
        channels, values = x.shape[1], x.to(torch.promote_types(x.dtype, torch.float32))
        across = [axis for axis in range(x.dim()) if axis != 1]
        if x.numel():
            variance, mean = torch.var_mean(values, across, correction=0)
        else:
            variance = mean = values.sum(across)  # zeros, and their share will be nothing
        count = mean.new_full((1,), x.numel() // channels)
        means, variances, counts = _rows(torch.cat((mean, variance, count))).split(
            [channels, channels, 1], dim=1
        )
        if x.numel() <= channels and counts.sum() <= 1:
            raise UserError(
                f"BatchNorm of {channels} channels has one value a channel to train on, over all processes; "
                "expected two or more; use larger batches"
            )
        # Means of means, and not sums of squares, which would cancel.
        shares = counts / counts.sum()
        mean = (shares * means).sum(0)
        variance = (shares * (variances + (means - mean) ** 2)).sum(0)
        scale = torch.rsqrt(variance + eps)
        scale = scale if weight is None else weight * scale
        shift = -mean * scale if bias is None else bias - mean * scale
        per_channel = (-1, *[1] * (x.dim() - 2))
        y = values * scale.view(per_channel) + shift.view(per_channel)
        unbiased = variance.detach() * (counts.sum() / (counts.sum() - 1))
    return y.to(x.dtype), mean.detach(), unbiased


def _rows(mine: Tensor) -> Tensor:
    """A vector of each process, ``[n]``, to all of them in all processes, ``[processes, n]``."""
    others = torch.zeros_like(mine)
    return _Sum.apply(
        torch.stack([mine if r == dist.get_rank() else others for r in range(dist.get_world_size())])
    )


class _Sum(torch.autograd.Function):
    """The sum over processes, in all of them.

    What one process does with the sum counts for the gradients of all: the backward pass adds up, too.
    """

    @staticmethod
    def forward(ctx, mine: Tensor) -> Tensor:
        total = mine.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return _Sum.apply(gradient)


@contextmanager
def synchronized(module: nn.Module) -> Iterator[None]:
    """Every BatchNorm of torch's inside ``module`` trains on the statistics of all processes while the body runs.

    Evaluation is as usual, and so are layers with a forward of their own.
    """
    with ExitStack() as stack:
        for norm in module.modules():
            if type(norm) is StepBatchNorm2d:
                stack.callback(Instead(norm, _each_step_over_processes).undo)
            elif isinstance(norm, KINDS) and type(norm).forward is nn.BatchNorm2d.forward:
                stack.callback(Instead(norm, _over_processes).undo)
        yield


def _each_step_over_processes(norm: nn.Module, forward, input: Tensor) -> Tensor:
    once = partial(_over_processes, norm, forward)
    return each_step(once, input) if norm.training else forward(input)


def _over_processes(norm: nn.Module, forward, input: Tensor) -> Tensor:
    x = input  # torch's name for it
    if not norm.training:
        return forward(x)
    norm._check_input_dim(x)
    y, mean, variance = batch_norm(x, norm.weight, norm.bias, norm.eps)
    if norm.track_running_stats and norm.running_mean is not None:
        with torch.no_grad():
            norm.num_batches_tracked += 1
            # Without momentum, the mean over all batches so far.
            share = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
            for running, now in ((norm.running_mean, mean), (norm.running_var, variance)):
                running.lerp_(now.to(running.dtype), share)
    return y
