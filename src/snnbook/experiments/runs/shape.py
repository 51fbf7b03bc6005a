"""What the parts of a record are: their names, types and least values, down to what the commands read."""

from math import isfinite
from types import EllipsisType
from typing import Any

from snnbook.checks import shown
from snnbook.errors import UserError

TEXT, NUMBER, NOTHING = "a text", "a finite number", "null"
FROM_0, FROM_1 = "a whole number", "a whole number above 0"

# A text is a kind of value, a tuple one of several; a list has items of one shape; a mapping has these keys and,
# with an ellipsis, others of one shape.  ``None`` is anything.
CONFIG: dict = {
    "method": {"name": TEXT, ...: None},
    "recipe": {"epochs": FROM_1, ...: None},
    ...: {...: None},
}
NEED: dict = {"run": TEXT, "config": CONFIG, "data": TEXT, "weights": (TEXT, NOTHING)}
NEED["needs"] = [NEED]
RECORD: dict = {
    "run": TEXT,
    "label": TEXT,
    "seed": FROM_0,
    "profile": TEXT,
    "asked": TEXT,
    "config": CONFIG,
    "data": {
        "name": TEXT,
        "fingerprint": TEXT,
        "classes": FROM_1,
        "train": FROM_1,
        "test": FROM_1,
        "standard_error_at_90": NUMBER,
        ...: None,
    },
    "metrics": {...: {"last": NUMBER, "best": NUMBER, "best_epoch": FROM_0, ...: NUMBER}},
    "curve": {"loss": {...: [NUMBER]}, "accuracy": {...: [NUMBER]}, "tested": [FROM_0], ...: {...: None}},
    "measure": {...: {...: None}},
    "cost": {"seconds": NUMBER, "seconds_per_epoch": NUMBER, "parameters": FROM_0, ...: NUMBER},
    "environment": {"device": TEXT, "device_type": TEXT, "threads": FROM_1, ...: None},
    "code": {"version": TEXT, "commit": (TEXT, NOTHING), "tree": TEXT, ...: None},
    "created": TEXT,
    "needs": [NEED],
    "weights": (TEXT, NOTHING),
    "history": [TEXT],
    "schema": FROM_1,
}
# What `analysis.measure` counts today and did not always; a record may be older than that.
LATER = {f"energy_{rule}_uj" for rule in ("dense", "every_step", "paper")} | {
    "accumulates",
    "multiply_accumulates",
}
# Of an older schema some are missing.
OLDER = {"needs", "weights", "history"}


def check(
    content: Any, shape: Any = RECORD, where: str = "", missing: set[str] | frozenset[str] = frozenset()
) -> None:
    """Raise a UserError that names the part of ``content`` which is not as ``shape`` says.

    Args:
        content: of JSON.
        shape: of it, see above.
        where: the part that ``content`` is.
        missing: keys that may be.
    """
    if shape is None:
        return
    if isinstance(shape, str | tuple):
        kinds = (shape,) if isinstance(shape, str) else shape
        if not any(_is(kind, content) for kind in kinds):
            raise UserError(f"{where} is {shown(content)}; expected {' or '.join(kinds)}")
        return
    if not isinstance(content, type(shape)):
        kind = "a list" if isinstance(shape, list) else "a mapping"
        raise UserError(f"{where or 'it'} is {shown(content)}; expected {kind}")
    if isinstance(content, list):
        for index, item in enumerate(content):
            check(item, shape[0], f"{where}.{index}")
        return
    lacks = [key for key in shape if not isinstance(key, EllipsisType) and key not in content]
    if lost := [key for key in lacks if key not in missing]:
        raise UserError(f"{_joined(where, lost[0])} is missing")
    for key, item in content.items():
        if key not in shape and ... not in shape:
            raise UserError(f"{_joined(where, key)} is not known")
        check(item, shape.get(key, shape.get(...)), _joined(where, key))


def check_curves(content: dict) -> None:
    """Raise a UserError unless the curves of a record (which is as ``RECORD`` says) are as long as its run."""
    epochs, curve = content["config"]["recipe"]["epochs"], content["curve"]
    tested = curve["tested"]
    if tested != sorted(set(tested)) or tested[:1] == [0] or tested[-1:] != [epochs]:
        raise UserError(
            f"curve.tested is {shown(tested)}; expected epochs that rise from 1 on and end at {epochs}"
        )
    for kind, length in {"loss": epochs, "accuracy": len(tested), "test_loss": len(tested)}.items():
        for name, values in curve.get(kind, {}).items():
            if not isinstance(values, list) or len(values) != length:
                count = len(values) if isinstance(values, list) else shown(values)
                raise UserError(
                    f"curve.{kind}.{name} has {count} entries; expected {length}, for {epochs} epochs"
                )


def _joined(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _is(kind: str, value: Any) -> bool:
    if kind == TEXT:
        return isinstance(value, str) and not any("\ud800" <= c <= "\udfff" for c in value)
    if kind == NOTHING:
        return value is None
    if isinstance(value, bool) or not isinstance(value, int if kind in (FROM_0, FROM_1) else int | float):
        return False
    if kind == NUMBER:
        return (isinstance(value, int) and abs(value) < 2**63) or (
            isinstance(value, float) and isfinite(value)
        )
    return (kind == FROM_1) <= value < 2**63
