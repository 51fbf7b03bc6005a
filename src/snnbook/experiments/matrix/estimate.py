"""What steps will take, from the records of runs like them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

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
        disk: bytes of the weights they leave.
        typical: how many runs have no record of another seed, and count as the median of the profile.
        unknown: how many runs there is nothing to estimate from.
        devices: what the records were made on.
    """

    seconds: float
    gpu: float
    disk: float
    typical: int
    unknown: int
    devices: tuple[str, ...]


def forecast(
    planned: Sequence[Step], profile: str, results: Path | None = None, start: float = START
) -> Forecast:
    """What ``planned`` will take: by the records of a row's seeds, else the median over the profile's records.

    Where the folder ``results`` has no record of a row, the project's own count.  ``start``: seconds until a step
    begins to train.
    """
    return _forecast(planned, _recorded(profile, results), start)


def durations(planned: Sequence[Step], profile: str, results: Path | None = None) -> dict[str, float]:
    """Seconds of each step by its name, estimated as above; 0 where there is nothing to estimate from."""
    recorded = _recorded(profile, results)
    return {step.name: _forecast([step], recorded).seconds for step in planned}


def _forecast(planned: Sequence[Step], recorded: dict[str, list[Record]], start: float = START) -> Forecast:
    everything = [one for found in recorded.values() for one in found]
    seconds = gpu = disk = 0.0
    typical = unknown = 0
    devices = set()
    for step in planned:
        count, found = len(step.seeds), recorded.get(step.row, everything)
        if not found:
            unknown += count
            continue
        middle = mean if step.row in recorded else median
        takes = start + count * middle(_seconds(one) for one in found)
        seconds += takes
        gpu += takes * mean(one.environment["device_type"] == "cuda" for one in found)
        disk += count * 4 * middle(one.cost["parameters"] for one in found)
        typical += 0 if step.row in recorded else count
        devices.update(one.environment["device"] for one in found)
    return Forecast(seconds, gpu, disk, typical, unknown, tuple(sorted(devices)))


def _recorded(profile: str, results: Path | None) -> dict[str, list[Record]]:
    """Records by row, of rows there are as they stand; changed settings take other times."""
    found: dict[str, list[Record]] = {}
    known = tables.names()
    for made in [*record.below(profile, results), *record.below(profile)]:
        seeds = [other.seed for other in found.get(made.run, [])]
        if made.run.partition("/")[0] in known and "+" not in made.run and made.seed not in seeds:
            found.setdefault(made.run, []).append(made)
    return found


def _seconds(made: Record) -> float:
    tested = TEST_SHARE * _tests(made) * made.data["test"] / made.data["train"]
    return made.cost["seconds"] * (1 + tested / made.config["recipe"]["epochs"])


def _tests(made: Record) -> int:
    return max((len(values) for values in made.curve["accuracy"].values()), default=1)
