"""Self-attentive spatio-temporal calibration (SASTC 2025): which teacher layer a student layer learns from.

A batch's similarity matrix says which images a layer treats as alike.  It exists for any layer of any
network, at any time step, in one shape ``[B, B]``: the common ground on which layers of an SNN and of an ANN
are compared.  The equations are lost in the paper's text; they follow its public code.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from snnbook.losses.shapes import check_axes
from snnbook.precision import at_least_single, full_precision


def similarity(features: Tensor, time: bool = False) -> Tensor:
    """Inner products between the features of each two images of a batch, not normalized (Eq. 3).

    Args:
        features: ``[B, ...]`` of a teacher, ``[T, B, ...]`` of a student.
        time: the first axis is time.

    Returns:
        ``[B, B]``, or ``[T, B, B]`` with time, in float32 at least; a gradient flows through it.

    Raises:
        UserError: features without an axis behind the batch, or empty ones.
    """
    check_axes(("features", features, "T B ..." if time else "B ..."))
    channels = 1 + time
    if _channels_last(features, channels):  # products do not see an order of features, flattening would copy
        features = features.movedim(channels, -1)
    rows = features.flatten(channels)
    # Entries reach 1e5, beyond what half precision tells apart, so autocast stays out.
    with full_precision(features.device):
        return _InnerProducts.apply(at_least_single(rows))


class _InnerProducts(torch.autograd.Function):
    """``x @ x.mT``, whose gradient is one product where torch takes two, one for each factor.

    It has no forward mode: a compiler refuses a function with a ``jvp``.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x @ x.mT

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return (gradient + gradient.mT) @ x


def attention_weights(queries: Tensor, keys: Tensor) -> Tensor:
    """Share of each teacher layer in what a student layer learns: a softmax over teacher layers (Eq. 5).

    Args:
        queries: ``[T, B, S, E]``, of S student layers, rows of unit length.
        keys: ``[B, K, E]``, of K teacher layers, rows of unit length.

    Returns:
        ``[T, B, S, K]``; sums to 1 over K.  Products of unit rows lie in [-1, 1] and are not scaled, so a
        weight is never below ``1 / (1 + (K - 1) e**2)`` nor above ``1 / (1 + (K - 1) e**-2)``.

    Raises:
        UserError: shapes that do not fit each other.
    """
    check_axes(("queries", queries, "T B S E"), ("keys", keys, "B K E"))
    with full_precision(queries.device):
        return torch.softmax(at_least_single(queries) @ at_least_single(keys).mT, dim=-1)


def distance(projected: Tensor, target: Tensor) -> Tensor:
    """Squared distance of a student's projected features from a teacher's, mean over entries (inside Eq. 6).

    The paper's text names similarity matrices here; its code, and the rest of its text, compare features.

    Args:
        projected: ``[T, B, C, H, W]``.
        target: ``[B, C, H, W]``; no gradient flows into it.

    Returns:
        ``[T, B]``, in float32 at least.

    Raises:
        UserError: shapes that do not fit each other.
    """
    check_axes(("projected", projected, "T B C H W"), ("target", target, "B C H W"))
    projected, target = at_least_single(projected), at_least_single(target.detach())
    if _channels_last(projected, 2):  # else torch lays the gradient channels-first, and all before copies it
        projected, target = projected.movedim(2, -1), target.movedim(1, -1)
    # One pass over memory each way, where difference and square take two; a mean's own gradient fills a map.
    with full_precision(projected.device):
        squares = F.mse_loss(projected, target.expand_as(projected), reduction="none")
        return squares.sum((2, 3, 4)) / projected[0, 0].numel()


def _channels_last(x: Tensor, channels: int) -> bool:
    """Whether the numbers of a position in a map lie side by side; ``channels`` is their axis."""
    return x.dim() == channels + 3 and x.stride(channels) == 1


def calibration(attention: Tensor, distances: Tensor) -> Tensor:
    """The loss of SASTC: distances weighted by attention, summed over teacher layers (Eqs. 6-7).

    The mean runs over time steps, images and student layers.

    Args:
        attention: ``[T, B, S, K]``.
        distances: ``[T, B, S, K]``.

    Raises:
        UserError: the shapes differ.
    """
    check_axes(("attention", attention, "T B S K"), ("distances", distances, "T B S K"))
    return (at_least_single(attention) * at_least_single(distances)).sum(-1).mean()
