"""What :mod:`snnbook.kernels.triton` runs on the device; the only module that imports Triton.

Names: ``h`` is the potential before the reset, ``u`` after it, ``s`` the spike.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

WARPS = 4
# Time steps loaded together, and whose potentials the backward pass holds in registers.
STEPS = 8


@triton.jit
def load_steps(pointer, offsets, stride, start, inside, T: tl.constexpr, STEPS: tl.constexpr):
    """A block at the steps from ``start`` on, zero past T; all loads are under way before the first is used."""
    loaded = ()
    for k in tl.static_range(STEPS):
        # 64 bits: a tensor may have more than 2^31 elements.
        step = tl.cast(start + k, tl.int64) * stride
        loaded += (tl.load(pointer + step + offsets, mask=inside & (start + k < T), other=0.0),)
    return loaded


@triton.jit
def fire(h, threshold, STRICT: tl.constexpr):
    return (h > threshold if STRICT else h >= threshold).to(tl.float32)


@triton.jit
def reset(h, s, threshold, HARD: tl.constexpr):
    return h * (1.0 - s) if HARD else h - threshold * s


@triton.jit
def slope(x, a, b, SHAPE: tl.constexpr):
    """The surrogate's derivative at a distance ``x`` from the threshold; all of them are even in ``x``."""
    x = tl.abs(x)
    if SHAPE == "rectangle":
        y = tl.where(x < a, b, 0.0)
    elif SHAPE == "triangle":
        y = tl.maximum(a - x, 0.0) * b
    elif SHAPE == "atan":
        y = b / (1.0 + (a * x) * (a * x))
    else:
        q = 1.0 / (1.0 + tl.exp(a * x))  # sigmoid(-a x), small where the slope is: no cancellation in 1 - q
        y = b * q * (1.0 - q)
        if SHAPE == "dspike":
            y = tl.where(x <= 0.5, y, 0.0)
    return y


