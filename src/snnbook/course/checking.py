"""One question, one line back: is this the answer to that exercise?"""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

import torch

from snnbook.checks import shown
from snnbook.course.comparing import Wrong
from snnbook.errors import UserError, clipped


@dataclass(frozen=True)
class Outcome:
    """What :func:`check` found: true if the answer is right; shown as its line.

    Args:
        right: whether it is.
        says: one line.
    """

    right: bool
    says: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return self.says


def check(exercise: str, answer: object = ...) -> Outcome:
    """Look at an answer to an exercise of the book.

    Nothing is fetched, and no random number of yours is drawn.  What is right is worked out anew, by the library.

    Args:
        exercise: its number in the book, for instance ``"5.2"``.
        answer: a number, a tensor, a function, ... as the exercise asks; its starter's dots are none yet.

    Returns:
        An outcome: true or false, with a line that says what kind of mistake it may be, and never the answer.

    Raises:
        UserError: the book has no such exercise.
    """
    judge = _judge(exercise)
    if _waits(answer):
        return Outcome(False, f"Exercise {exercise} waits for your answer, in the place of the dots.")
    try:
        # A class is graded by nbgrader, which takes a warning for a wrong answer.
        with torch.random.fork_rng(devices=[]), torch.enable_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.manual_seed(0)
            judge(answer)
    except Wrong as wrong:
        return Outcome(False, clipped(f"Exercise {exercise}, not yet: {wrong}"))
    except (Exception, SystemExit) as error:  # whatever the answer did
        return Outcome(False, clipped(f"Exercise {exercise}, not yet: {_told(error)}"))
    return Outcome(True, f"Exercise {exercise}: right.")


def _waits(answer: object) -> bool:
    """Whether a starter's dots are still in it."""
    parts = (
        answer.values() if isinstance(answer, dict) else answer if isinstance(answer, (tuple, list)) else ()
    )
    return answer is ... or any(part is ... for part in parts)


def _told(error: BaseException) -> str:
    said = " ".join(str(error).split())
    return f"your answer cannot be used here ({type(error).__name__}{': ' if said else ''}{said[:160]})"


def _judge(exercise: object) -> Callable[[object], None]:
    found = re.fullmatch(r"(\d{1,2})\.\d{1,2}", exercise) if isinstance(exercise, str) else None
    if not found:
        raise UserError(f'exercise {shown(exercise)}; expected its number as text, for instance "5.2"')
    table = table_of(int(found[1]))
    if exercise not in table:
        there = f"its exercises are {', '.join(table)}" if table else "it has none with a check"
        raise UserError(f'there is no exercise "{exercise}" in chapter {int(found[1])}; {there}')
    return table[exercise]


def table_of(chapter: int) -> dict[str, Callable[[object], None]]:
    """The checks of a chapter's exercises, by their numbers; none if there is no such chapter."""
    name = f"snnbook.course.answers.chapter{chapter:02d}"
    return import_module(name).CHECKS if find_spec(name) else {}
