"""What numbers were computed on, in words."""

from collections.abc import Mapping
from typing import Any


def device(environment: Mapping[str, Any]) -> str:
    """As tables name it: ``AMD EPYC`` or, where its instructions are known, ``AMD EPYC, AVX2``."""
    return ", ".join(str(environment[key]) for key in ("device", "instructions") if environment.get(key))


def whole(environment: Mapping[str, Any]) -> str:
    """With its threads: ``AMD EPYC, AVX2, 1 thread``."""
    threads = environment["threads"]
    return f"{device(environment)}, {threads} thread{'s' * (threads != 1)}"
