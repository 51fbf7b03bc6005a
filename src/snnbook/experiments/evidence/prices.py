"""What one training costs beside another: steps of rows, timed in turn by ``snnbook bench rows``.

The seconds that records have are no such thing.  They are of different days and machines: rows of equal work have
differed by half, on processors of one name with the same instructions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import fsum
from pathlib import Path
from statistics import median

from snnbook.errors import UserError
from snnbook.experiments.evidence import measurements
from snnbook.experiments.evidence.paired import Estimate, Term
from snnbook.experiments.runs import machines, record
from snnbook.experiments.runs.record import Record

KEY = "cost.seconds_per_epoch"


def title(profile: str) -> str:
    """Of the measurement that times a profile's rows."""
    return f"Training step of the rows, {profile} profile"


@dataclass(frozen=True)
class Prices:
    """Steps of the rows of a profile.

    Attributes:
        steps: by run, the seconds of one in each round.
        asked: by run, the hash of the settings it had.
        on: what they were timed on: ``AMD EPYC, AVX512, 1 thread``; empty where nothing was.
    """

    steps: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    asked: Mapping[str, str] = field(default_factory=dict)
    on: str = ""

    def epoch(self, made: Record) -> tuple[float, ...] | None:
        """Seconds of an epoch's training steps, by round; None where no step of its settings was timed."""
        if self.asked.get(made.run) != made.asked:
            return None
        return tuple(_steps(made) * seconds for seconds in self.steps[made.run])

    def minutes(self, made: Record) -> float | None:
        """Of all epochs' training steps; None where no step of its settings was timed.

        A step lasts as long as one of the first run, times the median over rounds of how many of those it lasts.
        What slows down a whole round, a part in all its steps, is no difference between rows then.
        """
        if self.asked.get(made.run) != made.asked:
            return None
        first = next(iter(self.steps.values()))
        times = median(own / one for own, one in zip(self.steps[made.run], first, strict=True))
        return made.config["recipe"]["epochs"] * _steps(made) * times * median(first) / 60

    def before(self, made: Record, results: Path | None = None) -> float | None:
        """Minutes of all trainings whose weights went into this one; None where one is not known."""
        runs = needed(made, results)
        spent = [None] if runs is None else [self.minutes(one) for one in runs.values()]
        return None if None in spent else fsum(spent)

    def whole(self, made: Record, results: Path | None = None) -> float | None:
        """Minutes of a training and of all that it needed; None where one is not known."""
        parts = self.before(made, results), self.minutes(made)
        return None if None in parts else fsum(parts)


def load(profile: str, results: Path | None = None) -> Prices:
    """The prices of a profile's rows; none where they were not timed.

    Raises:
        UserError: a measurement is damaged.
    """
    paths = [path for place in record.places(results) for path in sorted(place.glob("bench/*/rows.json"))]
    for path in paths:
        found = measurements.read("rows", path.parent.name, path.parents[2])
        try:
            rows = found["measurements"].get(title(profile), {})
            steps = {run: tuple(one / 1e3 for one in row["each"]) for run, row in rows.items()}
            asked = {run: row["asked"] for run, row in rows.items()}
            on = machines.whole(found["environment"])
            if len(set(map(len, steps.values()))) > 1 or not all(min(each) > 0 for each in steps.values()):
                raise ValueError("rows of unlike numbers of rounds, or steps of no time")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{path} is damaged ({type(error).__name__}: {error}); restore it from git, or measure again"
            ) from None
        if rows:
            return Prices(steps, asked, on)
    return Prices()


def estimate(terms: tuple[Term, ...], profile: str, results: Path | None = None) -> Estimate | None:
    """An expression of seconds an epoch, over the rounds of steps timed in turn; None where they were not.

    Raises:
        UserError: a record is damaged, or the expression asks for other numbers, too.
    """
    prices, used, columns = load(profile, results), [], []
    for term in terms:
        if term.key != KEY:
            raise UserError(f"a test of seconds has {term.run}:{term.key}; expected {KEY} alone")
        made = record.of(term.run, profile, results)
        seconds = prices.epoch(made[0]) if made else None
        if seconds is None:
            return None
        used += made
        columns.append([term.factor * one for one in seconds])
    values = {round: fsum(row) for round, row in enumerate(zip(*columns, strict=True))}
    return Estimate(values, tuple(used), "round")


def _steps(made: Record) -> int:
    """Of one epoch."""
    recipe, images = made.config["recipe"], made.data["train"]
    return images // recipe["batch_size"] + (not recipe["drop_last"] and images % recipe["batch_size"] > 0)


def needed(made: Record, results: Path | None) -> dict[str, Record] | None:
    """By run, the records of those whose weights went into one, a teacher's say, and of those that they needed.

    None where one of them has no record.
    """
    runs: dict[str, Record] = {}
    for need in made.needs:
        found = record.records(need["run"], made.profile, [made.seed], results)
        above = needed(found[0], results) if found else None
        if above is None:
            return None
        runs |= {need["run"]: found[0]} | above
    return runs
