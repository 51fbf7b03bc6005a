"""A reproduction receipt: one page that sets a reader's runs beside the book's, to attach to a report.

The reader's runs lie in a results folder of their own.  Each is compared with the book's runs of the same row in
the same profile; one with changed settings (``--set``) with those of the row it changes.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean, stdev

from snnbook import __version__, files
from snnbook.errors import UserError
from snnbook.experiments.evidence import grid
from snnbook.experiments.evidence.line import NOT_RUN
from snnbook.experiments.evidence.paired import student
from snnbook.experiments.evidence.report import NETWORKS
from snnbook.experiments.runs import record
from snnbook.experiments.runs.record import Record
from snnbook.experiments.tables import config, tables
from snnbook.experiments.tables import settings as merging

SAME = "the same, digit for digit"
AS_SEEDS = "as far apart as seeds are"
FURTHER = "further apart than seeds are"
ALONE = "nothing to compare with"
ONE = "the book has one seed, so no spread to compare with"
COPIED = "a copy of the book's record"
TITLE = "# Reproduction receipt"
VERSIONS = ("python", "torch", "platform", "device", "instructions", "threads", "kernel", "precision")


@dataclass(frozen=True)
class Comparison:
    """One network of one run, theirs and the book's; ``key`` is the number compared."""

    run: str
    profile: str
    network: str
    theirs: tuple[Record, ...]
    book: tuple[Record, ...]
    key: str

    @cached_property
    def values(self) -> tuple[list[float], list[float]]:
        return tuple([made.value(self.key) for made in side] for side in (self.theirs, self.book))

    @property
    def difference(self) -> float | None:
        """Theirs less the book's, of the means."""
        theirs, book = self.values
        return mean(theirs) - mean(book) if book else None

    @property
    def deviations(self) -> float | None:
        """The difference in standard deviations of the book's seeds; None if they do not differ, or are one."""
        book = self.values[1]
        spread = stdev(book) if len(book) > 1 else 0.0
        return self.difference / spread if spread else None

    @property
    def expected(self) -> float | None:
        """How far apart the two means are in 95 % of cases if only seeds differ; None for one seed of the book's.

        The prediction interval of a mean of ``m`` runs given ``n`` others: t times s times sqrt(1/m + 1/n).
        """
        theirs, book = self.values
        if len(book) < 2:
            return None
        return student(len(book) - 1) * stdev(book) * (1 / len(theirs) + 1 / len(book)) ** 0.5

    @property
    def shared(self) -> list[tuple[Record, Record]]:
        """Runs of the same seed, theirs and the book's."""
        by_seed = {made.seed: made for made in self.book}
        return [(made, by_seed[made.seed]) for made in self.theirs if made.seed in by_seed]

    @property
    def apart(self) -> float | None:
        """The largest distance between two runs of the same seed; None if there are none."""
        return max((abs(a.value(self.key) - b.value(self.key)) for a, b in self.shared), default=None)

    @property
    def word(self) -> str:
        """The verdict."""
        if not self.book:
            return ALONE
        if any(copied(one, other) for one in self.theirs for other in self.book):
            return COPIED
        if len(self.shared) == len(self.theirs) and all(a.curve == b.curve for a, b in self.shared):
            return SAME
        if self.expected is None:
            return ONE
        return AS_SEEDS if abs(self.difference) <= self.expected else FURTHER


def copied(one: Record, other: Record) -> bool:
    """Whether two records tell of one and the same training: no two take the same time to the last digit."""
    return one.cost["seconds"] == other.cost["seconds"]


@dataclass(frozen=True)
class Receipt:
    """All comparisons of a results folder."""

    comparisons: tuple[Comparison, ...]

    def cells(self) -> list[list[str]]:
        """Headings and a row for each network of each run."""
        heads = [
            "run",
            "network",
            "theirs",
            "n",
            "the book's",
            "n",
            "difference",
            "in std",
            "by seed",
            "seconds",
            "verdict",
        ]
        return [heads, *(_row(each) for each in self.comparisons)]

    def markdown(self) -> str:
        """The page."""
        made = [record for each in self.comparisons for record in each.theirs]
        profiles = ", ".join(dict.fromkeys(each.profile for each in self.comparisons))
        counted = Counter(each.word for each in self.comparisons)
        parts = [
            TITLE,
            f"Made by `snnbook receipt`, version {__version__}; {profiles} profile. Test accuracy of the last "
            "epoch in percent, mean ± standard deviation over n seeds. *In std*: the difference in standard "
            "deviations of the book's seeds. *By seed*: the largest distance between two runs of one seed.",
            "; ".join(f"{count} {word}" for word, count in counted.items()) + ".",
            grid.markdown(self.cells()),
            f'"{AS_SEEDS}" means within the 95 % prediction interval that the book\'s seeds give for theirs; '
            f'"{FURTHER}" means outside it. The book\'s page "Why do mine differ?" says where to look.',
            "## Where",
            grid.markdown(self.places(), left=3),
            "## Settings",
            "\n".join(f"- {line}" for line in self.settings()),
            "## Records",
            "\n".join(f"- `{name}`" for name in dict.fromkeys(_seal(one) for one in made)),
        ]
        return "\n\n".join(parts) + "\n"

    def places(self) -> list[list[str]]:
        """Versions, devices and data, theirs and the book's; more than one value if runs differ."""
        sides = [
            [made for each in self.comparisons for made in getattr(each, side)] for side in ("theirs", "book")
        ]
        rows = [["", "theirs", "the book's"]]
        for name in VERSIONS:
            rows.append([name, *(_values(made.environment.get(name) for made in side) for side in sides)])
        rows.append(["snnbook", *(_values(made.code.get("version") for made in side) for side in sides)])
        rows.append(["code", *(_values(made.code.get("tree") for made in side) for side in sides)])
        rows.append(["data", *(_values(made.data.get("fingerprint") for made in side) for side in sides)])
        return rows

    def settings(self) -> list[str]:
        """Settings that differ from the book's, a line for each run that has any."""
        lines = []
        for each in self.comparisons:
            if not each.book or each.book[0].asked == each.theirs[0].asked:
                continue
            changed = merging.changes(each.book[0].config, each.theirs[0].config)
            found = [f"{key} is {new!r}, the book's {old!r}" for key, old, new in changed]
            if found:
                lines.append(f"`{each.run}`: {'; '.join(found)}")
        return list(dict.fromkeys(lines)) or ["All as the book's."]


