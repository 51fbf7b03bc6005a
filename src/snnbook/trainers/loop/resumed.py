"""Training state that was read, put where it belongs; what does not belong there is refused before it is taken.

Torch itself looks at little of it: an optimizer whose state has other shapes writes where it should not.
"""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.parameter import UninitializedTensorMixin
from torch.optim import Optimizer

from snnbook.checks import shown
from snnbook.errors import UserError, one_line
from snnbook.trainers.loop.history import History
from snnbook.trainers.loop.training import Training


def restore(
    state: dict[str, Any], path: str | Path | None, training: Training, epochs: int, steps: int = 1
) -> History:
    """Go on from ``state``, read from ``path``: fill ``training``, which is new; returns the history so far.

    Args:
        epochs: of the whole training.
        steps: of the schedule in an epoch.

    Raises:
        UserError: a part that is missing, or is not like what the new one has.
    """
    try:
        history = History(**state["history"])
        history.check(epochs)
        new = training.state()
        _check_scheduler(state["scheduler"], new["scheduler"], history.epochs, steps)
        _check_alike(state["scaler"], new["scaler"], "scaler")
        _check_optimizer(state["optimizer"], training.optimizer)
        _check_alike(state["method"], new["method"], "method")
        for name, part in vars(training).items():
            part.load_state_dict(state[name])
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(
            f"checkpoint {path} does not fit the method ({one_line(error)[:150]}); "
            "build it as it was, or delete the file to start again"
        ) from None
    return history


def _check_scheduler(found: dict[str, Any], new: dict[str, Any], epochs: int, steps: int) -> None:
    _check_alike(found, new, "scheduler")
    if found["last_epoch"] != epochs * steps:
        raise ValueError(
            f"scheduler.last_epoch is {shown(found['last_epoch'])}, and {epochs} epochs are done"
        )
    for key in new.keys() & found.keys():
        if not key.startswith("_") and key != "last_epoch" and found[key] != new[key]:
            raise ValueError(f"scheduler.{key} is {shown(found[key])}")


def _check_optimizer(found: dict[str, Any], optimizer: Optimizer) -> None:
    groups = optimizer.state_dict()["param_groups"]
    _check_alike(found["param_groups"], groups, "optimizer.param_groups")
    if [group["params"] for group in found["param_groups"]] != [group["params"] for group in groups]:
        raise ValueError("optimizer.param_groups are of other parameters")
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for number, kept in found["state"].items():
        for name, value in kept.items():
            like = torch.zeros((), dtype=torch.float32) if name == "step" else parameters[number]
            if value is None and optimizer.param_groups[0].get("momentum") == 0:
                continue  # nothing is kept of a momentum that there is not
            _check_alike(value, like, f"optimizer.state.{number}.{name}")
            if name == "step" and not math.isfinite(value):
                raise ValueError(f"optimizer.state.{number}.step is {shown(value)}")
    if len({tuple(kept) for kept in found["state"].values()}) > 1:
        raise ValueError("optimizer.state has parts for some parameters alone")


def _check_alike(found: Any, new: Any, where: str) -> None:
    """Raise a ValueError unless ``found`` has the types and shapes of ``new``, in all that both have."""
    if isinstance(new, UninitializedTensorMixin) or new is None:
        return
    if isinstance(new, Tensor):
        like = isinstance(found, Tensor) and not found.is_meta
        if not like or (found.shape, found.dtype, found.layout) != (new.shape, new.dtype, new.layout):
            raise ValueError(f"{where} is no {str(new.dtype).removeprefix('torch.')} {list(new.shape)}")
    elif isinstance(new, dict):
        if not isinstance(found, dict):
            raise ValueError(f"{where} is {shown(found)}")
        for key in new.keys() & found.keys():
            _check_alike(found[key], new[key], f"{where}.{key}")
    elif isinstance(new, list | tuple):
        if not isinstance(found, list | tuple) or len(found) != len(new):
            raise ValueError(f"{where} is {shown(found)}")
        for index, pair in enumerate(zip(found, new, strict=True)):
            _check_alike(*pair, f"{where}.{index}")
    elif isinstance(new, int | float):
        number = isinstance(found, int | float) and isinstance(found, bool) == isinstance(new, bool)
        if not number or not math.isfinite(found):
            raise ValueError(f"{where} is {shown(found)}")
