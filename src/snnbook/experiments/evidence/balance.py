"""What each row of a table has over one of them, and what it costs beside that one: accuracy, time, energy."""

from dataclasses import dataclass
from pathlib import Path

from snnbook.experiments.evidence import grid, judge, learned, paired
from snnbook.experiments.evidence.line import UNLEARNED, Line, marked
from snnbook.experiments.evidence.paired import Estimate, Term
from snnbook.experiments.evidence.report import report
from snnbook.experiments.runs import record
from snnbook.experiments.tables import tables


@dataclass(frozen=True)
class Weighed:
    """One row: its spiking network, or the ANN where that is all it trains.

    Attributes:
        line: its numbers, see :class:`.Report`.
        planned: how many seeds it is to have.
        gain: points of accuracy over the row it is weighed against, by seed; None for that row.
        time: of its training, a teacher's included, as a multiple; None where no steps were timed.
        energy: of one inference, as a multiple, over the seeds of ``gain``; None where it was not counted.
    """

    line: Line
    planned: int
    gain: Estimate | None
    time: float | None
    energy: float | None

    def seeds(self) -> str:
        """How many it has, of how many if some are to come."""
        some = f" of {self.planned}" if self.line.ours.n < self.planned else ""
        return f"{self.line.ours.n}{some}"

    def over(self) -> str:
        """Its gain as a cell shows it; there is none where either network did not learn."""
        if self.gain is None:
            return "n/a"
        if self.line.unlearned or learned.faults(self.gain.records):
            return UNLEARNED
        shared = f" ({self.gain.n} shared)" if self.gain.n < self.line.ours.n else ""
        return self.gain.text() + shared


@dataclass(frozen=True)
class Balance:
    """Rows of a table weighed against one of them, which comes first; a notebook shows it as a table.

    Attributes:
        title: of the table.
        against: the label of the row that the others are weighed against.
        profile: whose records.
        rows: those that have records.
        timed_on: the machine that timed the steps; empty where none did.
        on: data, network and time steps: ``cifar10, vgg9 of width 16, T = 2``.
    """

    title: str
    against: str
    profile: str
    rows: tuple[Weighed, ...]
    timed_on: str = ""
    on: str = ""

    def cells(self) -> list[list[str]]:
        """Headings and a line for each row; what no row has is left out."""
        heads = ["row", "seeds", "accuracy, %", "over the first, points", *self._priced()]
        return [heads, *([row.line.label, *self.shown(row)] for row in self.rows)]

    def shown(self, row: Weighed) -> list[str]:
        """The cells of a row behind its name."""
        return [
            row.seeds(),
            marked(row.line.ours),
            row.over(),
            *(_times(getattr(row, name)) for name in self._priced().values()),
        ]

    def _priced(self) -> dict[str, str]:
        """What the rows cost: headings, and the names of :class:`Weighed` for them."""
        known = {"time of training": "time", "energy": "energy"}
        return {head: name for head, name in known.items() if any(getattr(row, name) for row in self.rows)}

    def caption(self) -> str:
        """What the numbers are."""
        costs = {
            "time": f"the time of its training steps, a teacher's included (timed in turn on {self.timed_on})",
            "energy": "the counted energy of an inference",
        }
        told = " and ".join(costs[name] for name in self._priced().values())
        return (
            f"{self.title}: test accuracy of the last epoch (mean ± standard deviation over seeds); what each row "
            f"has over '{self.against}', seed by seed (mean ± half the 95 % interval)"
            f"{f'; and, as a multiple of that row, {told}' if told else ''}. {self.on}, {self.profile} profile."
        )

    def _repr_html_(self) -> str:
        return grid.html(self.cells())

    def __repr__(self) -> str:
        return grid.text(self.cells(), left=1)


def balance(table: str, against: str, profile: str = "desk", *, results: Path | None = None) -> Balance:
    """What the rows of a table have over one of them, and at what price::

        experiments.balance("one-protocol", "sdt")

    Args:
        table: its id, see ``snnbook list``.
        against: the row that the others are weighed against.
        profile: whose records.
        results: folder of records; the project's by default.

    Returns:
        The rows that share a seed with ``against``, behind that row; none if it has no record.

    Raises:
        UserError: no such table, row or profile; a damaged record.
    """
    found, first = report(table, profile, results=results), tables.load(table).row(against)
    owner, trained = tables.find(f"{table}/{against}", profile)
    base = next((line for line in found.told() if line.run == f"{owner.id}/{trained.id}"), None)
    if base is None:
        return Balance(found.title, first.label, profile, ())
    others = [(line, _gain(line, base, profile, results)) for line in found.told() if line.run != base.run]
    rows = [_weighed(line, gain, base, profile) for line, gain in others if gain]
    used = [made for row in rows for made in row.gain.records]
    whole = (_weighed(base, None, base, profile), *rows)
    return Balance(
        found.title, first.label, profile, whole, found.timed_on, judge.place(used or base.records())
    )


def _gain(line: Line, base: Line, profile: str, results: Path | None) -> Estimate | None:
    terms = [Term(sign, each.run, f"{each.network}.last") for sign, each in ((1.0, line), (-1.0, base))]
    return paired.estimate(tuple(terms), profile, results)


def _weighed(line: Line, gain: Estimate | None, base: Line, profile: str) -> Weighed:
    owner, trained = tables.find(line.run, profile)
    time = line.minutes / base.minutes if line.minutes and base.minutes else None
    ours, theirs = (_energy(each, gain) for each in (line, base))
    energy = ours / theirs if ours and theirs else None
    return Weighed(line, len(owner.seeds_in(profile, trained)), gain, time, energy)


def _energy(line: Line, gain: Estimate | None) -> float | None:
    """Of one inference, over the seeds that both rows have."""
    counted = line.energy.records if line.energy else ()
    shared = [made for made in counted if gain is None or made.seed in gain.values]
    found = record.statistic(shared, f"measure.{line.network}.energy_uj")
    return found.mean if found else None


def _times(ratio: float | None) -> str:
    return "n/a" if ratio is None else f"{ratio:.2f} ×"
