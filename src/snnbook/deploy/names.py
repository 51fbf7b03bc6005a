"""Names that modules can have, each once."""

from collections.abc import Container
from itertools import count

from torch import nn

_HOLDER = nn.ModuleDict()


def free(name: str, *taken: Container[str]) -> str:
    """``name`` without dots; with a number if it is empty, taken, or an attribute of what holds modules."""
    name = name.replace(".", "_")
    tried, numbers = name, count(2)
    while not tried or hasattr(_HOLDER, tried) or any(tried in names for names in taken):
        tried = f"{name}_{next(numbers)}"
    return tried
