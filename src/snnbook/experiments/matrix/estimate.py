"""What steps will take, from the records of runs like them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import mean, median

from snnbook.experiments.matrix.extrapolate import Extrapolation
from snnbook.experiments.matrix.plan import Step
from snnbook.experiments.runs import record
from snnbook.experiments.runs.record import Record
from snnbook.experiments.tables import tables

# Seconds a process takes to import torch: measured where the quick records were made, idle.
START = 5
# Records time the training alone.  Testing an image after an epoch takes this part of training on it, since it
# goes forward only and in large batches: measured in the same place.
TEST_SHARE = 0.2


@dataclass(frozen=True)
class Forecast:
    """Sums over steps.

    Attributes:
        seconds: of all runs that can be estimated, one after another.
        gpu: the part of ``seconds`` that comes from records made on a GPU.
        papers_gpu: seconds of what is ``stretched`` on the GPU of a paper; None if no paper tells.
        disk: bytes of the weights they leave.
        typical: how many runs have no record of another seed, and count as the median of the profile.
        stretched: how many are estimated from other profiles, see :mod:`.extrapolate`.
        unknown: how many runs there is nothing to estimate from.
        devices: what the records were made on.
    """

    seconds: float = 0.0
    gpu: float = 0.0
    papers_gpu: float | None = None
    disk: float = 0.0
    typical: int = 0
    stretched: int = 0
    unknown: int = 0
    devices: tuple[str, ...] = ()

    def __add__(self, other: "Forecast") -> "Forecast":
        sums = {f.name: _sum(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)}
        return Forecast(**sums | {"devices": tuple(sorted({*self.devices, *other.devices}))})


def _sum(*values):
    known = [value for value in values if value is not None]
    return None if not known else known[0] + known[1] if len(known) == 2 else known[0]


def forecast(
    planned: Sequence[Step], profile: str, results: Path | None = None, start: float = START
) -> Forecast:
    """What ``planned`` will take: by the records of a row's seeds, else by those of its row in other profiles.

    In the rehearsal runs are alike, and one without a record counts as the median.  Where the folder ``results``
    has no record of a row, the project's own count.  ``start``: seconds until a step begins to train.
    """
    recorded = _recorded(profile, results)
    stretch = None if profile == tables.REHEARSAL else Extrapolation(profile, results)
    return sum((_forecast(step, recorded, start, stretch) for step in planned), Forecast())


def durations(planned: Sequence[Step], profile: str, results: Path | None = None) -> dict[str, float]:
    """Seconds of each step by its name, by the profile's records alone; 0 where it has none."""
    recorded = _recorded(profile, results)
    return {step.name: _forecast(step, recorded).seconds for step in planned}


def _forecast(
    step: Step, recorded: dict[str, list[Record]], start: float = START, stretch: Extrapolation | None = None
) -> Forecast:
    if stretch and step.row not in recorded:
        return _stretched(step, start, stretch)
    everything = [one for found in recorded.values() for one in found]
    count, found = len(step.seeds), recorded.get(step.row, everything)
    if not found:
        return Forecast(unknown=count)
    middle = mean if step.row in recorded else median
    takes = start + count * middle(_seconds(one) for one in found)
    return Forecast(
        seconds=takes,
        gpu=takes * mean(one.environment["device_type"] == "cuda" for one in found),
        disk=count * 4 * middle(one.cost["parameters"] for one in found),
        typical=0 if step.row in recorded else count,
        devices=tuple({one.environment["device"] for one in found}),
    )


def _stretched(step: Step, start: float, stretch: Extrapolation) -> Forecast:
    found = [guess for run in step.runs if (guess := stretch.of(run)) is not None]
    if not found:
        return Forecast(unknown=len(step.runs))
    faster = stretch.papers_gpu
    seconds = sum(guess.seconds for guess in found)
    return Forecast(
        seconds=start + seconds,
        papers_gpu=start + seconds / faster if faster else None,
        disk=sum(4 * guess.parameters for guess in found),
        stretched=len(found),
        devices=tuple({device for guess in found for device in guess.devices}),
    )


def _recorded(profile: str, results: Path | None) -> dict[str, list[Record]]:
    """Records by row, of rows there are as they stand; changed settings take other times."""
    found: dict[str, list[Record]] = {}
    known = tables.names()
    own = record.below(profile, results)
    rows = {made.run for made in own}
    for made in [*own, *(one for one in record.below(profile) if one.run not in rows)]:
        if made.run.partition("/")[0] in known and "+" not in made.run:
            found.setdefault(made.run, []).append(made)
    return found


def _seconds(made: Record) -> float:
    tested = TEST_SHARE * _tests(made) * made.data["test"] / made.data["train"]
    return made.cost["seconds"] * (1 + tested / made.config["recipe"]["epochs"])


def _tests(made: Record) -> int:
    return max((len(values) for values in made.curve["accuracy"].values()), default=1)
