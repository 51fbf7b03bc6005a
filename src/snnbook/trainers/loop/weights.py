"""Weights on disk, in safetensors files: numbers with names, nothing that could run.

A tensor that has two names in a network (tied layers, a shared bias) is written once.  Names are those that it has
uncompiled, so that ``torch.compile`` makes no difference.  The file names snnbook's version and the digest of its
weights, by which a record can say what it used.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedTensorMixin

from snnbook import __version__, files
from snnbook.backbones.backbone import take_in_biases
from snnbook.checks import shown
from snnbook.errors import UserError, one_line
from snnbook.factorized import check_has_its_factors
from snnbook.trainers.loop.finite import first_damaged

FORMAT = 1  # of the note in the file's metadata, under "snnbook"


def save_weights(module: nn.Module, path: str | os.PathLike[str]) -> str:
    """Write parameters and buffers of ``module``; the file appears whole or not at all.

    Args:
        module: any network or method, on any device.
        path: of the file, ``*.safetensors`` by custom; folders above it are made.

    Returns:
        The weights' digest, see :func:`weights_digest`.

    Raises:
        UserError: a tensor without numbers (meta, sparse, not initialized), one that holds NaN or infinity, state
            that is no tensor; layers whose factors are outside; a place that cannot be written.
    """
    place = files.place(path, "weights")
    tensors = _tensors(module)
    if name := first_damaged(module, tensors):
        raise UserError(f"weights {name!r} hold NaN or infinity, so {place} was not written; train again")
    tensors = {_uncompiled(name): value for name, value in tensors.items()}
    kept, names = {}, {}  # what is written, and under which of its names
    for name, value in tensors.items():
        names[name] = kept.setdefault(_identity(value, name), name)
    # Cloned, since a part of a larger tensor would take the whole of it along.
    plain = torch.contiguous_format
    content = {name: tensors[name].detach().cpu().clone(memory_format=plain) for name in kept.values()}
    found = _digest(tensors)
    note = {"format": FORMAT, "version": __version__, "digest": found, "names": names}
    try:
        # One entry: several would come in any order, and equal weights would make unequal files.
        files.write_bytes(place, safetensors.torch.save(content, {"snnbook": json.dumps(note)}))
    except (OSError, RuntimeError, ValueError, KeyError, safetensors.SafetensorError) as error:
        raise UserError(f"cannot write {place} ({one_line(error)[:100]}); choose another file") from None
    return found


def load_weights(module: nn.Module, path: str | os.PathLike[str], prefix: str = "") -> str:
    """Fill ``module`` with weights that :func:`save_weights` wrote, or any safetensors file of the same names.

    Args:
        module: built as the one that was saved; a lower or higher floating-point precision is kept, and biases
            before a BatchNorm, which older weights have, are taken into its running mean.
        path: of the file.
        prefix: take the entries whose names start with it, and cut it off; for a part of what was saved.

    Returns:
        The digest of all weights in the file.

    Raises:
        UserError: the file is missing, damaged or no safetensors file; an entry is missing, not expected, of
            another shape or kind, or not finite; ``module`` has layers whose factors are outside.  It is then as
            it was.
    """
    place = files.place(path, "weights")
    tensors, found = _read(place)
    plain, prefix = {_uncompiled(name): value for name, value in tensors.items()}, _uncompiled(prefix)
    values = {name.removeprefix(prefix): value for name, value in plain.items() if name.startswith(prefix)}
    wanted = _tensors(module)
    values = _as_named_in(module, values)
    take_in_biases(module, values)
    if problem := _misfit(wanted, values):
        raise UserError(
            f"the weights at {place} do not fit the network ({problem}); "
            "build it with the settings it was trained with"
        )
    if name := first_damaged(module, values):
        raise UserError(f"the weights at {place} hold NaN or infinity in {name!r}; train that run again")
    try:
        module.load_state_dict(values)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()[:150]
        raise UserError(f"the weights at {place} cannot be loaded ({reason})") from None
    return found


def check_fits(module: nn.Module, other: nn.Module, name: str) -> None:
    """Raise a UserError unless ``module`` could load the weights of ``other``, which ``name`` will leave."""
    if problem := _misfit(_tensors(module), _tensors(other)):
        raise UserError(
            f"the weights of {name} will not fit the network ({problem}); give both the same network and method"
        )


def read(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """All weights in a file by name, in the network's order, on the CPU.

    Raises:
        UserError: see :func:`load_weights`.
    """
    return _read(files.place(path, "weights"))[0]


def weights_digest(path: str | os.PathLike[str]) -> str:
    """64 hex digits, equal for equal weights: the SHA-256 over their names, dtypes, shapes and bytes.

    It does not depend on the device or memory layout they had, nor on which of them are tied.

    Raises:
        UserError: see :func:`load_weights`; or the weights are others than when they were written.
    """
    return _read(files.place(path, "weights"))[1]


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    """The state of ``module``, if it is all numbers."""
    if not isinstance(module, nn.Module):
        raise UserError(f"got {shown(module)}; expected a network, an nn.Module; weights are saved from one")
    check_has_its_factors(module)
    state = module.state_dict()
    for name, value in state.items():
        if name == "__metadata__":
            raise UserError("weights are named '__metadata__', where the file keeps its notes; rename them")
        if not isinstance(value, Tensor):
            raise UserError(
                f"state {name!r} is {shown(value)}; expected tensors alone; leave it out of the state"
            )
        if isinstance(value, UninitializedTensorMixin):
            raise UserError(f"weights {name!r} have no shape yet; call the network once on a batch of images")
        if value.is_meta:
            raise UserError(
                f"weights {name!r} are on the meta device, without numbers; move them to 'cpu' first"
            )
        if value.layout != torch.strided or value.is_quantized:
            what = "quantized" if value.is_quantized else str(value.layout).removeprefix("torch.")
            raise UserError(
                f"weights {name!r} are {what}; expected a dense tensor; call .to_dense() or dequantize()"
            )
    return dict(state)


def _uncompiled(name: str) -> str:
    """``name`` without the wrappers that ``torch.compile`` puts around a module and its parts."""
    return ".".join(part for part in name.split(".") if part != "_orig_mod")


def _as_named_in(module: nn.Module, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``values`` by the names that they have in ``module``, which may be compiled, or parts of it."""
    places = {_uncompiled(name): name for name, _ in module.named_modules(remove_duplicate=False)}
    named = {}
    for name, value in values.items():
        above, _, own = name.rpartition(".")
        place = places.get(above, above)
        named[f"{place}.{own}" if place else own] = value
    return named


