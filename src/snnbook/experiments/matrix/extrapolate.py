"""What runs will take when none like them was recorded: an estimate, by what their networks have to compute.

The record of the same row in another profile, or of a typical row, is stretched by images, epochs, time steps and
operations.  Small networks take longer for an operation than large ones, so the result is corrected by rows that
have records in both profiles: by those of the same network on the same images, where there are some.  No record
tells of a GPU, but a paper prints the seconds of its epochs.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from statistics import median
from typing import Any

from snnbook.experiments.runs import record
from snnbook.experiments.runs.job import Run, resolve
from snnbook.experiments.runs.record import Record
from snnbook.experiments.tables import tables

# Training images, classes and channels of the sets that the tables train on.
SETS = {
    "digits": (1_437, 10, 1),
    "digit_events": (1_437, 10, 2),
    "cifar10": (50_000, 10, 3),
    "cifar100": (50_000, 100, 3),
    "tiny_imagenet": (100_000, 200, 3),
    "imagenet": (1_281_167, 1_000, 3),
    "cifar10_dvs": (9_000, 10, 2),
}


# A network's name and width, and its images: how long an operation takes depends on them more than on the row.
_Kind = tuple[str, int, str]


@dataclass(frozen=True)
class Work:
    """What training a network computes.

    Attributes:
        epoch: operations of one pass over the images, forward, in all time steps.
        epochs: how often.
        parameters: of the network.
    """

    epoch: int
    epochs: int
    parameters: int

    @property
    def total(self) -> int:
        return self.epoch * self.epochs


@dataclass(frozen=True)
class Guess:
    """What a run may take: seconds, as records made on ``devices`` go, and how many weights it leaves."""

    seconds: float
    parameters: float
    devices: tuple[str, ...]


class Extrapolation:
    """Estimates for the runs of a profile, from the records of the others in the folder ``results``.

    Where the folder has none of a row, the project's own count.
    """

    def __init__(self, profile: str, results: Path | None = None) -> None:
        self.profile = profile
        self.recorded = {
            each: _by_row([*record.below(each, results), *record.below(each)]) for each in tables.PROFILES
        }

    def of(self, run: Run) -> Guess | None:
        """What ``run`` may take; None where nothing is known of its images, or nothing was recorded."""
        return self._guess(run, self.profile)

    @cached_property
    def papers_gpu(self) -> float | None:
        """How many times faster than the records' device the GPU is on which a paper timed its epochs."""
        faster = []
        for table, row in _timed_by_papers():
            run = resolve(f"{table.id}/{row.id}", 0, "paper")
            if guess := self._guess(run, "paper"):
                faster.append(guess.seconds / of_run(run).epochs / row.paper.seconds_per_epoch)
        return median(faster) if faster else None

    def _guess(self, run: Run, profile: str) -> Guess | None:
        others = [each for each in reversed(tables.PROFILES) if each != profile]
        found = (self.recorded[each].get(run.id) for each in others)  # the closest to the papers comes first
        made = next((one for one in found if one), None)
        mine, theirs = of_run(run), made and of_record(made)
        kind = _kind_of_run(run)
        if not mine or not (theirs or self._paces):
            return None
        if not theirs:
            return Guess(_typical(self._paces, kind) * mine.total, mine.parameters, self._devices)
        correction = self._correction(made.profile, kind)
        seconds = made.cost["seconds"] * mine.total / theirs.total * correction
        parameters = made.cost["parameters"] * mine.parameters / theirs.parameters
        return Guess(seconds, parameters, (made.environment["device"],))

    @cached_property
    def _devices(self) -> tuple[str, ...]:
        made = (one for found in self.recorded.values() for one in found.values())
        return tuple(sorted({one.environment["device"] for one in made}))

    @cached_property
    def _paces(self) -> list[tuple[_Kind, float]]:
        """Seconds for an operation, of each record: for rows that were never run."""
        return [
            (_kind_of_record(made), made.cost["seconds"] / work.total * self._correction(profile))
            for profile, found in self.recorded.items()
            for made in found.values()
            if (work := of_record(made))
        ]

    def _correction(self, profile: str, kind: _Kind | None = None) -> float:
        """By how much runs that a later profile recorded as well differ from estimates by those of ``profile``."""
        off = []
        for later in tables.PROFILES[tables.PROFILES.index(profile) + 1 :]:
            for row, truth in self.recorded[later].items():
                made = self.recorded[profile].get(row)
                mine, theirs = of_record(truth), made and of_record(made)
                if mine and theirs and truth.environment["device_type"] == made.environment["device_type"]:
                    times = truth.cost["seconds"] / made.cost["seconds"] * theirs.total / mine.total
                    off.append((_kind_of_record(truth), times))
        return _typical(off, kind) if off else 1.0


