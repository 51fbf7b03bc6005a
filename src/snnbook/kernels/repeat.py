"""What stands still, at every time step: a view whose gradient lies in memory as what it is the gradient of.

Torch's own ``expand`` puts out the sum over steps channels-first, whatever came in.  The BatchNorm of the stem,
given one layout forward and another backward, then took most of the time that all BatchNorms take.
"""

import torch
from torch import Tensor


def repeated(x: Tensor, time_steps: int) -> Tensor:
    """``x``, ``[B, ...]``, once for each step, ``[T, B, ...]``: a view."""
    if torch.compiler.is_compiling():  # a compiler chooses layouts by itself
        return x.expand(time_steps, *x.shape)
    return _Repeat.apply(x, time_steps)


class _Repeat(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x, time_steps):
        return x.expand(time_steps, *x.shape)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.time_steps = inputs[1]

    @staticmethod
    def backward(ctx, gradient):
        return _Total.apply(gradient), None

    @staticmethod
    def jvp(ctx, tangent, _):
        return tangent.expand(ctx.time_steps, *tangent.shape)


class _Total(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        """The sum over steps, by halves: additions keep the layout, and in half precision round least."""
        while len(x) > 1:
            half = len(x) // 2
            total = x[:half] + x[half : 2 * half]
            if len(x) % 2:
                total[0] += x[-1]
            x = total
        return x[0]

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.time_steps = len(inputs[0])

    @staticmethod
    def backward(ctx, gradient):
        return _Repeat.apply(gradient, ctx.time_steps)

    @staticmethod
    def jvp(ctx, tangent):
        return _Total.apply(tangent)
