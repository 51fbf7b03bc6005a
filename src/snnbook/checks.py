"""Numbers and settings in range, or one line that says what was expected."""

import types
from dataclasses import fields
from math import inf
from numbers import Integral, Real
from typing import Any, Union, get_args, get_origin, get_type_hints

from snnbook.errors import UserError


def shown(value: Any) -> str:
    """``repr(value)`` in one short line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def check_number(
    name: str, value: Any, low: float = -inf, high: float = inf, *, above: bool = False, meaning: str = ""
) -> None:
    """Raise a UserError unless ``value`` is a finite number from ``low`` to ``high``.

    Args:
        name: of the argument or setting.
        value: it.
        low, high: the least and the largest number allowed.
        above: the number must be above ``low``.
        meaning: what the number is, for the end of the message.
    """
    real = isinstance(value, Real) and not isinstance(value, bool)
    if real and -inf < value < inf and (value > low if above else value >= low) and value <= high:
        return
    wanted = "a finite number"
    if high < inf:
        wanted = f"a number in {'(' if above else '['}{low:g}, {high:g}]"
    elif low > -inf:
        wanted = f"a finite number {'above' if above else 'of at least'} {low:g}"
    raise UserError(f"{name} is {shown(value)}; expected {wanted}{meaning and f', {meaning}'}")


def check_choice(name: str, value: Any, known: tuple) -> None:
    """Raise a UserError unless ``value`` is one of ``known``."""
    if value not in known:
        raise UserError(f"{name} is {shown(value)}; expected one of {', '.join(known)}")


def check_types(config: Any, section: str) -> None:
    """Raise a UserError unless each field of a dataclass has the type it is annotated with, and floats are finite.

    Args:
        config: the dataclass.
        section: of the settings, for the message.
    """
    hints = get_type_hints(type(config))
    for item in fields(config):
        value, expected = getattr(config, item.name), hints[item.name]
        if not _is(value, expected):
            wanted = " or ".join(NAMES.get(kind, str(kind)) for kind in _options(expected))
            raise UserError(f"{section}.{item.name} is {shown(value)}; expected {wanted}")


NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a finite number",
    str: "a name",
    dict: "a mapping",
    types.NoneType: "nothing",
}


def _options(expected: Any) -> tuple:
    return get_args(expected) if get_origin(expected) in (Union, types.UnionType) else (expected,)


def _is(value: Any, expected: Any) -> bool:
    options = _options(expected)
    if isinstance(value, bool):
        return bool in options
    if float in options and isinstance(value, Real):
        return -inf < value < inf
    if int in options and isinstance(value, Integral):
        return True
    return any(isinstance(value, get_origin(kind) or kind) for kind in options)
