"""Which of the processes that ``torchrun`` started this one is.  Nothing here needs torch.

Raises:
    UserError: a variable that ``torchrun`` sets for its processes is missing or no number.
"""

import os

from snnbook.checks import environment, whole


def launched() -> bool:
    """Whether ``torchrun`` started this process, possibly with others."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def rank() -> int:
    """This process's number over all nodes; 0, who writes and speaks, without ``torchrun``."""
    return _number("RANK", 0)


def first() -> bool:
    """Whether this process is the one who speaks.  One that cannot tell its :func:`rank` does, too."""
    number = os.environ.get("RANK", "").strip()
    return not launched() or not number.isdecimal() or not number.strip("0")


def size() -> int:
    """How many processes run, over all nodes."""
    return _number("WORLD_SIZE", 1)


def local_rank() -> int:
    """This process's number on its node, which is the number of its GPU."""
    return _number("LOCAL_RANK", 0)


def local_size() -> int:
    """How many processes run on this node."""
    return _number("LOCAL_WORLD_SIZE", 1)


def check() -> None:
    """Find out before anything begins that all of them can be told."""
    for number, count in (("RANK", "WORLD_SIZE"), ("LOCAL_RANK", "LOCAL_WORLD_SIZE")):
        whole(_number(number, 0), number, most=_number(count, 1) - 1)


def _number(name: str, alone: int) -> int:
    """What ``torchrun`` says, at least what is true of a process ``alone``."""
    return whole(environment(name, least=alone), name, alone) if launched() else alone