@triton.jit
def forward(
    current,
    decay,
    spikes,
    size,
    stride,
    threshold,
    T: tl.constexpr,
    CHUNKS: tl.constexpr,
    STEPS: tl.constexpr,
    LEARNED: tl.constexpr,
    STRICT: tl.constexpr,
    HARD: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Spikes of one block of neurons; time goes in ``CHUNKS`` chunks of ``STEPS``."""
    offsets = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < size
    kept = tl.load(decay).to(tl.float32) if LEARNED else decay
    u = tl.zeros([BLOCK], tl.float32)
    for chunk in range(CHUNKS):
        currents = load_steps(current, offsets, stride, chunk * STEPS, inside, T, STEPS)
        for k in tl.static_range(STEPS):
            h = kept * u + currents[k].to(tl.float32)
            s = fire(h, threshold, STRICT)
            step = tl.cast(chunk * STEPS + k, tl.int64) * size
            tl.store(spikes + step + offsets, s, mask=inside & (chunk * STEPS + k < T))
            u = reset(h, s, threshold, HARD)


@triton.jit
def backward(
    gradient,
    current,
    decay,
    result,
    partial,
    size,
    gradient_stride,
    stride,
    threshold,
    a,
    b,
    T: tl.constexpr,
    CHUNKS: tl.constexpr,
    STEPS: tl.constexpr,
    LEARNED: tl.constexpr,
    STRICT: tl.constexpr,
    HARD: tl.constexpr,
    DETACH: tl.constexpr,
    SHAPE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Gradient ``d`` of the potential before the reset, which is that of the current, last step first.

    Chunks of time go last first; each runs the recurrence again, forward, and then back.  A sequence of several
    chunks replays what comes before the one at hand: at T = 16, half of the current is read twice.
    Where the last chunk reaches past T, zero currents and gradients leave ``d`` at zero.
    """
    offsets = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < size
    kept = tl.load(decay).to(tl.float32) if LEARNED else decay
    carried = tl.zeros([BLOCK], tl.float32)  # gradient of the potential after the reset
    moved = tl.zeros([BLOCK], tl.float32)  # gradient of the decay
    for chunk in range(CHUNKS - 1, -1, -1):
        gradients = load_steps(gradient, offsets, gradient_stride, chunk * STEPS, inside, T, STEPS)
        currents = load_steps(current, offsets, stride, chunk * STEPS, inside, T, STEPS)
        u = tl.zeros([BLOCK], tl.float32)
        for t in range(chunk * STEPS):
            step = tl.cast(t, tl.int64) * stride
            h = kept * u + tl.load(current + step + offsets, mask=inside, other=0.0).to(tl.float32)
            u = reset(h, fire(h, threshold, STRICT), threshold, HARD)
        earlier = u
        potentials = ()
        for k in tl.static_range(STEPS):
            h = kept * u + currents[k].to(tl.float32)
            potentials += (h,)
            u = reset(h, fire(h, threshold, STRICT), threshold, HARD)
        for k in tl.static_range(STEPS - 1, -1, -1):
            h = potentials[k]
            g = gradients[k].to(tl.float32)
            if not DETACH:
                g -= carried * (h if HARD else threshold)
            d = g * slope(h - threshold, a, b, SHAPE)
            d += carried * (1.0 - fire(h, threshold, STRICT)) if HARD else carried
            step = tl.cast(chunk * STEPS + k, tl.int64) * size
            tl.store(result + step + offsets, d, mask=inside & (chunk * STEPS + k < T))
            carried = kept * d
            if LEARNED:
                if k > 0:
                    h = potentials[k - 1]
                    moved += d * reset(h, fire(h, threshold, STRICT), threshold, HARD)
                else:
                    moved += d * earlier
    if LEARNED:
        tl.store(partial + tl.program_id(0), tl.sum(moved))


def run_forward(
    current: Tensor,
    decay: Tensor | None,
    leak: float,
    spikes: Tensor,
    threshold: float,
    strict: bool,
    hard_reset: bool,
) -> None:
    """Fill ``spikes``; arguments as in :mod:`snnbook.kernels.triton`, all tensors dense in each step."""
    programs, size, options = _plan(current, decay, strict, hard_reset)
    if programs:
        with torch.cuda.device_of(current):
            kept = leak if decay is None else decay
            forward[(programs,)](current, kept, spikes, size, current.stride(0), threshold, **options)


def run_backward(
    gradient: Tensor,
    current: Tensor,
    decay: Tensor | None,
    leak: float,
    result: Tensor,
    threshold: float,
    strict: bool,
    hard_reset: bool,
    detach_reset: bool,
    shape: str,
    a: float,
    b: float,
) -> Tensor:
    """Fill ``result``; returns the decay's gradient, 0-d, or ``[0]`` for a number.

    It is a sum of the programs' sums, in the same order at each run.
    """
    programs, size, options = _plan(current, decay, strict, hard_reset)
    partial = current.new_empty(0 if decay is None else programs, dtype=torch.float32)
    if programs:
        strides = gradient.stride(0), current.stride(0)
        kept = leak if decay is None else decay
        options |= dict(DETACH=detach_reset, SHAPE=shape)
        with torch.cuda.device_of(current):
            backward[(programs,)](
                gradient, current, kept, result, partial, size, *strides, threshold, a, b, **options
            )
    return partial if decay is None else partial.sum()


def _plan(current: Tensor, decay: Tensor | None, strict: bool, hard_reset: bool) -> tuple[int, int, dict]:
    """Programs, neurons, and what both kernels are compiled for."""
    size = current[0].numel()
    chunks = triton.cdiv(len(current), STEPS)
    steps = triton.cdiv(len(current), chunks)
    # 16 bytes a thread and step is the widest access there is; but at most 32 potentials, or registers run out.
    neurons = min(16 // current.element_size(), 8 if steps <= 4 else 4)
    block = WARPS * 32 * neurons
    options = dict(
        T=len(current),
        CHUNKS=chunks,
        STEPS=steps,
        LEARNED=decay is not None,
        STRICT=strict,
        HARD=hard_reset,
        BLOCK=block,
        num_warps=WARPS,
        enable_fp_fusion=False,  # both passes must round alike, and as the reference does
    )
    return triton.cdiv(size, block), size, options
