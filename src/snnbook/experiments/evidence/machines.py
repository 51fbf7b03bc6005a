"""On what records were timed: seconds are compared among runs on one kind of machine alone."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from snnbook.errors import UserError
from snnbook.experiments.runs import record
from snnbook.experiments.runs.record import Record

Machine = tuple[str | int | None, ...]


def machine(made: Record) -> Machine:
    """What has to be the same for the seconds of two runs to be compared."""
    went_on = made.environment.get("earlier")  # its seconds are of several machines, or of unlike code
    here = tuple(made.environment.get(name) for name in ("device", "instructions", "threads"))
    return here if went_on is None else (*here, *went_on)


def commonest(records: Iterable[Record]) -> Machine | None:
    """On what most of ``records`` were made; of two with as many, the first; None of none."""
    return next((found for found, _ in Counter(map(machine, records)).most_common(1)), None)


def needed(made: Record, results: Path | None) -> dict[str, Record]:
    """By run, the records of those whose weights went into one, a teacher's say, and of those that they needed.

    Raises:
        UserError: one of them has no record, so its time is not known.
    """
    before: dict[str, Record] = {}
    for need in made.needs:
        found = record.records(need["run"], made.profile, [made.seed], results)
        if not found:
            raise UserError(
                f"{made.run}, seed {made.seed}, needed {need['run']}, which has no record there, so its time "
                "is not known; run it, too"
            )
        before |= {need["run"]: found[0]} | needed(found[0], results)
    return before


def on(made: Record, before: Mapping[str, Record], here: Machine | None) -> bool:
    """Whether a run and what it needed were all made on the kind of machine ``here``."""
    return {machine(each) for each in (made, *before.values())} == {here}


def seconds(made: Record) -> float:
    """Of all epochs, each as long as their median."""
    return made.config["recipe"]["epochs"] * made.cost["seconds_per_epoch"]


def minutes(made: Record, results: Path | None, here: Machine | None) -> float | None:
    """Of a training and all that it needed; None if one has no record, or was not made on ``here``."""
    try:
        before = needed(made, results)
    except UserError:
        return None
    return sum(map(seconds, (made, *before.values()))) / 60 if on(made, before, here) else None


def device(made: Record) -> str:
    """What a record was computed on, as tables name it: ``AMD EPYC`` or, where it is known, ``AMD EPYC, AVX2``."""
    name, instructions = machine(made)[:2]
    return f"{name}, {instructions}" if instructions else str(name)
