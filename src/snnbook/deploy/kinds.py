"""The few kinds of layers that other tools know, too, and what of them cannot be written."""

from torch import nn

from snnbook.errors import UserError
from snnbook.folding import SpikingNetwork, repeating
from snnbook.neurons import LIF

KINDS = "Conv2d, Linear, average pooling, max-pooling of spikes, Flatten, sums and neurons"


def check_plain(module: nn.Module, name: str) -> None:
    """Raise a UserError if ``module`` does more than its kind, which a graph would leave out without a word."""
    forward = type(module).forward
    own = hasattr(module, "dynamics") and forward is not LIF.forward
    own = own or (isinstance(module, SpikingNetwork) and forward is not SpikingNetwork.forward)
    hooks = len(module._forward_hooks) + len(module._forward_pre_hooks)
    why = ""
    if own or "forward" in vars(module):
        why = "has a forward of its own"
    elif hooks > ("" in repeating(module)):  # the one where still images are repeated
        why = "has hooks; remove them"
    if why:
        raise UserError(f"{name} ({type(module).__name__}) cannot be written: it {why}; known are {KINDS}")


def unknown(layer: nn.Module, name: str) -> UserError:
    return UserError(f"{name} is {type(layer).__name__}, which cannot be written; known are {KINDS}")


def known(layer: nn.Module, name: str, reads: tuple, shape: tuple, spikes: bool) -> tuple[nn.Module, bool]:
    """``layer`` in a form that is known, and whether it leaves spikes spikes.

    Raises:
        UserError: there is none.
    """
    if hasattr(layer, "dynamics"):
        if layer.dynamics.smooth:
            raise UserError(f"{name} is smooth, which is no spiking neuron; train with spikes to export")
        return layer, False
    why = ""
    if isinstance(layer, nn.AdaptiveAvgPool2d):
        sides = list(zip(reads[-2:], shape[-2:], strict=True))
        if any(a % b for a, b in sides):
            raise UserError(f"{name} pools unequal windows, {reads[-2:]} to {shape[-2:]}; use other images")
        layer = nn.AvgPool2d(tuple(a // b for a, b in sides))
    if isinstance(layer, nn.AvgPool2d | nn.MaxPool2d):
        return layer, _pooling(layer, name, reads, shape, spikes)
    if isinstance(layer, nn.Conv2d):
        why = "has a padding of another kind than zeros" if layer.padding_mode != "zeros" else ""
        why = why or ("pads one side more" if padding_of(layer) is None else "")
    elif isinstance(layer, nn.Linear):
        why = "reads the last axis of a map" if len(reads) > 1 else ""
    elif isinstance(layer, nn.Flatten):
        why = "" if len(shape) == 1 else "keeps some axes"
        if not why:
            return layer, True
    else:
        raise unknown(layer, name)
    if why:
        raise UserError(f"{name} {why}, which cannot be written; known are {KINDS}")
    return layer, False


def _pooling(layer: nn.Module, name: str, reads: tuple, shape: tuple, spikes: bool) -> bool:
    average = isinstance(layer, nn.AvgPool2d)
    kernel, stride, padding = pair(layer.kernel_size), pair(layer.stride), pair(layer.padding)
    sizes = [(n + 2 * p - k) // s + 1 for n, k, s, p in zip(reads[-2:], kernel, stride, padding, strict=True)]
    why = ""
    if tuple(sizes) != shape[-2:]:
        why = "pools windows beyond the border (ceil_mode, dilation)"
    elif average and (layer.divisor_override or (any(padding) and not layer.count_include_pad)):
        why = "divides by another number than its window's"
    elif not average and not spikes:
        why = "is max-pooling of something else than spikes"
    if why:
        raise UserError(f"{name} {why}, which cannot be written; known are {KINDS}")
    return not average or kernel == (1, 1)


def pair(x: int | tuple[int, ...]) -> tuple[int, int]:
    return (x, x) if isinstance(x, int) else tuple(x)


def padding_of(layer: nn.Conv2d) -> tuple[int, int] | None:
    """Rows and columns of zeros at each side; None if the sides differ."""
    if layer.padding == "valid":
        return 0, 0
    if layer.padding == "same":
        wide = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        return None if any(n % 2 for n in wide) else tuple(n // 2 for n in wide)
    return pair(layer.padding)
