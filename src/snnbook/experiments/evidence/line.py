"""A line of a report: a network of a row, and how its numbers are shown."""

from collections.abc import Iterable
from dataclasses import dataclass

from snnbook.experiments.evidence import learned
from snnbook.experiments.runs import machines
from snnbook.experiments.runs.record import Record, Statistic

NOT_RUN = "not run"
UNLEARNED = "did not learn"
WAITS = "waits"


@dataclass(frozen=True)
class Line:
    """One network of one row.  What comes from records is None where none is there yet.

    ``energy``: of one inference in microjoules, counted, see :mod:`snnbook.analysis.energy`.
    ``minutes``: of training steps, with those of a teacher and of all else that was needed, timed in turn with
    those of other lines, see :mod:`.prices`.
    """

    run: str
    label: str
    network: str
    paper: float | None
    paper_std: float | None
    paper_seconds: float | None
    ours: Statistic | None
    baseline_run: str | None
    baseline: Statistic | None
    seconds: Statistic | None
    seconds_per_epoch: Statistic | None
    note: str
    waits: str | None = None
    paper_stm: float | None = None
    stm: Statistic | None = None
    energy: Statistic | None = None
    minutes: float | None = None

    def records(self) -> tuple[Record, ...]:
        return tuple(self.ours.records) if self.ours else ()

    @property
    def device(self) -> str | None:
        """What the records were computed on."""
        return joined(machines.device(made.environment) for made in self.ours.records) if self.ours else None

    @property
    def difference(self) -> float | None:
        """Ours less the paper's, in percentage points; it means something where both have the same data."""
        return None if self.paper is None or self.ours is None else self.ours.mean - self.paper

    @property
    def unlearned(self) -> int:
        """How many of its seeds did not learn, see :mod:`.learned`."""
        return len(learned.faults(self.ours.records)) if self.ours else 0

    def shown(self) -> str:
        """Our accuracy, marked where networks did not learn."""
        return marked(self.ours)


def marked(accuracy: Statistic | None) -> str:
    """An accuracy over seeds, with how many of its runs did not learn."""
    lost = len(learned.faults(accuracy.records)) if accuracy else 0
    some = f": {lost} of {accuracy.n}" if lost and accuracy.n > 1 else ""
    return statistic(accuracy) + (f" ({UNLEARNED}{some})" if lost else "")


def statistic(value: Statistic | None, spread: bool = True, digits: int = 1) -> str:
    """Mean over seeds and, with ``spread``, their standard deviation."""
    if value is None:
        return NOT_RUN
    return value.text(digits) if spread else f"{value.mean:.1f}"


def spent(line: Line, value: Statistic | None) -> str:
    """A time."""
    return WAITS if line.waits else statistic(value, spread=False)


def measured(line: Line, value: Statistic | None) -> str:
    """What not every row has, though it was run."""
    if line.waits:
        return WAITS
    return "n/a" if line.ours and value is None else statistic(value, digits=2)


def joined(texts: Iterable[str]) -> str:
    """Each once."""
    return " and ".join(dict.fromkeys(texts))
