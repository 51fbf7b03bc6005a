"""Two bodies, forward and backward, as one operation of torch's, with all that torch asks of one.

The bodies are plain functions of tensors:

* ``forward(current, dynamics, decay) -> (spikes, potential)``, or the spikes alone;
* ``backward(gradient, kept, dynamics, decay, learned) -> (gradient of the current, of the decay)``, where ``kept``
  is the potential, or else the current; the decay's gradient is 0-d, and of no meaning unless ``learned``.

The gradient is the surrogate's, and there is no second: asked for, it is refused, since differentiating the
backward body would take the spikes in it for constants.  The reference kernel has one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature

import torch
from torch import Tensor

from snnbook.errors import UserError
from snnbook.kernels.dynamics import Dynamics


@dataclass(frozen=True)
class Bodies:
    forward: Callable
    backward: Callable


def differentiable(bodies: Bodies, current: Tensor, dynamics: Dynamics, decay: Tensor | float) -> Tensor:
    """Spikes by ``bodies``, with their gradient."""
    kind = _Traced if torch.compiler.is_compiling() else _LIF
    outputs = kind.apply(current, decay, dynamics, bodies)
    return outputs if isinstance(outputs, Tensor) else outputs[0]


def refuse(what: str):
    """Raise what a fast kernel answers where only the reference kernel has one."""
    raise UserError(f"this kernel has no {what}; the reference kernel has: set SNNBOOK_KERNEL=reference")


def one_by_one(operation: Callable) -> Callable:
    """A rule for ``torch.vmap``: call ``operation`` for each entry, and stack what it returns."""

    def vmap(info, in_dims, *arguments):
        def entry(i):
            pairs = zip(arguments, in_dims, strict=True)
            return operation(*(x if dim is None else x.select(dim, i) for x, dim in pairs))

        results = [entry(i) for i in range(info.batch_size)]
        if isinstance(results[0], Tensor):
            return torch.stack(results), 0
        stacked = tuple(torch.stack(parts) for parts in zip(*results, strict=True))
        return stacked, (0,) * len(stacked)

    return vmap


class _Traced(torch.autograd.Function):
    """For a compiler, which refuses second derivatives by itself."""

    @staticmethod
    def forward(current, decay, dynamics, bodies):
        return bodies.forward(current, dynamics, decay)

    @staticmethod
    def setup_context(ctx, inputs, output):
        current, decay, ctx.dynamics, ctx.bodies = inputs
        ctx.set_materialize_grads(False)  # nobody differentiates the potential
        ctx.number = None if isinstance(decay, Tensor) else decay
        # An output or input, both of which second derivatives find their way through: they can be refused.
        kept = current if isinstance(output, Tensor) else output[1]
        ctx.save_for_backward(kept, *([decay] if ctx.number is None else []))

    @staticmethod
    def backward(ctx, gradient, *_):
        kept, *learned = ctx.saved_tensors
        decay = learned[0] if learned else ctx.number
        found = ctx.bodies.backward(gradient, kept, ctx.dynamics, decay, ctx.number is None)
        return found[0], found[1] if learned else None, None, None


class _LIF(_Traced):
    @staticmethod
    def backward(ctx, gradient, *_):
        if gradient is None:
            return None, None, None, None
        kept, *learned = ctx.saved_tensors
        decay = learned[0] if learned else ctx.number
        found = _Backward.apply(gradient, kept, decay, ctx.dynamics, ctx.bodies)
        return found[0], found[1] if learned else None, None, None

    @staticmethod
    def vmap(info, in_dims, *arguments):
        return one_by_one(_LIF.apply)(info, in_dims, *arguments)

    @staticmethod
    def jvp(ctx, *tangents):
        refuse("derivative in forward mode")


class _Backward(torch.autograd.Function):
    @staticmethod
    def forward(gradient, kept, decay, dynamics, bodies):
        return bodies.backward(gradient, kept, dynamics, decay, isinstance(decay, Tensor))

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, *gradients):
        refuse("second derivative")

    @staticmethod
    def vmap(info, in_dims, *arguments):
        return one_by_one(_Backward.apply)(info, in_dims, *arguments)

    @staticmethod
    def jvp(ctx, *tangents):
        refuse("second derivative")


# Torch binds a function's arguments at each call, for which Python would read its signature anew each time: a
# tenth of a small neuron's time.
for kind in (_Traced, _Backward):
    kind.forward.__signature__ = signature(kind.forward)
