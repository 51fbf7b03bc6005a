"""On what records were timed: seconds are compared among runs on one kind of machine alone."""

from collections import Counter
from collections.abc import Iterable

from snnbook.experiments.runs.record import Record

Machine = tuple[str | int | None, ...]


def machine(made: Record) -> Machine:
    """What has to be the same for the seconds of two runs to be compared."""
    return tuple(made.environment.get(name) for name in ("device", "instructions", "threads"))


def commonest(records: Iterable[Record]) -> Machine | None:
    """On what most of ``records`` were made; of two with as many, the first; None of none."""
    return next((found for found, _ in Counter(map(machine, records)).most_common(1)), None)


def device(made: Record) -> str:
    """What a record was computed on, as tables name it: ``AMD EPYC`` or, where it is known, ``AMD EPYC, AVX2``."""
    name, instructions, _ = machine(made)
    return f"{name}, {instructions}" if instructions else str(name)