def place(path: Path) -> Path:
    """``path`` if a receipt may be written there: over nothing but an older one.

    Raises:
        UserError: a folder, a pipe, a link, a record or any other file is there.
    """
    path = files.place(path, "a receipt")
    if path.is_symlink():
        raise UserError(f"{path} is a link; expected the name of a file of its own; choose another --output")
    there = files.read_text(path, "a receipt") if path.exists() else ""
    if there and not there.startswith(TITLE):
        raise UserError(f"{path} holds something else than a receipt; choose another --output")
    return path


def receipt(
    results: Path, runs: Sequence[str] = (), profile: str | None = None, book: Path | None = None
) -> Receipt:
    """The runs in ``results`` beside the book's.

    Args:
        results: the reader's folder, as given to ``snnbook run --results``.
        runs: only these, ``<table>/<row>`` each, with their changed settings; all by default.
        profile: only this one; all by default.
        book: the book's folder of records; the committed ones by default.

    Raises:
        UserError: no record there, a damaged one, or the folder is the book's own.
    """
    results, book = Path(results), Path(book or files.results())
    if results.resolve() == book.resolve():
        raise UserError(
            f"{results} holds the book's own records; run into a folder of your own, for instance "
            "'snnbook run joint-table4/snn --results mine', and give that"
        )
    made: dict[tuple[str, str], list[Record]] = {}
    for path in sorted(results.glob("*/*/*/seed*.json")):
        if path.relative_to(results).parts[0] in tables.PROFILES:
            one = record.read(path)
            made.setdefault((one.profile, one.run), []).append(one)
    made = {key: found for key, found in made.items() if profile in (None, key[0])}
    known = [run for _, run in made]
    for run in runs:
        if not any(name.partition("+")[0] == run or name == run for name in known):
            raise UserError(f"no record of {run!r} in {results}; {config.nearest(run, known)}")
    comparisons = []
    for (kept, run), theirs in made.items():
        if not runs or run in runs or run.partition("+")[0] in runs:
            comparisons += _comparisons(run, kept, theirs, book)
    if not comparisons:
        which = f" of the {profile} profile" if profile else ""
        raise UserError(
            f"no records{which} in {results}; expected those of 'snnbook run ID --results {results}'"
        )
    return Receipt(tuple(comparisons))


def _comparisons(run: str, profile: str, theirs: list[Record], book: Path) -> list[Comparison]:
    theirs = sorted(theirs, key=lambda made: made.seed)
    standing = record.of(run, profile, book) or record.of(run.partition("+")[0], profile, book)
    networks = [name for name in NETWORKS if all(name in made.metrics for made in theirs)]
    books = {name: tuple(one for one in standing if name in one.metrics) for name in networks}
    return [Comparison(run, profile, name, tuple(theirs), books[name], f"{name}.last") for name in networks]


def _row(each: Comparison) -> list[str]:
    theirs = record.statistic(each.theirs, each.key)
    book = record.statistic(each.book, each.key)
    seconds = record.statistic(each.theirs, "cost.seconds")
    return [
        each.run,
        each.network.upper(),
        theirs.text(),
        str(theirs.n),
        book.text() if book else NOT_RUN,
        str(book.n if book else 0),
        "n/a" if each.difference is None else f"{round(each.difference, 1) + 0.0:+.1f}",
        "n/a" if each.deviations is None else f"{round(each.deviations, 1) + 0.0:+.1f}",
        "n/a" if each.apart is None else f"{each.apart:.1f}",
        f"{seconds.mean:.1f}",
        each.word,
    ]


def _values(found) -> str:
    return ", ".join(dict.fromkeys(str(value) for value in found)) or "n/a"


def _seal(made: Record) -> str:
    return f"{made.profile}/{made.run}/seed{made.seed}: {made.created}, checksum {record.checksum(made)[:16]}"
