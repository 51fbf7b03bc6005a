"""The recurrence as one CUDA kernel forward and one backward, written in Triton.

Each program walks its block of neurons through all time steps with the membrane potential in registers, in
float32 whatever the type of the current.  The forward pass reads the current once and writes the spikes once:
4 bytes a neuron and step in bfloat16, as many as a copy.

The backward pass keeps the *current*, and nothing else, and runs the recurrence again in registers.  Keeping the
potential instead would write a tensor of the same size, and a potential rounded to bfloat16 can land on the other
side of the threshold from the spike it belongs to.  The current costs no write, is a single step where an image
repeats (stride 0), and gives back the float32 potentials bit for bit, so that the gradient is that of the spikes
which were emitted.  It also means that nobody may change the current in place afterwards; torch notices.

Parity with :func:`snnbook.kernels.reference.lif_reference`: multiplication and addition are kept apart
(``enable_fp_fusion=False``; fused, they would round once instead of twice), so float32 spikes are equal bit for
bit, and gradients up to rounding.  For bfloat16 and float16 the reference, which rounds the potential at each
step, is to be run on ``current.float()``.  One exception is known: for Blackwell, Triton 3.6's assembler fuses
packed pairs all the same, and a potential within rounding of the threshold may fall on its other side.
"""

import importlib.util
import math
import os

import torch
from torch import Tensor

from snnbook.errors import UserError
from snnbook.kernels.dynamics import Dynamics
from snnbook.kernels.function import Bodies, differentiable
from snnbook.kernels.layout import dense, empty_like_step, like
from snnbook.kernels.reference import lif_reference
from snnbook.surrogates import ATan, DSpike, Rectangle, RelativeTriangle, Sigmoid, Surrogate, Triangle

INSTALLED = importlib.util.find_spec("triton") is not None
TYPES = (torch.float32, torch.bfloat16, torch.float16)

# Shape, width a and height b of a surrogate's derivative; the shapes are `slope` in triton_device.py.
SHAPES = {
    Rectangle: lambda s: ("rectangle", s.width / 2, 1 / s.width),
    Triangle: lambda s: ("triangle", s.gamma, 1 / s.gamma**2),
    RelativeTriangle: lambda s: ("triangle", s.threshold, s.gamma / s.threshold),
    Sigmoid: lambda s: ("sigmoid", s.k, s.k),
    ATan: lambda s: ("atan", math.pi / 2 * s.alpha, s.alpha / 2),
    # 1 / cosh(y)^2 = 4 q (1 - q) with q = sigmoid(2 y): a sigmoid cut off at 1/2.
    DSpike: lambda s: ("dspike", 2 * s.b, 2 * s.b / math.tanh(s.b / 2)),
}


def lif_triton(current: Tensor, dynamics: Dynamics, decay: Tensor | float) -> Tensor:
    """As :func:`snnbook.kernels.reference.lif_reference`, its potential in float32 whatever the input's type.

    Args:
        current: input current ``[T, ...]``, float32, bfloat16 or float16, on a CUDA device; read where it lies if
            each step is dense, contiguous or channels-last, copied otherwise.  Time may have stride 0.
        dynamics: threshold, surrogate, firing and reset rules.  What this kernel does not know (``smooth``, a
            learned threshold, a surrogate of your own) is left to the reference, in float32 as well.
        decay: factor kept of the potential from one step to the next; a number or a 0-d tensor.

    Returns:
        Spikes, 0 or 1, shaped and typed as ``current``, each step in its memory order.

    Raises:
        UserError: no CUDA device under ``current`` (and no interpreter: ``TRITON_INTERPRET=1``), no Triton,
            or another type.
    """
    if not INSTALLED:
        raise UserError(
            "the triton kernel needs the package triton, which is not installed; unset SNNBOOK_KERNEL"
        )
    if current.device.type != "cuda" and os.environ.get("TRITON_INTERPRET") != "1":
        raise UserError(
            f"the triton kernel runs on CUDA devices, not on {current.device.type}; unset SNNBOOK_KERNEL"
        )
    if current.dtype not in TYPES:
        raise UserError(
            f"the triton kernel takes float32, bfloat16 or float16, not {current.dtype}; "
            "set SNNBOOK_KERNEL=reference"
        )
    if dynamics.only_reference(tuple(SHAPES)):
        return lif_reference(current.float(), dynamics, decay).to(current.dtype)
    decay = decay.to(current.device) if isinstance(decay, Tensor) else float(decay)
    if torch.compiler.is_compiling():
        return _spikes(current, dynamics, decay)
    return differentiable(BODIES, current, dynamics, decay)


