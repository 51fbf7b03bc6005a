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
from snnbook.precision import at_least_single, wide
from snnbook.trainers.loop.instead import Instead

aten = torch.ops.aten
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
    known = all(p is None or p.dtype in (x.dtype, wide(x)) for p in (weight, bias))
    if x.is_cpu and known and not torch.compiler.is_compiling():
        return _BatchNorm.apply(x, weight, bias, eps)
    return _written_out(x, weight, bias, eps)


def _statistics(x: Tensor, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, variance and number of values a channel over all processes, from this one's mean and variance."""
    channels = x.shape[1]
    count = mean.new_full((1,), x.numel() // channels)
    means, variances, counts = _rows(torch.cat((mean, variance, count))).split([channels, channels, 1], dim=1)
    if x.numel() <= channels and counts.sum() <= 1:
        raise UserError(
            f"BatchNorm of {channels} channels has one value a channel to train on, over all processes; "
            "expected two or more; use larger batches"
        )
    # Means of means, and not sums of squares, which would cancel.
    shares = counts / counts.sum()
    mean = (shares * means).sum(0)
    return mean, (shares * (variances + (means - mean) ** 2)).sum(0), counts.sum()


def _unbiased(variance: Tensor, count: Tensor) -> Tensor:
    return variance.detach() * (count / (count - 1))


def _written_out(x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> tuple:
    """As :func:`batch_norm`, in operations that torch differentiates, as often as one likes."""
    with torch.autocast(x.device.type, enabled=False):
        values = at_least_single(x)
        across = [axis for axis in range(x.dim()) if axis != 1]
        if x.numel():
            variance, mean = torch.var_mean(values, across, correction=0)
        else:
            variance = mean = values.sum(across)  # zeros, and their share will be nothing
        mean, variance, count = _statistics(x, mean, variance)
        scale = torch.rsqrt(variance + eps)
        scale = scale if weight is None else weight * scale
        shift = -mean * scale if bias is None else bias - mean * scale
        per_channel = (-1, *[1] * (x.dim() - 2))
        y = values * scale.view(per_channel) + shift.view(per_channel)
    return y.to(x.dtype), mean.detach(), _unbiased(variance, count)


class _BatchNorm(torch.autograd.Function):
    """The same in the passes over memory that torch's own BatchNorm makes on a CPU, and one more."""

    @staticmethod
    def forward(ctx, x, weight, bias, eps):
        ones = x.new_ones(x.shape[1], dtype=wide(x))
        zeros = torch.zeros_like(ones)
        found = aten.batch_norm_update_stats(x, zeros, ones, 0.0) if x.numel() else (zeros, zeros)
        mean, variance, count = _statistics(x, *found)
        inverse = torch.rsqrt(variance + eps)
        scale = inverse if weight is None else weight * inverse
        y = _affine(x, scale, -mean * scale if bias is None else bias - mean * scale)
        unbiased = _unbiased(variance, count)
        ctx.eps = eps
        ctx.save_for_backward(x, weight, bias, mean, inverse, count)
        ctx.mark_non_differentiable(mean, unbiased)
        return y, mean, unbiased

    @staticmethod
    def backward(ctx, gradient, *_):
        x, weight, bias, mean, inverse, count = ctx.saved_tensors
        if torch.is_grad_enabled():  # somebody will differentiate this
            inputs = [p for p, needed in zip((x, weight, bias), ctx.needs_input_grad, strict=False) if needed]
            y, *_ = _written_out(x, weight, bias, ctx.eps)
            found = iter(torch.autograd.grad(y, inputs, gradient, create_graph=True))
            return *(next(found) if needed else None for needed in ctx.needs_input_grad[:3]), None
        gradient = torch.empty_like(x).copy_(gradient) if gradient.stride() != x.stride() else gradient
        scale = inverse if weight is None else weight * inverse
        products = sums = torch.zeros_like(mean)
        if x.numel():  # sums of the gradient, and of the gradient times the normalized input
            _, products, sums = aten.native_batch_norm_backward(
                gradient, x, scale, None, None, mean, inverse, True, ctx.eps, [False, True, True]
            )
        total = torch.cat((products, sums))
        dist.all_reduce(total)
        product, sum_ = (total / count).chunk(2)
        slope = -scale * inverse * product
        moved = _affine(x, slope, -scale * sum_ - slope * mean)
        moved += _affine(gradient, scale, torch.zeros_like(scale))
        own = [None if p is None else value.to(p.dtype) for p, value in ((weight, products), (bias, sums))]
        return moved, *own, None


def _affine(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """``scale x + shift`` by channel, in one pass: an evaluating BatchNorm of mean 0 and variance 1."""
    if not x.numel():
        return torch.empty_like(x)
    ones = torch.ones_like(scale)
    return aten.native_batch_norm(x, scale, shift, torch.zeros_like(scale), ones, False, 0.0, 0.0)[0]


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
    return each_step(once, input) if norm.training else forward(input)  # which goes by step if it has to


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
