"""Accuracy over a training, of several rows of a table: over epochs, and over minutes; and all at equal time.

A minute is one of training steps, timed in turn with those of the other rows, see :mod:`.prices`; what a run needs
or inherits took before it counts as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np

from snnbook.checks import nearest, shown
from snnbook.errors import UserError
from snnbook.experiments.evidence import grid, learned, prices
from snnbook.experiments.evidence.line import UNLEARNED
from snnbook.experiments.evidence.paired import Estimate
from snnbook.experiments.evidence.prices import Prices
from snnbook.experiments.evidence.report import NETWORKS
from snnbook.experiments.runs import record
from snnbook.experiments.runs.record import Record
from snnbook.experiments.tables import tables

UNTIMED = "not timed"


@dataclass(frozen=True)
class Curve:
    """One row's test accuracy over its training.

    Attributes:
        row, label: its id and name in the table.
        network: whose accuracy, ``"snn"`` or ``"ann"``.
        records: a seed each.
        epochs: after which there was a test in every seed.
        minutes: of training until then, with what the run needs before it; none where steps were not timed.
        accuracy: in percent, ``[seeds, tests]``.
    """

    row: str
    label: str
    network: str
    records: tuple[Record, ...]
    epochs: tuple[int, ...]
    minutes: tuple[float, ...]
    accuracy: tuple[tuple[float, ...], ...]

    def name(self) -> str:
        """The label, how many seeds it has, and how many of them did not learn, if any."""
        count, lost = len(self.records), len(learned.faults(self.records))
        seeds = f"{count} seed" if count == 1 else f"{count} seeds"
        return f"{self.label} ({seeds}{f', {lost} did not learn' if lost else ''})"

    def after(self, minutes: float) -> tuple[float, ...] | None:
        """Each seed's accuracy then, on a straight line between tests; None before the first one."""
        if not self.minutes or minutes < self.minutes[0]:
            return None
        return tuple(float(np.interp(minutes, self.minutes, run)) for run in self.accuracy)

    def last(self) -> tuple[float, ...]:
        """Each seed's accuracy at the end."""
        return tuple(run[-1] for run in self.accuracy)


@dataclass(frozen=True)
class Curves:
    """Curves of several rows, ``missing`` ones left out.  :func:`snnbook.plots.learning_curves` draws them.

    ``timed_on``: the machine whose minutes they are; empty where nothing was timed.
    """

    table: str
    profile: str
    curves: tuple[Curve, ...]
    missing: tuple[str, ...]
    timed_on: str = ""

    def left_out(self) -> str:
        """A sentence that names the rows without a record; empty if all have some."""
        if not self.missing:
            return ""
        if not self.curves:
            return (
                f"Not run yet in the {self.profile} profile: {_listed(self.missing)} (table {self.table}). "
                "The figure will stand here when their records do."
            )
        return f"Not run yet in this profile: {_listed(self.missing)}."

    def not_timed(self) -> str:
        """A sentence that names the rows whose minutes are not known; empty if all are."""
        found = [curve.label for curve in self.curves if not curve.minutes]
        return f"Steps not timed (snnbook bench rows): {_listed(found)}." if found else ""

    @property
    def equal_minutes(self) -> float | None:
        """What the row that is done first takes."""
        return min((curve.minutes[-1] for curve in self.curves if curve.minutes), default=None)

    def cells(self) -> list[list[str]]:
        """Headings and a row for each curve: its accuracy at the end of its training, and at equal time.

        Behind either stands its difference from the first row, taken seed by seed, and half the 95 % interval; and
        over how many seeds, where not all of the row's are the first row's, too.
        """
        head, equal = ["row", "seeds", "minutes", "at the end, %"], self.equal_minutes
        if not self.curves:
            return [head, *([label, "0", "not run", "not run"] for label in self.missing)]
        first, rows = self.curves[0], []
        head += ["less the first's"]
        head += [] if equal is None else [f"after {equal:.1f} minutes, %", "less the first's"]
        for curve in self.curves:
            row = [
                curve.label,
                str(len(curve.records)),
                f"{curve.minutes[-1]:.1f}" if curve.minutes else UNTIMED,
            ]
            ends = [(curve.last(), first.last())]
            ends += [] if equal is None else [(curve.after(equal), first.after(equal))]
            for own, theirs in ends:
                none = "not tested yet" if curve.minutes else UNTIMED
                row.append(none if own is None else f"{mean(own):.1f}")
                row.append("n/a" if curve is first else _difference(curve, own, first, theirs))
            rows.append(row)
        return [head, *rows, *([label, "0", *["not run"] * (len(head) - 2)] for label in self.missing)]

    def _repr_html_(self) -> str:
        return grid.html(self.cells())

    def __repr__(self) -> str:
        return grid.text(self.cells(), left=1)


