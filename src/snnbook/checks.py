"""Numbers and settings in range, or one line that says what was expected."""

import operator
import os
import sys
import types
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from math import inf, isfinite
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any, Union, get_args, get_origin, get_type_hints

from snnbook.errors import UserError

LARGEST = 2**63 - 1  # that torch counts to
MOST_FLOAT = sys.float_info.max
MOST_SEED = 2**32 - 1  # so that seeds made of it and an epoch fit, too
FEW = 4  # names in a message
NOTHING: Mapping[str, Any] = MappingProxyType({})
NAMES = {
    bool: ("true or false", "truth values"),
    int: ("a whole number", "whole numbers"),
    float: ("a finite number", "finite numbers"),
    str: ("a name", "names"),
    dict: ("a mapping", "mappings"),
    types.NoneType: ("nothing", "nothing"),
}


def shown(value: object) -> str:
    """``value`` as Python writes it, in one line that is not long."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # some objects cannot be written; their type can
        text = f"a {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."


def nearest(name: object, known: Iterable[str], lister: str = "") -> str:
    """``did you mean X? known: ...``, for the end of a message; of many names the nearest few.

    ``lister`` is the command that shows all of them.
    """
    known = [str(item) for item in known]
    near = get_close_matches(str(name)[:200], known, n=FEW, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    first = list(dict.fromkeys([*near, *known]))[:FEW] if len(", ".join(known)) > 160 else known
    more = f", and {len(known) - len(first)} more" if len(first) < len(known) else ""
    more += f", see '{lister}'" if more and lister else ""
    return f"{hint}known: {', '.join(shown(item)[1:-1] for item in first) or 'none'}{more}"


def whole(value: object, name: str, least: int = 0, most: int = LARGEST) -> int:
    """``value`` if it is a whole number in these bounds.

    Raises:
        UserError: it is not.
    """
    if isinstance(value, Integral) and not isinstance(value, bool) and least <= value <= most:
        return int(value)
    too_large = isinstance(value, Integral) and value > most
    limit = f", at most {most}" if most < LARGEST or too_large else ""
    raise UserError(f"{name} is {shown(value)}; expected a whole number of at least {least}{limit}")


def environment(name: str, default: float | None = None, least: float = 0) -> float:
    """The number that an environment variable holds: an ``int`` if it is whole.

    Raises:
        UserError: it is no number of at least ``least``; or is not set, and there is no ``default``.
    """
    text = os.environ.get(name)
    if text is None and default is not None:
        return default
    try:
        plain = (text or "").strip()
        number = int(plain) if plain.isdecimal() else float(plain)
        if number >= least:
            return number
    except ValueError:
        pass
    said = "not set" if text is None else shown(text)
    raise UserError(f"the environment variable {name} is {said}; expected a number of at least {least:g}")


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
    # Compared, since a compiler reads that where it cannot read isfinite.
    if (
        real
        and -MOST_FLOAT <= value <= MOST_FLOAT
        and (value > low if above else value >= low)
        and value <= high
    ):
        return
    wanted = "a finite number"
    if high < inf:
        wanted = f"a number in {'(' if above else '['}{low:g}, {high:g}]"
    elif low > -inf:
        wanted = f"a finite number {'above' if above else 'of at least'} {low:g}"
    raise UserError(f"{name} is {shown(value)}; expected {wanted}{meaning and f', {meaning}'}")


def check_types(config: Any, section: str = "") -> None:
    """Raise a UserError unless each field of a dataclass has the type it is annotated with, and floats are finite.

    A list in place of a tuple becomes one, a whole number in place of a float, too, and NumPy's numbers become
    Python's; nothing else is converted, so that ``True`` is no number and ``"3"`` neither.

    Args:
        config: an instance, frozen or not; call this in its ``__post_init__``.
        section: of the settings, for the message.
    """
    hints = get_type_hints(type(config))
    for item in fields(config):
        value = getattr(config, item.name)
        try:
            plain = as_annotated(hints[item.name], value)
        except TypeError:
            name = _name(section, item.name)
            raise UserError(f"{name} is {shown(value)}; expected {_kind(hints[item.name])}") from None
        if plain is not value:
            object.__setattr__(config, item.name, plain)


def check_fields(
    config: Any,
    section: str = "",
    *,
    choices: Mapping[str, Collection[str]] = NOTHING,
    at_least: Mapping[str, float] = NOTHING,
    above: Mapping[str, float] = NOTHING,
    at_most: Mapping[str, float] = NOTHING,
    below: Mapping[str, float] = NOTHING,
) -> None:
    """As :func:`check_types`, and within bounds, which are given by the fields' names.

    Args:
        choices: of strings, the known ones.
        at_least, above, at_most, below: of numbers, and of each number in a tuple; ``None`` has no bounds.
    """
    check_types(config, section)
    for key, known in choices.items():
        check_choice(_name(section, key), getattr(config, key), known)
    for bounds, holds, words in (
        (at_least, operator.ge, "at least"),
        (above, operator.gt, "a number above"),
        (at_most, operator.le, "at most"),
        (below, operator.lt, "a number below"),
    ):
        for key, bound in bounds.items():
            if not _all(getattr(config, key), holds, bound):
                value = shown(getattr(config, key))
                raise UserError(f"{_name(section, key)} is {value}; expected {words} {bound}")


def check_config(config: Any, cls: type) -> None:
    """Raise a UserError unless ``config`` is a ``cls``: of another class's settings some would be passed over."""
    if type(config) is not cls:
        raise UserError(f"config is {shown(config)}; expected a {cls.__name__}, as {cls.__name__}() makes it")


