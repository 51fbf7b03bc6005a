"""The networks' own settings, checked before anything is built."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from snnbook.backbones.batchnorm import STATISTICS
from snnbook.checks import check_choice, check_flag, check_number, shown, whole
from snnbook.errors import UserError

WIDEST = 2**16  # channels, in any place: beyond, a single convolution takes more memory than machines have
DEEPEST = 1000  # blocks, in any place


def _word(*known: str) -> Callable[[str, Any], None]:
    return lambda name, value: check_choice(name, value, known)


def _number(name: str, value: Any) -> None:
    check_number(name, value, 0, WIDEST, meaning="channels")


def count(name: str, value: Any, least: int = 1, most: int = WIDEST) -> int:
    """``value`` if it is a whole number in these bounds, which the message of the UserError names."""
    try:
        return whole(value, name, least, most)
    except UserError:
        raise UserError(f"{name} is {shown(value)}; expected a whole number from {least} to {most}") from None


def _counts(most: int) -> Callable[[str, Any], None]:
    def check(name: str, value: Any) -> None:
        if not isinstance(value, list | tuple) or not value or len(value) > DEEPEST:
            raise UserError(f"{name} is {shown(value)}; expected a list of whole numbers, one a stage")
        for item in value:
            count(name, item, 1, most)

    return check


KINDS: dict[str, Callable[[str, Any], Any]] = {
    "num_classes": count,
    "in_channels": count,
    "width": count,
    "stem": lambda name, value: value is None or count(name, value),
    "blocks": _counts(DEEPEST),
    "multipliers": _counts(WIDEST),
    "strides": _counts(64),
    "large_images": check_flag,
    "hidden_head": check_flag,
    "init": _word("fan_out", "torch"),
    "connect": _word("add", "and", "iand"),
    "pool": _word("average", "stride"),
    "depth": partial(count, most=6 * DEEPEST),
    "widen_factor": partial(count, least=2),
    "recurrent": check_flag,
    "alpha": _number,
    "batchnorm": _word(*STATISTICS),
}


def check_options(options: Mapping[str, Any]) -> None:
    """Raise a UserError unless each of a network's own settings, by name in ``KINDS``, is what it should be."""
    for name, value in options.items():
        KINDS[name](name, value)
    stages = {name: len(options[name]) for name in ("blocks", "multipliers", "strides") if name in options}
    if len(set(stages.values())) > 1:
        said = ", ".join(f"{number} {name}" for name, number in stages.items())
        raise UserError(f"a network has {said}; expected one of each a stage")
