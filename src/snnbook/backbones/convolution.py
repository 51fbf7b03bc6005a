"""A convolution whose weights' gradient takes a shorter way on small maps.

``dW[k, c, i, j] = sum_nhw x[n, c, h + i - 1, w + j - 1] g[n, k, h, w]`` is itself a convolution: of ``x`` with
``g`` for a kernel of the map's size, images and channels having changed places.  Where borders are most of a map,
oneDNN does this in less time than what it has for gradients of weights (at 2x2 positions a third, at 4x4 four
fifths).  Elsewhere torch's own is faster.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snnbook.precision import native

# Positions of the largest map for which it is faster, by what is computed in.
POSITIONS = {torch.bfloat16: 16, torch.float32: 9}
# Products of x and g for a place of the kernel, below which calling takes longer than computing.
PRODUCTS = 1 << 23


def with_small_maps(convolution: nn.Conv2d) -> nn.Conv2d:
    """``convolution``, the same module, which from now on goes the shorter way where there is one."""
    convolution._conv_forward = partial(_forward, convolution)
    return convolution


def _forward(convolution: nn.Conv2d, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if bias is None and _shorter(convolution, x, weight):
        dtype = _computed_in(x)
        return _Convolution.apply(x.to(dtype), weight.to(dtype))
    return nn.Conv2d._conv_forward(convolution, x, weight, bias)


def _computed_in(x: Tensor) -> torch.dtype:
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype


def _shorter(convolution: nn.Conv2d, x: Tensor, weight: Tensor) -> bool:
    c = convolution
    settings = c.kernel_size, c.stride, c.padding, c.dilation, c.groups, c.padding_mode
    if settings != ((3, 3), (1, 1), (1, 1), (1, 1), 1, "zeros"):
        return False
    if x.dim() != 4 or not x.is_cpu or torch.compiler.is_compiling():
        return False
    if not (torch.is_grad_enabled() and weight.requires_grad) or not x.numel():
        return False
    if torch.float64 in (x.dtype, weight.dtype):  # which autocast lets be
        return False
    if not torch.is_autocast_enabled("cpu") and x.dtype != weight.dtype:
        return False
    if not native(_computed_in(x)):
        return False
    batch, channels, height, width = x.shape
    products = batch * height * width * channels * c.out_channels
    small = min(height, width) > 1 and height * width <= POSITIONS.get(_computed_in(x), 0)
    return small and products >= PRODUCTS


class _Convolution(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x, weight):
        return F.conv2d(x, weight, padding=1)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, gradient):  # in operations that can be differentiated again
        x, weight = ctx.saved_tensors
        needed, dx, dweight = ctx.needs_input_grad, None, None
        if needed[0]:
            settings = [1, 1], [1, 1], [1, 1], False, [0, 0], 1
            dx = torch.ops.aten.convolution_backward(
                gradient, x, weight, None, *settings, [True, False, False]
            )[0]
        if needed[1]:
            # Channels-first on purpose: with images for channels, that is faster than channels-last.
            dweight = F.conv2d(_exchanged(x), _exchanged(gradient), padding=1)
            rows = dweight.flatten(1).t().contiguous()  # [k*3*3, c]: channels-last
            dweight = rows.view(len(weight), 3, 3, -1).permute(0, 3, 1, 2)
        return dx, dweight

    @staticmethod
    def jvp(ctx, dx, dweight):
        x, weight = ctx.saved_tensors
        terms = [F.conv2d(*pair, padding=1) for pair in ((dx, weight), (x, dweight)) if None not in pair]
        return sum(terms)


def _exchanged(x: Tensor) -> Tensor:
    """``[N, C, H, W]`` to ``[C, N, H, W]``; from channels-last a transposed matrix, which torch copies fast."""
    n, c, h, w = x.shape
    return x.permute(0, 2, 3, 1).reshape(-1, c).t().contiguous().view(c, n, h, w)