def _identity(value: Tensor, name: str) -> tuple:
    """Equal for two names of one tensor: same numbers at the same place.  Nothing is nowhere."""
    if not value.numel():
        return (name,)
    return value.device, value.data_ptr(), value.dtype, value.shape, value.stride()


def _misfit(wanted: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> str | None:
    """What is wrong with ``values`` for a network that has ``wanted``: the first of it."""
    missing = [name for name in wanted if name not in values]
    surplus = [name for name in values if name not in wanted]
    for what, names in (("they lack", missing), ("it has no place for", surplus)):
        if names:
            return f"{what} {names[0]!r}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
    tied: dict[tuple, str] = {}
    for name, value in values.items():
        own = wanted[name]
        if value.shape != own.shape:
            return f"{name!r} is {list(value.shape)} there and {list(own.shape)} here"
        kinds = [(x.is_floating_point(), x.is_complex(), x.dtype == torch.bool) for x in (value, own)]
        if kinds[0] != kinds[1]:
            return f"{name!r} is {value.dtype} there and {own.dtype} here".replace("torch.", "")
        first = tied.setdefault(_identity(own, name), name)
        if first != name and not torch.equal(values[first], value):
            return f"{first!r} and {name!r} are one tensor here and two different ones there"
    return None


def _read(place: Path) -> tuple[dict[str, Tensor], str]:
    """Weights by name, and their digest."""
    if not place.exists():
        raise UserError(f"no trained weights at {place}; train that run first, or correct the path")
    try:
        content = place.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {place} ({error.strerror}); choose a file you may read") from None
    if content[:2] in (b"PK", b"\x80\x02"):
        raise UserError(
            f"{place} is a pickle, as torch.save writes it; expected a safetensors file; "
            "load_state_dict(torch.load(..., weights_only=True)) and save_weights turn it into one"
        )
    try:
        stored = safetensors.torch.load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        note = json.loads(header.get("__metadata__", {}).get("snnbook", "{}"))
        if newer := note.get("format", FORMAT) > FORMAT:
            tensors, found = {}, ""
        else:
            tensors = {name: stored[kept] for name, kept in note["names"].items()} if note else stored
            found = _digest(tensors)
    except Exception as error:  # a damaged file breaks anywhere
        reason = one_line(error)[:80] or type(error).__name__
        raise UserError(
            f"cannot read weights from {place} ({reason}); expected a whole safetensors file"
        ) from None
    if newer:
        raise UserError(
            f"{place} was written by snnbook {note.get('version')}, this is {__version__}; upgrade"
        )
    if note.get("digest", found) != found:
        raise UserError(
            f"the weights at {place} are not those that were written there; fetch or train them again"
        )
    return tensors, found


def _digest(tensors: Mapping[str, Tensor]) -> str:
    found = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        found.update(repr((name, str(value.dtype), tuple(value.shape))).encode())
        found.update(memoryview(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()))
    return found.hexdigest()
