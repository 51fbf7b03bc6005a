"""Less memory for the backward pass, without changing a number: three ways to keep what it needs.

A network that trains keeps, for each neuron and step, the input of the BatchNorm, the membrane potential and the
spikes.  ``full`` keeps all three as they are.  ``bytes`` keeps the spikes that a layer reads as one byte each,
which a spike fits in exactly; so do sums of up to 255 of them.  ``recompute`` keeps each block's input alone and
runs the block again on the way back: one forward pass more, for the memory of all blocks but one.

``torch.compile`` decides by itself what to keep, and compiled code goes none of these ways.
"""

from contextlib import ExitStack, contextmanager
from functools import partial
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torch.utils.weak import WeakIdKeyDictionary

from snnbook.backbones.backbone import Backbone
from snnbook.errors import UserError
from snnbook.factorized import keep_composed
from snnbook.folding import AtThisTime
from snnbook.neurons import LIF
from snnbook.precision import AsNow
from snnbook.trainers.loop.instead import Instead

WAYS = ("full", "bytes", "recompute")


def save_memory(network: nn.Module, way: str) -> ExitStack:
    """Let ``network`` train in less memory until what this returns is closed::

        with save_memory(network, "bytes"):
            ...  # train

    Outputs, gradients and running statistics are the same to the last bit, and so is the state dict.  Hooks inside
    a block that is recomputed are called again in the backward pass.

    Args:
        network: changed in place; for ``"recompute"``, a :class:`snnbook.backbones.Backbone` or what holds some.
        way: ``"full"`` (no change), ``"bytes"`` (whatever a layer keeps that fits, see :func:`_pack`) or
            ``"recompute"`` (blocks).

    Returns:
        What undoes it, by ``close()`` or at the end of a ``with``.

    Raises:
        UserError: no such way, no module, or nothing to recompute.
    """
    if not isinstance(network, nn.Module):
        raise UserError(f"memory is saved in modules of torch, not in {type(network).__name__}")
    if way not in WAYS:
        raise UserError(f"memory is {way!r}; expected one of {', '.join(WAYS)}")
    instead = {}
    if way == "bytes":
        for module in network.modules():
            if hasattr(module, "dynamics"):
                if type(module).forward is LIF.forward and not module.dynamics.smooth:
                    instead[module] = _spiking
            elif _is_layer(module) and not isinstance(module, nn.modules.batchnorm._NormBase):
                instead[module] = _packing
    elif way == "recompute":
        instead = dict.fromkeys(_blocks(network), _recomputed)
    saving = ExitStack()
    for module, run in instead.items():
        saving.callback(Instead(module, run).undo)
    return saving


def _is_layer(module: nn.Module) -> bool:
    """Whether it has no parts, apart from those that compose its weights."""
    return all(name == "parametrizations" for name, _ in module.named_children())


def _blocks(network: nn.Module) -> list[nn.Module]:
    """The residual blocks of each stage; the whole stage where it is a plain stack of layers."""
    stages = [stage for m in network.modules() if isinstance(m, Backbone) for stage in m.stages]
    if not stages:
        raise UserError(
            "memory is 'recompute', which needs the stages of a network of snnbook.backbones, and a "
            f"{type(network).__name__} has none; set recipe.memory: bytes or full"
        )
    blocks = []
    for stage in stages:
        in_blocks = isinstance(stage, nn.Sequential) and not any(map(_is_layer, stage))
        blocks += stage if in_blocks else [stage]
    return blocks


# Storages that hold nothing but spikes: as which type, and at which version, so that a change is noticed.
_SPIKES = WeakIdKeyDictionary()
# Storages and their tensors as bytes, while a graph keeps these: what two layers read is packed once.
_PACKED = WeakIdKeyDictionary()
_BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
# The hooks around ours, such as those of a checkpoint: of several pairs torch calls the innermost alone.
_hooks_around = getattr(torch._C._autograd, "_top_saved_tensors_default_hooks", lambda _: None)


def _spiking(neuron, forward, *args, **kwargs):
    spikes = forward(*args, **kwargs)
    if not torch.compiler.is_compiling():
        _SPIKES[spikes.untyped_storage()] = spikes._version, spikes.dtype
    return spikes