def _kind_of_run(run: Run) -> _Kind:
    network = run.settings.network
    return network.name, network.width, run.settings.data.name


def _kind_of_record(made: Record) -> _Kind:
    network = made.config["network"]
    return network["name"], network["width"], made.data["name"]


def _typical(found: Sequence[tuple[_Kind, float]], kind: _Kind | None) -> float:
    """Median of the numbers found of that kind, else of its network on other images, else of all."""
    same = [number for other, number in found if other == kind]
    alike = [number for other, number in found if kind and other[:2] == kind[:2]]
    return median(same or alike or [number for _, number in found])


def _timed_by_papers() -> list[tuple[tables.Table, tables.Row]]:
    """Rows beside which a paper prints the seconds of an epoch."""
    found = [(table, row) for table in map(tables.load, tables.names()) for row in table.rows]
    return [
        (table, row)
        for table, row in found
        if row.paper.seconds_per_epoch
        and not row.same
        and "paper" in table.profiles
        and "paper" not in row.waits
    ]


def of_run(run: Run) -> Work | None:
    """What ``run`` computes; None for images of which nothing is known here."""
    settings = run.settings
    known = SETS.get(settings.data.name)
    if known is None:
        return None
    images, classes, _ = known
    if settings.data.train_per_class:
        images = classes * settings.data.train_per_class
    images = round(images * settings.data.train_fraction) - settings.data.validation
    return _work(
        asdict(settings.network), settings.data.name, settings.data.size, images, settings.recipe.epochs
    )


def of_record(made: Record) -> Work | None:
    """What the run computed whose record this is."""
    data, config = made.data["name"], made.config
    if data not in SETS or "network" not in config:
        return None
    network, epochs = config["network"], config["recipe"]["epochs"]
    return _work(network, data, config["data"]["size"], made.data["train"], epochs)


def _work(network: dict[str, Any], data: str, size: int, images: int, epochs: int) -> Work:
    _, classes, channels = SETS[data]
    shape = {key: value for key, value in network.items() if key in ("name", "width", "options")}
    operations, parameters = _counted(json.dumps(shape, sort_keys=True), classes, channels, size)
    return Work(images * network["time_steps"] * operations, epochs, parameters)


@cache
def _counted(network: str, classes: int, channels: int, size: int) -> tuple[int, int]:
    """Operations on one image, and parameters, of a network whose tensors have shapes and no values."""
    import torch

    from snnbook.backbones import NetworkConfig, build_ann
    from snnbook.operations import operations

    with torch.device("meta"), torch.no_grad():
        built = build_ann(NetworkConfig(**json.loads(network)), classes, channels).eval()
        counted = operations(lambda: built(torch.empty(1, channels, size, size)))
    return counted, sum(each.numel() for each in built.parameters())


def _by_row(found: Sequence[Record]) -> dict[str, Record]:
    """One record a row, of those that stand in a table as it is."""
    rows: dict[str, Record] = {}
    for made in found:
        if "+" not in made.run:
            rows.setdefault(made.run, made)
    return rows