def _spikes(current: Tensor, dynamics: Dynamics, decay: Tensor | float) -> Tensor:
    return _lif(dense(current), *_settings(dynamics, decay))


def _gradients(
    gradient: Tensor, current: Tensor, dynamics: Dynamics, decay: Tensor | float, learned: bool
) -> tuple[Tensor, Tensor]:
    result, moved = _lif_backward(gradient, dense(current), *_settings(dynamics, decay))
    return result, moved.to(decay.dtype) if learned else moved


BODIES = Bodies(_spikes, _gradients)


def _settings(dynamics: Dynamics, decay: Tensor | float) -> tuple:
    """What both operators take after the tensors."""
    learned = isinstance(decay, Tensor)
    return (
        decay if learned else None,
        1.0 if learned else decay,
        float(dynamics.threshold),
        dynamics.strict,
        dynamics.hard_reset,
        dynamics.detach_reset,
        *_shape(dynamics.surrogate),
    )


def _shape(surrogate: Surrogate) -> tuple[str, float, float]:
    """Shape, width and height of the surrogate's derivative."""
    shape, a, b = SHAPES[type(surrogate)](surrogate)
    return shape, float(a), float(b)


@torch.library.custom_op("snnbook::lif", mutates_args=(), tags=(torch.Tag.needs_exact_strides,))
def _lif(
    current: Tensor,
    decay: Tensor | None,
    leak: float,
    threshold: float,
    strict: bool,
    hard_reset: bool,
    detach_reset: bool,
    shape: str,
    a: float,
    b: float,
) -> Tensor:
    """Spikes of dense currents; the decay is ``decay`` if given, else the number ``leak``."""
    from snnbook.kernels import triton_device  # Triton is imported where it runs, nowhere else

    spikes = empty_like_step(current)
    triton_device.run_forward(current, decay, leak, spikes, threshold, strict, hard_reset)
    return spikes


@_lif.register_fake
def _(current, *settings):
    return empty_like_step(current)


@torch.library.custom_op("snnbook::lif_backward", mutates_args=(), tags=(torch.Tag.needs_exact_strides,))
def _lif_backward(
    gradient: Tensor,
    current: Tensor,
    decay: Tensor | None,
    leak: float,
    threshold: float,
    strict: bool,
    hard_reset: bool,
    detach_reset: bool,
    shape: str,
    a: float,
    b: float,
) -> tuple[Tensor, Tensor]:
    """Gradients of the currents, ``[T, ...]``, and of a learned decay, float32 and 0-d (``[0]`` for a number)."""
    from snnbook.kernels import triton_device

    result = empty_like_step(current)
    gradient = like(gradient, result)
    decay_gradient = triton_device.run_backward(
        gradient, current, decay, leak, result, threshold, strict, hard_reset, detach_reset, shape, a, b
    )
    return result, decay_gradient


@_lif_backward.register_fake
def _(gradient, current, decay, *settings):
    shape = 0 if decay is None else ()
    return empty_like_step(current), current.new_empty(shape, dtype=torch.float32)


# For compiled networks, in which the operators stand by themselves.


def _keep(ctx, inputs, output):
    current, decay, *ctx.settings = inputs
    ctx.save_for_backward(current, decay)


def _differentiate(ctx, gradient):
    current, decay = ctx.saved_tensors
    result, decay_gradient = _lif_backward(gradient, current, decay, *ctx.settings)
    decay_gradient = None if decay is None else decay_gradient.to(decay.dtype)
    return result, decay_gradient, *(None for _ in ctx.settings)


_lif.register_autograd(_differentiate, setup_context=_keep)
