"""Less memory for the backward pass, without changing a number: three ways to keep what it needs.

A network that trains keeps, for each neuron and step, the input of the BatchNorm, the membrane potential and the
spikes.  ``full`` keeps all three as they are.  ``bytes`` keeps the spikes that a convolution reads as one byte
each, which a spike fits in exactly.  ``recompute`` keeps each block's input alone and runs the block again on the
way back: one forward pass more, for the memory of all blocks but one.
"""

from contextlib import contextmanager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from snnbook.backbones.backbone import Backbone
from snnbook.deploy.batchnorm import dataflow
from snnbook.errors import UserError
from snnbook.folding import Clock, clock, running

WAYS = ("full", "bytes", "recompute")


def save_memory(backbone: nn.Module, way: str) -> nn.Module:
    """Let ``backbone`` train in less memory; it is changed in place and returned, its state dict is not.

    Args:
        backbone: a :class:`snnbook.backbones.Backbone`, spiking or not.
        way: ``"full"`` (no change), ``"bytes"`` (convolutions that read spikes) or ``"recompute"`` (blocks).

    Raises:
        UserError: no such way, or a network that is not of this library.
    """
    if way not in WAYS:
        raise UserError(f"memory is {way!r}; expected one of {', '.join(WAYS)}")
    if way != "full" and not isinstance(backbone, Backbone):
        raise UserError(
            f"memory is {way!r}, which a {type(backbone).__name__} does not know; expected a network of "
            "snnbook.backbones; set recipe.memory: full"
        )
    if way == "bytes":
        for convolution in _reading_spikes(backbone):
            _become(convolution, _BytesForSpikes)
    elif way == "recompute":
        for block in _blocks(backbone):
            _become(block, _Recomputed)
    return backbone


def _reading_spikes(backbone: nn.Module) -> list[nn.Conv2d]:
    layers = dataflow(backbone)
    return [
        layer
        for node, layer in layers.items()
        if isinstance(layer, nn.Conv2d) and hasattr(layers.get(node.args[0]), "dynamics")
    ]


def _blocks(backbone: nn.Module) -> list[nn.Module]:
    """The residual blocks of each stage; the whole stage where it is a plain stack of layers."""
    blocks = []
    for stage in backbone.stages:
        inner = [part for part in stage.children() if any(isinstance(m, nn.Conv2d) for m in part.children())]
        blocks += inner or [stage]
    return blocks


def _become(module: nn.Module, mixin: type) -> None:
    """Give a module another forward.  Others hold references to it, so it cannot be replaced by a new one."""
    if not isinstance(module, mixin):
        module.__class__ = type(mixin.__name__.strip("_") + type(module).__name__, (mixin, type(module)), {})


class _BytesForSpikes(nn.Module):
    def forward(self, spikes: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return super().forward(spikes)
        shape = self.stride, self.padding, self.dilation, self.groups
        return _ByteConvolution.apply(spikes, self.weight, self.bias, *shape)


class _ByteConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, spikes, weight, bias, *shape):
        ctx.save_for_backward(spikes.to(torch.uint8), weight)
        ctx.shape = shape
        return F.conv2d(spikes, weight, bias, *shape)

    @staticmethod
    def backward(ctx, gradient):
        spikes, weight = ctx.saved_tensors
        stride, padding, dilation, groups = ctx.shape
        of_spikes, of_weight, of_bias = torch.ops.aten.convolution_backward(
            gradient,
            spikes.to(gradient.dtype),
            weight.to(gradient.dtype),  # under autocast the gradient is narrower than the weight
            [len(weight)],
            stride,
            padding,
            dilation,
            False,
            [0, 0],
            groups,
            ctx.needs_input_grad[:3],
        )
        same = [x if x is None else x.to(weight.dtype) for x in (of_weight, of_bias)]
        return of_spikes, *same, None, None, None, None


class _Recomputed(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and torch.is_grad_enabled()):
            return super().forward(x)
        return checkpoint(
            super().forward,
            x,
            use_reentrant=False,
            context_fn=lambda: (nullcontext(), _once_more(self, clock())),
        )


@contextmanager
def _once_more(module: nn.Module, clock: Clock | None):
    """It is the same time as the first, and BatchNorms inside must not count the same batch twice."""
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    before = [(m.momentum, m.num_batches_tracked) for m in norms]
    try:
        for m in norms:
            m.momentum = 0.0
            if m.num_batches_tracked is not None:
                m.num_batches_tracked = m.num_batches_tracked.clone()  # counted up in place
        with running(clock):
            yield
    finally:
        for m, (momentum, count) in zip(norms, before, strict=True):
            m.momentum, m.num_batches_tracked = momentum, count
