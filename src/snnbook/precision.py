"""Computing in full precision where autocast would compute in half, and in half where a CPU cannot."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ContextDecorator, ExitStack, contextmanager, nullcontext
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

# What autocast computes in half: nearly all arithmetic of a step.
PRODUCTS = {
    torch.conv1d,
    torch.conv2d,
    torch.conv3d,
    F.linear,
    torch.matmul,
    torch.mm,
    torch.bmm,
    torch.einsum,
}
PRODUCTS |= {Tensor.matmul, Tensor.__matmul__, Tensor.__rmatmul__, Tensor.mm, Tensor.bmm}


def full_precision(device: torch.device):
    """A context without autocast; devices that know none (meta, which has shapes alone) need none."""
    kind = device.type
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()


def wide(x: Tensor) -> torch.dtype:
    """The type in which numbers of ``x`` are added up: float32, or float64 if they are in float64."""
    return torch.promote_types(x.dtype, torch.float32)


def at_least_single(x: Tensor) -> Tensor:
    """``x`` in float32, or in float64 if it is in float64."""
    return x.to(wide(x))


@contextmanager
def autocast(device: torch.device, dtype: torch.dtype | None, compiled: bool = False) -> Iterator[None]:
    """Autocast to ``dtype``, None for none; on a CPU without instructions for it by :class:`Rounded`.

    Args:
        device: what is computed on.
        dtype: bfloat16 or float16, or None.
        compiled: the body is compiled by ``torch.compile``, which does not emulate half precision.
    """
    if dtype is None:
        yield
        return
    rounded = device.type == "cpu" and not compiled and not native(dtype)
    with torch.autocast(device.type, dtype), Rounded() if rounded else nullcontext():
        yield


@cache
def native(dtype: torch.dtype) -> bool:
    """Whether convolutions in ``dtype`` have instructions of their own on this CPU.

    Half precision has them with later kinds of AVX-512.  With its first kind oneDNN emulates those for
    bfloat16, in twice the time of :class:`Rounded`; without any torch computes number by number, in ten times
    float32's time and more.
    """
    kind = {torch.bfloat16: "bf16", torch.float16: "fp16"}.get(dtype)
    if kind is None:
        return True
    asked = getattr(torch.ops.mkldnn, f"_is_mkldnn_{kind}_supported", None)
    if not torch.backends.mkldnn.is_available() or asked is None or not asked():
        return False
    emulated = torch.cpu._is_avx512_supported() and not torch.cpu._is_avx512_bf16_supported()
    return kind == "fp16" or not emulated


class _Now(threading.local):
    """In how many :class:`Rounded` this thread is."""

    rounded = 0


_NOW = _Now()


class Rounded(TorchFunctionMode):
    """Within autocast, convolutions and matrix products of half-precision numbers are computed in float32.

    Inputs and results are rounded to half precision as autocast does, and sums are taken in float32, as
    instructions for half precision do: the same numbers, but for the order of sums.  All else stays in half.
    """

    def __enter__(self):
        _NOW.rounded += 1
        return super().__enter__()

    def __exit__(self, *error):
        _NOW.rounded -= 1
        return super().__exit__(*error)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        # Autocast leaves alone what is written into a tensor given.
        if function not in PRODUCTS or kwargs.get("out") is not None or not torch.is_autocast_enabled("cpu"):
            return function(*args, **kwargs)
        half = torch.get_autocast_dtype("cpu")
        with torch.autocast("cpu", enabled=False):
            args = [_single(x, half) for x in args]
            result = function(*args, **{name: _single(x, half) for name, x in kwargs.items()})
            return result.to(half) if result.dtype == torch.float32 else result


class AsNow(ContextDecorator):
    """A context in which products are computed as they were when this was made: for what is run a second time.

    Args:
        others: contexts that are entered, too; all may be entered more than once.
    """

    def __init__(self, *others: AbstractContextManager):
        self.others, self.rounded = others, _NOW.rounded > 0
        self.entered: list[ExitStack] = []

    def __enter__(self) -> None:
        self.entered.append(ExitStack())
        for context in (*self.others, Rounded() if self.rounded else nullcontext()):
            self.entered[-1].enter_context(context)

    def __exit__(self, *error) -> None:
        self.entered.pop().__exit__(*error)


def _single(x, half: torch.dtype):
    """A tensor, or each of a list (einsum's), rounded to ``half``, in float32; else, and float64, as it is."""
    if isinstance(x, list | tuple):
        return [_single(entry, half) for entry in x]
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.dtype == torch.float64:
        return x
    return x.to(half).float()