def curves(
    table: str,
    rows: Sequence[str],
    profile: str = "desk",
    *,
    network: str = "snn",
    results: Path | None = None,
) -> Curves:
    """Test accuracy over the trainings of some rows of a table, from their records::

        found = experiments.curves("one-protocol", ["sdt", "tet", "kd"])
        plots.learning_curves(found)
        plots.learning_curves(found, "minutes")
        found  # a table: each row less the first, at the end, and at the time that the fastest takes

    At equal time a longer training is in the midst of its schedule, its learning rate still high; stopped there on
    purpose, with a schedule that ends there, it would be more accurate.

    Args:
        table: its id, see ``snnbook list``.
        rows: ids of rows of it, in the order they are shown.
        profile: whose records.
        network: whose accuracy, ``"snn"`` or ``"ann"``; a row that trains the other one alone shows that.
        results: folder of records; the project's by default.

    Returns:
        The curves, and the rows that are not run; a notebook shows them as a table.

    Raises:
        UserError: no such table, row, profile or network; no rows, or one twice; a damaged record.
    """
    content = tables.load(table)
    for value, known, what in ((profile, tables.PROFILES, "profile"), (network, NETWORKS, "network")):
        if value not in known:
            raise UserError(f"no {what} {shown(value)}; {nearest(value, known)}")
    if isinstance(rows, str) or not rows or len(set(rows)) < len(rows):
        raise UserError(f"rows are {shown(rows)}; expected a list of rows of table {table}, each once")
    found, missing = [], []
    made = {name: record.of(f"{table}/{name}", profile, results) for name in rows}
    known = prices.load(profile, results)
    for name, records in made.items():
        label = content.row(name).label
        if records:
            found.append(_curve(name, label, network, records, known, results))
        else:
            missing.append(label)
    return Curves(table, profile, tuple(found), tuple(missing), known.on)


def _curve(
    row: str, label: str, network: str, records: list[Record], known: Prices, results: Path | None
) -> Curve:
    epochs = records[0].curve["tested"]
    if any(one.curve["tested"] != epochs for one in records):
        raise UserError(
            f"seeds of {records[0].run} were tested after different epochs, so they share no curve; "
            "'snnbook check' names those made with other settings; run them again"
        )
    shows = network if network in records[0].metrics else next(iter(records[0].metrics))
    before, own = known.before(records[0], results), known.minutes(records[0])
    whole = records[0].config["recipe"]["epochs"]
    timed = before is not None and own is not None
    return Curve(
        row,
        label,
        shows,
        tuple(records),
        tuple(epochs),
        tuple(before + own * epoch / whole for epoch in epochs) if timed else (),
        tuple(tuple(one.curve["accuracy"][shows]) for one in records),
    )


def _difference(
    curve: Curve, own: tuple[float, ...] | None, first: Curve, theirs: tuple[float, ...] | None
) -> str:
    """One row less the first, seed by seed, over those that both have: ``+1.2 ± 0.4``."""
    if own is None or theirs is None:
        return "n/a"
    less = {one.seed: value for one, value in zip(first.records, theirs, strict=True)}
    by_seed = zip(curve.records, own, strict=True)
    values = {one.seed: value - less[one.seed] for one, value in by_seed if one.seed in less}
    if not values:
        return "no seed in common"
    if learned.faults(one for one in (*curve.records, *first.records) if one.seed in values):
        return UNLEARNED
    shared = "" if len(values) == len(own) else f" ({len(values)} of its seeds)"
    return Estimate(values, ()).text() + shared


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{'; '.join(words[:-1])}; and {words[-1]}"