def _packing(layer, forward, *args, **kwargs):
    if torch.compiler.is_compiling() or not torch.is_grad_enabled():
        return forward(*args, **kwargs)
    own = {p.untyped_storage()._cdata for p in layer.parameters()}
    around = _hooks_around(False)
    with torch.autograd.graph.saved_tensors_hooks(partial(_pack, own, around), lambda kept: kept.unpack()):
        return forward(*args, **kwargs)


def _pack(own: set, around: tuple | None, x: Tensor) -> "_Kept":
    """``x`` as bytes if that is exact, else as it is.

    It is exact for what neurons of this library put out, whose spikes are 0 and 1 by construction, and for views
    of that; and where the bytes give back all bits of ``x``.  The latter is looked up on a CPU alone: a GPU would
    have to be waited for.
    """
    floats = type(x) is Tensor and x.is_floating_point() and x.element_size() in _BITS and x.numel()
    if not floats or not torch.ops.aten.is_non_overlapping_and_dense(x):
        return _Kept(x, x, around)
    storage = x.untyped_storage()
    if storage._cdata in own:
        return _Kept(x, x, around)
    known = _SPIKES.get(storage) == (x._version, x.dtype)
    if not known and not x.is_cpu:
        return _Kept(x, x, around)
    packed = _PACKED.setdefault(storage, WeakValueDictionary())
    key = x._version, x.dtype, x.storage_offset(), x.shape, x.stride()
    if (data := packed.get(key)) is None:
        flat = x.as_strided((x.numel(),), (1,))  # in the order of memory
        data = flat.to(torch.uint8) if known else _exact(flat)
        if data is None:
            return _Kept(x, x, around)
        packed[key] = data
    return _Kept(data, x, around)


def _exact(flat: Tensor) -> Tensor | None:
    """``flat`` as bytes, None if these are not the same numbers to the last bit; a sample mostly tells."""

    def same(data, x):
        return torch.equal(data.to(x.dtype).view(_BITS[x.element_size()]), x.view(_BITS[x.element_size()]))

    sample = flat[:: 1 + len(flat) // 64]
    if not same(sample.to(torch.uint8), sample):
        return None
    data = flat.to(torch.uint8)
    return data if same(data, flat) else None


class _Kept:
    """A tensor for the backward pass: ``data``, bytes or the tensor itself, given to the hooks around."""

    def __init__(self, data: Tensor, x: Tensor, around: tuple | None):
        self.bytes = data is not x
        self.like = x.dtype, x.shape, x.stride()
        self.version = data._version
        self.around = around
        self.data = around[0](data) if around else data

    def unpack(self) -> Tensor:
        data = self.around[1](self.data) if self.around else self.data
        if self.bytes:
            dtype, shape, stride = self.like
            return data.to(dtype).as_strided(shape, stride)
        if not self.around and data._version != self.version:  # torch does not look where there are hooks
            raise RuntimeError(
                "one of the variables needed for gradient computation has been modified by an inplace operation: "
                f"a tensor of shape {list(data.shape)}, at version {data._version}, expected {self.version}"
            )
        return data


def _recomputed(block, forward, *args, **kwargs):
    if torch.compiler.is_compiling() or not (block.training and torch.is_grad_enabled()):
        return forward(*args, **kwargs)
    again = forward  # at the same T, with the same weights, as often as somebody asks
    for context in (AtThisTime(), AsNow(), keep_composed(block), _statistics_rest(block)):
        again = context(again)
    runs = iter([forward])

    def run(*args, **kwargs):
        return next(runs, again)(*args, **kwargs)

    return checkpoint(run, *args, use_reentrant=False, **kwargs)


@contextmanager
def _statistics_rest(block: nn.Module):
    """Layers inside see the same batch once more and must not count it twice: they count in copies."""
    before = [(m._buffers, dict(m._buffers)) for m in block.modules()]
    try:
        for buffers, values in before:
            buffers.update({name: x if x is None else x.clone() for name, x in values.items()})
        yield
    finally:
        for buffers, values in before:
            buffers.update(values)
