"""A table of a paper beside ours: for the terminal, for Markdown, for LaTeX, for a spreadsheet."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from textwrap import wrap

from snnbook.checks import nearest
from snnbook.errors import UserError
from snnbook.experiments.evidence import grid, prices, spreadsheet
from snnbook.experiments.evidence.line import NOT_RUN, WAITS, Line, joined, marked, measured, spent, statistic
from snnbook.experiments.runs import machines, record
from snnbook.experiments.runs.record import Record, Statistic
from snnbook.experiments.tables import tables
from snnbook.experiments.tables.tables import PaperNumbers

STRONGEST = "strongest"
NETWORKS = ("snn", "ann")
# What the numbers of a profile are, below each table.
STANDING = {
    "quick": "A rehearsal: it shows that each row runs, on small data and with one seed, and decides nothing.",
    "desk": "Narrow networks, a short but whole schedule: evidence, and not the paper's numbers.",
    "lab": "A shortened schedule, so not the paper's numbers.",
    "paper": "",
}


@dataclass(frozen=True)
class Report:
    """A table, paper and ours.

    ``which`` accuracy ours is: of the last epoch, or the best one's.  ``chosen`` are the columns beside the row's
    name, by their headings with blanks between; all, if it is empty.
    """

    table: str
    title: str
    source: str
    profile: str
    recipe: str
    which: str
    lines: tuple[Line, ...]
    chosen: str = ""
    timed_on: str = ""

    def columns(self) -> dict[str, Callable[[Line], str]]:
        """Headings, and how each shows a line; columns that say nothing in this table are left out."""
        every = self._columns()
        if not self.chosen:
            return every
        known = replace(self, profile=tables.PROFILES[-1])._columns()  # the rehearsal lacks the paper's
        return {title: every[title] for title in ("row", *grid.titles(self.chosen, known)) if title in every}

    def _columns(self) -> dict[str, Callable[[Line], str]]:
        columns = {
            "row": lambda line: line.label,
            "network": lambda line: line.network.upper(),
            "paper": _paper,
            "ours": lambda line: WAITS if line.waits else line.shown(),
        }
        if self.profile == tables.REHEARSAL:
            del columns["paper"]
        if (
            self.profile == tables.PROFILES[-1]
        ):  # elsewhere a difference from the paper's number means nothing
            columns["difference"] = lambda line: _signed(line.difference)
        if any(line.baseline_run for line in self.lines):
            columns["snnTorch"] = lambda line: marked(line.baseline) if line.baseline_run else "n/a"
        if any(line.paper_stm is not None for line in self.lines):
            if self.profile != tables.REHEARSAL:
                columns["paper STM"] = lambda line: _number(line.paper_stm)
            columns["STM"] = lambda line: WAITS if line.waits else statistic(line.stm, digits=2)
        columns["n"] = lambda line: str(line.ours.n if line.ours else 0)
        if any(line.energy for line in self.lines):
            columns["µJ"] = lambda line: measured(line, line.energy)
        if any(line.minutes for line in self.lines):
            columns["minutes"] = lambda line: (
                spent(line, None) if line.minutes is None else f"{line.minutes:.1f}"
            )
        columns["seconds"] = lambda line: spent(line, line.seconds)
        columns["s/epoch"] = lambda line: spent(line, line.seconds_per_epoch)
        if self.profile != tables.REHEARSAL and any(line.paper_seconds is not None for line in self.lines):
            columns["paper s/epoch"] = lambda line: _number(line.paper_seconds)
        columns["device"] = lambda line: WAITS if line.waits else line.device or NOT_RUN
        return columns

    def cells(self) -> list[list[str]]:
        """Headings and rows as they are shown; no cell is blank."""
        columns = self.columns()
        return [list(columns), *([show(line) for show in columns.values()] for line in self.lines)]

    def caption(self) -> str:
        """What the numbers are: profile, data, device, sampling error."""
        mode = "" if self.recipe == "paper" else f", {self.recipe} mode"
        text = (
            f"{self.title} ({self.source}). Test accuracy of the {self.which} epoch in percent, mean ± standard "
            f"deviation over n seeds; {self.profile} profile{mode}"
        )
        made = [made for line in self.lines if line.ours for made in line.ours.records]
        if made:
            on = joined(machines.whole(one.environment) for one in made)
            text += f", {joined(map(_data, made))}, {self._sampling()}, on {on}"
        shown = self.columns()
        if "minutes" in shown:
            text += (
                f". Minutes are of all training steps, a teacher's included, timed in turn on {self.timed_on}"
            )
        if {"seconds", "s/epoch"} & set(shown) and self.profile != tables.REHEARSAL:
            text += ". Seconds are those of runs made on different days, and compare nothing"
        return f"{text}. {STANDING[self.profile]}".strip()

    def _sampling(self) -> str:
        """How far an accuracy is from that on other images of the kind, at the accuracies of this table."""
        errors = sorted(
            _sampling_error(made.metrics[line.network][self.which], made.data["test"])
            for line in self.lines
            for made in (line.ours.records if line.ours else ())
        )
        ends = dict.fromkeys(f"{error:.1f}" for error in (errors[0], errors[-1]))
        return f"sampling error {' to '.join(ends)} points at these accuracies"

    def text(self) -> str:
        """For the terminal."""
        return "\n".join([*wrap(self.caption(), 110), "", grid.text(self.cells())])

    def markdown(self) -> str:
        """A pipe table, headings first."""
        return grid.markdown(self.cells())

    def latex(self) -> str:
        """A ``table`` of booktabs with caption and label."""
        return grid.latex(self.cells(), self.caption(), self.table)

    def csv(self) -> str:
        """For a spreadsheet, see :mod:`.spreadsheet`."""
        return spreadsheet.csv_of(self)

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        """For a notebook: rows that wait are named below the table."""
        shown = replace(self, lines=tuple(line for line in self.lines if not line.waits))
        below = [self.caption(), *self.waiting()]
        return "\n".join([grid.html(shown.cells()), *(f"<p>{escape(text)}</p>" for text in below)])

    def told(self) -> list[Line]:
        """One line a row with records: its SNN, or the ANN where that is all."""
        spiking = {line.run for line in self.lines if line.network == "snn"}
        return [
            line for line in self.lines if line.ours and (line.network == "snn" or line.run not in spiking)
        ]

    def waiting(self) -> list[str]:
        """Rows that cannot be run in this profile, a sentence for each reason."""
        reasons: dict[str, list[str]] = {}
        for line in self.lines:
            if line.waits:
                reasons.setdefault(line.waits, []).append(line.label)
        return [
            f"Waiting ({_count(len(labels), 'row')}; {reason}): {' · '.join(dict.fromkeys(labels))}."
            for reason, labels in reasons.items()
        ]


def report(
    table: str,
    profile: str = "quick",
    *,
    recipe: str = "paper",
    which: str = "last",
    columns: str = "",
    results: Path | None = None,
) -> Report:
    """The table ``table``, the paper's numbers beside ours.

    Args:
        table: its id, see ``snnbook list``.
        profile: whose records; ``"strongest"`` is the profile closest to the paper that has some of this table,
            and the rehearsal where none has.
        recipe: ``"paper"`` or ``"official"``.
        which: accuracy of the ``"last"`` or of the ``"best"`` epoch.
        columns: those shown beside the row's name, ``"paper ours n"`` for instance; all by default.
        results: folder of records; the project's by default.

    Raises:
        UserError: no such table, profile, mode or column; or a damaged record.
    """
    for value, known, what in (
        (profile, (STRONGEST,) if profile == STRONGEST else tables.PROFILES, "profile"),
        (recipe, tables.RECIPES, "recipe mode"),
        (which, ("last", "best"), "accuracy"),
    ):
        if value not in known:
            raise UserError(f"no {what} {value!r}; {nearest(value, known)}")
    content = tables.load(table)
    mode = "" if recipe == "paper" else f"+{recipe}"
    profile = _strongest(content, mode, results) if profile == STRONGEST else profile
    known, lines = prices.load(profile, results), []
    for row in content.rows:
        owner, trained = tables.find(f"{table}/{row.id}", profile)
        ours = _made(owner, trained, mode, profile, results)
        theirs = []
        if row.baseline:
            theirs = _made(*tables.linked(row, row.baseline, profile), mode, profile, results)
        for network in _networks(row.paper, ours, trained):
            key = f"{network}.{which}"
            lines.append(
                Line(
                    run=f"{owner.id}/{trained.id}{mode}",
                    label=row.label,
                    network=network,
                    paper=getattr(row.paper, network),
                    paper_std=getattr(row.paper, f"{network}_std"),
                    paper_seconds=row.paper.seconds_per_epoch,
                    ours=record.statistic(ours, key),
                    baseline_run=row.baseline if network == "snn" else None,
                    baseline=record.statistic(theirs, key) if network == "snn" else None,
                    seconds=record.statistic(ours, "cost.seconds"),
                    seconds_per_epoch=record.statistic(ours, "cost.seconds_per_epoch"),
                    note=" ".join(filter(None, (row.note, "" if ours else _waiting(trained, profile)))),
                    waits=None if ours else trained.waits.get(profile),
                    paper_stm=row.paper.stm,
                    stm=_where(ours, "measure.snn.mismatch.score"),
                    energy=_where(ours, f"measure.{network}.energy_uj"),
                    minutes=known.whole(ours[0], results) if ours else None,
                )
            )
    return Report(
        table, content.title, content.source, profile, recipe, which, tuple(lines), columns, known.on
    )


def _strongest(content: tables.Table, mode: str, results: Path | None) -> str:
    """The profile closest to the paper that has records of a table, or the rehearsal."""
    for profile in reversed(tables.EVIDENCE):
        rows = (tables.find(f"{content.id}/{row.id}", profile) for row in content.rows)
        if any(_made(*row, mode, profile, results) for row in rows):
            return profile
    return tables.REHEARSAL


def _made(
    owner: tables.Table, row: tables.Row, mode: str, profile: str, results: Path | None
) -> list[Record]:
    return record.records(f"{owner.id}/{row.id}{mode}", profile, owner.seeds_in(profile, row), results)


def _networks(paper: PaperNumbers, ours: list[Record], row: tables.Row) -> list[str]:
    """Those the records hold; without records those the paper prints, or else what the row trains."""
    if ours:
        return [name for name in NETWORKS if all(name in one.metrics for one in ours)]
    trains = row.sections.get("method", {}).get("train")
    return [name for name in NETWORKS if getattr(paper, name) is not None] or [
        trains.value if trains else "snn"
    ]


def _where(made: list[Record], key: str) -> Statistic | None:
    """Over the records that measured it: not every analysis is made of every run."""
    return record.statistic([one for one in made if one.has(key)], key)


def _waiting(row: tables.Row, profile: str) -> str:
    return f"Waits: {row.waits[profile]}." if profile in row.waits else ""


def _paper(line: Line) -> str:
    if line.paper is None:
        return "n/a"
    return _number(line.paper) + ("" if line.paper_std is None else f" ± {_number(line.paper_std)}")


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:g}"


def _sampling_error(accuracy: float, images: int) -> float:
    """As :func:`snnbook.data.standard_error`, which would import torch: reports are read without it."""
    return (accuracy * (100 - accuracy) / images) ** 0.5


def _data(made: Record) -> str:
    return f"{made.data['name']} ({made.data['test']} test images)"


def _signed(value: float | None) -> str:
    """``+1.2``; what rounds to zero has no sign of its own."""
    return "n/a" if value is None else f"{round(value, 1) + 0.0:+.1f}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
