"""Answers beside what is right, and what kind of mistake may lie between them."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Number
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snnbook.checks import shown

# An answer with more entries is not even looked at.
MOST = 10**6
Near = Iterable[tuple[Any, str]]


class Wrong(Exception):
    """What is wrong with an answer, in words that do not say what is right."""


def kind(answer: object) -> str:
    """What ``answer`` is, in a few words."""
    if answer is None:
        return "None"
    if isinstance(answer, str):
        return "a text"
    if isinstance(answer, bool):
        return shown(answer)
    if isinstance(answer, Number):
        return "a number"
    if isinstance(answer, Tensor | np.ndarray):
        return f"an array of shape {tuple(answer.shape)}"
    if isinstance(answer, list | tuple | set | dict):
        return f"a {type(answer).__name__} of {len(answer)}"
    if inspect.isroutine(answer):
        return "a function"
    return f"a {type(answer).__name__}"


def tensor(answer: object, what: str = "the answer") -> Tensor:
    """``answer`` as a tensor of float64, on the CPU and without a graph."""
    if answer is None:
        raise Wrong(f"{what} is None; is there a return?")
    if answer is ...:
        raise Wrong(f"{what} is still the dots")
    if isinstance(answer, str | bytes | dict | set) or (callable(answer) and not isinstance(answer, Tensor)):
        raise Wrong(f"{what} is {kind(answer)}; expected numbers")
    if isinstance(answer, Tensor | np.ndarray) and np.prod(answer.shape, dtype=float) > MOST:
        raise Wrong(f"{what} is {kind(answer)}; expected far less")
    if isinstance(answer, list | tuple):
        if len(answer) > MOST:
            raise Wrong(f"{what} is {kind(answer)}; expected far less")
        parts = [tensor(part, what) for part in answer]
        if len({part.shape for part in parts}) > 1:
            raise Wrong(f"{what} is {kind(answer)} whose parts have different shapes")
        return torch.stack(parts) if parts else torch.zeros(0, dtype=torch.float64)
    try:
        found = torch.as_tensor(answer).detach().cpu()
        if found.is_complex():
            found = found.real if not found.imag.abs().max() > 1e-6 else found
        if found.is_complex():
            raise Wrong(f"{what} is complex; expected real numbers")
        return found.to(torch.float64).to_dense()
    except (TypeError, ValueError, RuntimeError, NotImplementedError):
        raise Wrong(f"{what} is {kind(answer)}; expected numbers") from None


def number(
    answer: object, expected: float, *, within: float = 0.01, near: Near = (), what: str = "the answer"
) -> None:
    """Refuse ``answer`` unless it is a number as near to ``expected`` as the share ``within``."""
    found = tensor(answer, what)
    if found.numel() != 1:
        raise Wrong(f"{what} is {kind(answer)}; expected one number")
    same(found.reshape(()), expected, within=within, near=near, what=what)


def numbers(
    answer: object,
    expected: Mapping[str, float],
    *,
    within: float | Mapping[str, float] = 0.01,
    near: Mapping[str, Near] = {},
) -> None:
    """As :func:`number`, for several with names, in their order or in a mapping; ``within`` for all or by name."""
    names = list(expected)
    if isinstance(answer, Mapping):
        if missing := [name for name in names if name not in answer]:
            raise Wrong(f"{shown(missing[0])} is missing; expected the keys {', '.join(map(shown, names))}")
        answer = [answer[name] for name in names]
    elif isinstance(answer, Tensor | np.ndarray) and answer.ndim == 1 and len(answer) == len(names):
        answer = list(answer)
    if not isinstance(answer, list | tuple) or len(answer) != len(names):
        raise Wrong(
            f"the answer is {kind(answer)}; expected {len(names)} numbers: {', '.join(map(str, names))}"
        )
    for name, part in zip(names, answer, strict=True):
        share = within[name] if isinstance(within, Mapping) else within
        number(part, expected[name], within=share, near=near.get(name, ()), what=str(name))


def parts(answer: object, count: int | None = None, what: str = "the answer") -> list:
    """The ``count`` things in ``answer``, however many by default."""
    if isinstance(answer, Tensor | np.ndarray) and answer.ndim:
        answer = list(answer)
    if not isinstance(answer, list | tuple | set | frozenset) or count not in (None, len(answer)):
        several = "several things" if count is None else f"{count} things"
        raise Wrong(f"{what} is {kind(answer)}; expected {several} in a tuple or a list")
    if len(answer) > MOST:
        raise Wrong(f"{what} is {kind(answer)}; expected far less")
    return list(answer)


def truth(answer: object, what: str = "the answer") -> bool:
    """``answer`` if it is true or false, as Python, numpy or torch have them."""
    if isinstance(answer, Tensor | np.ndarray | np.generic) and np.prod(answer.shape) == 1:
        answer = answer.item()
    if not isinstance(answer, bool):
        raise Wrong(f"{what} is {kind(answer)}; expected True or False")
    return answer


def choice(answer: object, expected: object, among: Sequence, what: str = "the answer") -> None:
    """Refuse ``answer`` unless it is the one of ``among`` that is right."""
    if isinstance(answer, Tensor | np.ndarray) or answer.__hash__ is None or answer not in among:
        raise Wrong(f"{what} is {shown(answer)}; expected one of {', '.join(map(shown, among))}")
    if answer != expected:
        raise Wrong(f"{what} is not {shown(answer)}; try it, or draw it")


def call(function: object, *arguments, what: str = "your function", copy: bool = True) -> Any:
    """What ``function`` makes of ``arguments``, or of copies that it may change."""
    if not callable(function) or isinstance(function, type):
        raise Wrong(
            f"the answer is {kind(function)}; expected the function itself, without brackets after it"
        )
    try:
        found = function(*(_copies(arguments) if copy else arguments))
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())[:140]
        raise Wrong(f"{what} raised {type(error).__name__}{': ' if said else ''}{said}") from None
    if found is None or found is ...:
        raise Wrong(f"{what} returned {'None; is there a return?' if found is None else 'the dots'}")
    return found


def function(
    answer: object,
    right: Callable,
    cases: Iterable[Sequence],
    *,
    wrong: Mapping[str, Callable] = {},
    within: float = 1e-4,
) -> None:
    """Refuse the function ``answer`` unless it does as ``right`` does.

    Args:
        answer: it.
        right: what is right.
        cases: arguments for both.
        wrong: functions that make a known mistake, by what is to be said of it.
        within: relative tolerance.
    """
    for arguments in cases:
        near = [(made(*_copies(arguments)), said) for said, made in wrong.items()]
        found = call(answer, *arguments)
        if isinstance(found, str | bytes | dict | set):
            raise Wrong(f"your function returned {kind(found)}; expected numbers")
        what = "what your function returns"
        same(tensor(found, what), right(*_copies(arguments)), within=within, near=near, what=what)


def _copies(arguments: Sequence) -> list:
    return [a.detach().clone() if isinstance(a, Tensor) else a for a in arguments]


def same(
    found: Tensor, expected: Any, *, within: float = 1e-4, near: Near = (), what: str = "the answer"
) -> None:
    """Refuse ``found`` unless it is close to ``expected``, and say what may be between them.

    Args:
        found: of float64.
        expected: what is right, as a number or a tensor.
        within: relative tolerance.
        near: answers that come of a known mistake, each with what is to be said of it.
        what: the words for ``found``.
    """
    expected = tensor(expected)
    if found.shape != expected.shape:
        raise Wrong(_shape(found, expected, what))
    close = _closeness(expected, within)
    if close(found, expected):
        return
    if found.isnan().any() and not expected.isnan().any():
        raise Wrong(f"{what} has NaN in it: is something divided by zero, or a logarithm taken of less?")
    if found.isinf().any() and not expected.isinf().any():
        raise Wrong(f"{what} is infinite in places")
    for other, said in near:
        other = tensor(other)
        if other.shape == found.shape and close(found, other) and not close(other, expected):
            raise Wrong(said)
    raise Wrong(_mistake(found, expected, close, what))


def _closeness(expected: Tensor, within: float) -> Callable[[Tensor, Tensor], bool]:
    finite = expected[expected.isfinite()]
    size = finite.abs().max().item() if finite.numel() else 1.0
    return lambda a, b: bool(
        torch.isclose(a, b, rtol=within, atol=0.01 * within * size, equal_nan=True).all()
    )


def _shape(found: Tensor, expected: Tensor, what: str) -> str:
    has, should = tuple(found.shape), tuple(expected.shape)
    said = f"{what} has the shape {has}, expected {should}"
    if found.ndim >= 2 and found.transpose(0, 1).shape == expected.shape:
        return f"{said}: the first two axes are swapped; time comes first"
    if found.numel() == expected.numel():
        return f"{said}: as many numbers, in another arrangement"
    if not should:
        return f"{said}, one number: is a mean or a sum missing?"
    return said


def _mistake(found: Tensor, expected: Tensor, close: Callable[[Tensor, Tensor], bool], what: str) -> str:
    if close(-found, expected):
        return f"{what} has the wrong sign"
    if close(found, 100 * expected):
        return f"{what} is in percent; expected a fraction"
    if close(100 * found, expected):
        return f"{what} is a fraction; expected percent"
    for factor in (2.0, 0.5, 10.0, 0.1, 1000.0, 0.001):
        if close(found, factor * expected):
            return (
                f"{what} is off by a simple factor: is something counted twice, left out, or in another unit?"
            )
    if found.numel() == 1:
        if close(found, expected + 1) or close(found, expected - 1):
            return f"{what} is off by one: where does the counting begin?"
        return f"{what} is {'too large' if found > expected else 'too small'}"
    return f"{what} {_pattern(found, expected, close)}"


def _pattern(found: Tensor, expected: Tensor, close: Callable[[Tensor, Tensor], bool]) -> str:
    """What two arrays of one shape, of more than one number, have in common."""
    where = expected.abs() > 1e-9
    ratio = (found / expected)[where]
    zeros_too = bool((found[~where].abs() < 1e-9).all())
    if len(ratio) > 1 and zeros_too and ratio.std() < 1e-4 * ratio.abs().mean():
        return "is off by one factor everywhere: a mean where a sum belongs, or the other way round?"
    if (found - expected).std() < 1e-4 * expected.abs().max():
        return "is off by one constant everywhere"
    if found.ndim >= 2 and found.shape[0] == found.shape[1] and close(found.transpose(0, 1), expected):
        return "has its first two axes swapped; time comes first"
    if close(found.flip(0), expected):
        return "runs backwards along its first axis"
    if len(found) > 2 and (close(found[1:], expected[:-1]) or close(found[:-1], expected[1:])):
        return "is one step early or late"
    if close(found.flatten().sort()[0], expected.flatten().sort()[0]):
        return "has the right numbers in other places: along which axis does time run?"
    return f"differs from what is right in {_share(found, expected)} of its {found.numel()} numbers"


def _share(found: Tensor, expected: Tensor) -> int:
    size = expected[expected.isfinite()].abs().max().item()
    return int((~torch.isclose(found, expected, rtol=1e-4, atol=1e-6 * size, equal_nan=True)).sum())