def check_flag(name: str, value: Any) -> None:
    """Raise a UserError unless ``value`` is true or false."""
    if not isinstance(value, bool):
        raise UserError(f"{name} is {shown(value)}; expected true or false")


def check_choice(name: str, value: Any, known: Collection[str]) -> None:
    """Raise a UserError unless ``value`` is one of ``known``."""
    if value not in known:
        raise UserError(f"{name} is {shown(value)}; expected one of {', '.join(known)}")


def as_annotated(expected: Any, value: Any) -> Any:
    """``value``, if it is what the annotation ``expected`` says: a type, a union, or a ``tuple[kind, ...]``.

    A list becomes a tuple, a whole number a float where one is expected, NumPy's numbers become Python's.

    Raises:
        TypeError: it is not.
    """
    origin, arguments = get_origin(expected), get_args(expected)
    if origin in (Union, types.UnionType):
        for option in arguments:
            try:
                return as_annotated(option, value)
            except TypeError:
                continue
        raise TypeError
    if origin is tuple and isinstance(value, list | tuple):
        items = tuple(as_annotated(arguments[0], item) for item in value)
        same = isinstance(value, tuple) and all(a is b for a, b in zip(items, value, strict=True))
        return value if same else items
    if expected is Any:
        return value
    if expected is float and isinstance(value, Real) and not isinstance(value, bool):
        if not _finite(value):
            raise TypeError
        return value if type(value) is float else float(value)
    if expected is int and isinstance(value, Integral) and not isinstance(value, bool):
        return value if type(value) is int else int(value)
    kind = origin or expected
    if kind not in (int, float, tuple) and isinstance(kind, type) and isinstance(value, kind):
        return value
    raise TypeError


def _finite(value: Real) -> bool:
    try:
        return isfinite(value)
    except OverflowError:  # a whole number too large for a float
        return False


def _kind(expected: Any, plural: bool = False) -> str:
    origin, arguments = get_origin(expected), get_args(expected)
    if origin in (Union, types.UnionType):
        return " or ".join(_kind(option) for option in arguments)
    if origin is tuple:
        return f"a list of {_kind(arguments[0], plural=True)}"
    known = NAMES.get(origin or expected)
    return known[plural] if known else f"a {getattr(expected, '__name__', expected)}"


def _all(value: Any, holds: Callable[[Any, Any], bool], bound: float) -> bool:
    if value is None:
        return True
    return all(holds(item, bound) for item in (value if isinstance(value, tuple) else (value,)))


def _name(section: str, key: str) -> str:
    return f"{section}.{key}" if section else key
