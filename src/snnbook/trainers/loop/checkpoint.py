"""Training state on disk: written whole, read without pickle's freedom to run code."""

import ast
import hashlib
import inspect
import io
import math
import re
from dataclasses import is_dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import torch
from torch import Tensor, nn

from snnbook import files
from snnbook.errors import UserError, one_line

LIBRARIES = ("builtins", "abc", "torch", "torchvision", "snntorch", "snnbook")
PLAIN = (bool, int, float, str, bytes, tuple, type(None))  # constants, as they are written


def save(path: str | Path, state: dict[str, Any]) -> None:
    """Write tensors, numbers, strings and containers of them; the file appears whole or not at all.

    Raises:
        UserError: the method's state holds something else, or the file cannot be written.
    """
    _check_readable(
        {name: part for name, part in state.get("method", {}).items() if not isinstance(part, Tensor)}
    )
    buffer = io.BytesIO()
    torch.save(state, buffer)
    files.write_bytes(files.place(path, "training state"), buffer.getvalue())


def _check_readable(states: dict[str, Any]) -> None:
    """Raise a UserError unless a checkpoint of these, a method's extra states, will be read again."""
    buffer = io.BytesIO()
    try:
        torch.save(states, buffer)
        buffer.seek(0)
        torch.load(buffer, weights_only=True)
    except Exception as error:  # pickle raises many types, as load does
        raise UserError(
            f"the method's {', '.join(states)} holds what no checkpoint can be read with "
            f"({one_line(error)[-100:]}); expected tensors and Python's own numbers, texts, lists and dictionaries"
        ) from None


def load(path: str | Path) -> dict[str, Any]:
    """Read what :func:`save` wrote, onto the CPU.

    Raises:
        UserError: the file is truncated or no checkpoint.  It is left as it is.
    """
    path = files.place(path, "training state")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for a damaged file
        reason = str(error).strip().splitlines()[0][:80] if str(error).strip() else type(error).__name__
        raise UserError(
            f"cannot read checkpoint {path} ({reason}); expected one written by snnbook; delete it to start again"
        ) from None


def resume(path: str | Path | None, identity: str) -> dict[str, Any] | None:
    """The training state at ``path``, or None where there is none yet.

    Raises:
        UserError: the file is damaged, belongs to another experiment, or holds NaN.  It is left as it is.
    """
    if path is None or not files.place(path, "training state").exists():
        return None
    state = load(path)
    if not isinstance(state, dict) or state.get("identity") != identity:
        found = state.get("identity", "nothing") if isinstance(state, dict) else "nothing"
        raise UserError(
            f"checkpoint {path} belongs to another experiment ({found}); expected {identity}; "
            "move it away, or choose another name or work folder"
        )
    if where := _nan({key: state.get(key) for key in ("method", "optimizer", "scheduler", "scaler")}):
        raise UserError(f"checkpoint {path} holds NaN in {where}; delete it to start again")
    return state


def described(method: nn.Module) -> str:
    """The class of ``method`` and 12 hex digits of its settings and modules, by which another method is told.

    Left out is what training changes, so that an interrupted method still matches.  A class of your own is told by
    its code without comments and by its public attributes that are numbers, texts or tuples, a surrogate by its
    numbers; what else an attribute holds, a list or a function, is not looked at.
    """
    config = getattr(method, "config", None)
    parts = [config if is_dataclass(config) else None]
    parts += [(name, type(module).__qualname__, _settings(module)) for name, module in method.named_modules()]
    kinds = {kind for module in (method, *method.modules()) for kind in _kinds(module)}
    if own := sorted(f"{kind.__qualname__} {_code(kind)}" for kind in kinds if _is_own(kind)):
        parts += [own, [(name, _constants(module)) for name, module in method.named_modules()]]
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", repr(parts))  # of functions, in each process another
    return f"{type(method).__name__} {hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _kinds(module: nn.Module) -> list[type]:
    """The classes that ``module`` and its surrogate are made of."""
    surrogate = getattr(getattr(module, "dynamics", None), "surrogate", None)
    return [*type(module).__mro__, *type(surrogate).__mro__]


def _is_own(kind: type) -> bool:
    return kind.__module__.partition(".")[0] not in LIBRARIES


def _code(kind: type) -> list[str]:
    """A class's functions and properties, without comments and layout, and its constants.

    What Python does not know the text of is left out.
    """
    found = []
    for name, item in vars(kind).items():
        function = getattr(item, "__func__", getattr(item, "fget", item))
        try:
            found.append(ast.dump(ast.parse(dedent(inspect.getsource(function)))))
        except (OSError, TypeError, SyntaxError):
            if isinstance(item, PLAIN) and not name.startswith("__"):
                found.append(f"{name} = {item!r}")
    return found


def _constants(module: nn.Module) -> list:
    """The numbers and texts that a module of one's own class was given."""
    if not _is_own(type(module)):
        return []
    found = {name: item for name, item in vars(module).items() if name != "training" and name[:1] != "_"}
    return sorted((name, repr(item)) for name, item in found.items() if isinstance(item, PLAIN))


def _settings(module: nn.Module) -> Any:
    """What ``module`` says of itself, unless it may have learned that."""
    if is_dataclass(dynamics := getattr(module, "dynamics", None)):
        own = {key: getattr(module, key, None) for key in ("decay", "scale_input", "time_steps")} | vars(
            dynamics
        )
        if not is_dataclass(surrogate := dynamics.surrogate):
            own["surrogate"] = type(surrogate).__qualname__, sorted(vars(surrogate).items())
        return {key: value for key, value in own.items() if not isinstance(value, Tensor)}
    changes = module._parameters or module._buffers
    lists = isinstance(module, nn.ParameterList | nn.ParameterDict)  # they name their device
    fixed = type(module).__module__.startswith("torch.") and not lists
    return module.extra_repr() if fixed or not changes else None


def _nan(value: Any, where: str = "") -> str | None:
    """Where in nested containers there is NaN."""
    if isinstance(value, Tensor):
        numbers = value.is_floating_point() and not value.is_meta
        return where if numbers and value.isnan().any() else None
    if isinstance(value, float):
        return where if math.isnan(value) else None
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return next(filter(None, (_nan(item, f"{where}.{key}".lstrip(".")) for key, item in items)), None)
