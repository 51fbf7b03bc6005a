"""Floating point operations of what is computed, counted from shapes alone."""

from collections.abc import Callable, Sequence

import torch

Shape = Sequence[int]


def operations(run: Callable[[], object]) -> int:
    """Of convolutions and matrix products during ``run()``; a product and the sum it goes into are two.

    The counter is torch's, but for a convolution's gradients: each takes what the convolution takes, while torch
    counts those of grouped weights as if there were one group.
    """
    from torch.utils.flop_counter import FlopCounterMode  # brings Triton, which takes its time

    gradients = {torch.ops.aten.convolution_backward: _gradients}
    with FlopCounterMode(display=False, custom_mapping=gradients) as counter:
        run()
    return counter.get_total_flops()


def _gradients(gradient: Shape, x: Shape, weight: Shape, *settings, **_) -> int:
    """Of the backward pass of a convolution, by the shapes of what it is given."""
    from torch.utils.flop_counter import conv_flop_count

    _bias, _stride, _padding, _dilation, transposed, _output_padding, _groups, wanted = settings
    return sum(wanted[:2]) * conv_flop_count(x, weight, gradient, transposed=transposed)
