"""Which of the processes that ``torchrun`` started this one is.  Nothing here needs torch."""

import os


def launched() -> bool:
    """Whether ``torchrun`` started this process, possibly with others."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def rank() -> int:
    """This process's number over all nodes; 0, who writes and speaks, without ``torchrun``."""
    return int(os.environ["RANK"]) if launched() else 0


def local_rank() -> int:
    """This process's number on its node, which is the number of its GPU."""
    return int(os.environ["LOCAL_RANK"]) if launched() else 0


def local_size() -> int:
    """How many processes run on this node."""
    return int(os.environ["LOCAL_WORLD_SIZE"]) if launched() else 1
