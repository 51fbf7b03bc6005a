"""A reproduction receipt: one page that sets a reader's runs beside the book's, to attach to a report.

The reader's runs lie in a results folder of their own.  Each is compared with the book's runs of the same row in
the same profile; one with changed settings (``--set``) with those of the row it changes.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean

from snnbook import __version__, files
from snnbook.checks import nearest
from snnbook.errors import UserError
from snnbook.experiments.evidence import grid
from snnbook.experiments.evidence.beside import ALONE, AS_SEEDS, FURTHER, Reproduction
from snnbook.experiments.evidence.line import NOT_RUN
from snnbook.experiments.evidence.report import NETWORKS
from snnbook.experiments.runs import record
from snnbook.experiments.runs.record import Record
from snnbook.experiments.tables import tables

TITLE = "# Reproduction receipt"
NONE = "no row of the book's as it stands"
MEANING = f"""\
"{AS_SEEDS}" means that their mean lies within what is expected, and no single run further away than is
expected of the farthest of so many; "{FURTHER}" means otherwise, which happens by chance to one row in twenty
of a single run, and of several runs to one in ten at most. Where there are seeds that the book has not, they
alone are judged; copies of the book's records are set aside. The book's page "Why do mine differ?" says where
to look."""
VERSIONS = ("python", "torch", "platform", "device", "instructions", "threads", "kernel", "precision")


@dataclass(frozen=True)
class Receipt:
    """Networks of a folder beside the book's; ``unread`` are records that could not be read, and why."""

    reproductions: tuple[Reproduction, ...]
    unread: tuple[str, ...] = ()

    def cells(self) -> list[list[str]]:
        """Headings and a row for each network of each run."""
        heads = [
            "run",
            "network",
            "theirs",
            "n",
            "the book's",
            "n",
            "expected",
            "difference",
            "by seed",
            "seconds",
        ]
        return [[*heads, "verdict"], *(_row(each) for each in self.reproductions)]

    def markdown(self) -> str:
        """The page."""
        made = [record for each in self.reproductions for record in each.theirs]
        profiles = ", ".join(dict.fromkeys(each.profile for each in self.reproductions))
        parts = [
            TITLE,
            f"Made by `snnbook receipt`, version {__version__}; {profiles} profile. Test accuracy of the last "
            "epoch in percent, mean ± standard deviation over n seeds. *Expected*: where the mean of as many new "
            "seeds lies in 95 % of cases, by the book's. *By seed*: the largest distance between two runs of one "
            "seed.",
            self.counted(),
            grid.markdown(self.cells()),
            MEANING,
            "## Where",
            grid.markdown(self.places(), left=3),
            "## Settings",
            "\n".join(f"- {line}" for line in self.settings()),
            "## Records",
            "\n".join(f"- `{name}`" for name in dict.fromkeys(_seal(one) for one in made)),
        ]
        if self.unread:
            parts += ["## Not read", "\n".join(f"- {why}" for why in self.unread)]
        return "\n\n".join(parts) + "\n"

    def places(self) -> list[list[str]]:
        """Versions, devices and data, theirs and the book's; more than one value if runs differ."""
        sides = [
            [made for each in self.reproductions for made in getattr(each, side)]
            for side in ("theirs", "book")
        ]
        rows = [["", "theirs", "the book's"]]
        for name in VERSIONS:
            rows.append([name, *(_values(made.environment.get(name) for made in side) for side in sides)])
        rows.append(["snnbook", *(_values(made.code.get("version") for made in side) for side in sides)])
        rows.append(["code", *(_values(made.code.get("tree") for made in side) for side in sides)])
        rows.append(["data", *(_values(made.data.get("fingerprint") for made in side) for side in sides)])
        return rows

    def counted(self) -> str:
        """How often each verdict came; of runs with settings of their own apart."""
        kinds = Counter((each.word, bool(each.differences())) for each in self.reproductions)
        same, other = (
            "; ".join(f"{count} {word}" for (word, changed), count in kinds.items() if changed == kind)
            for kind in (False, True)
        )
        more = f"; with other settings or data, so no rerun of the book's: {other}" if other else ""
        return f"{same or NONE}{more}."

    def settings(self) -> list[str]:
        """Settings and data that differ from the book's, a line for each run that has any."""
        lines = [
            f"`{each.run}`: {ALONE}" if not each.book else f"`{each.run}`: {'; '.join(each.differences())}"
            for each in self.reproductions
            if not each.book or each.differences()
        ]
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
    paths = _own(results, book)
    known = dict.fromkeys(run for _, run, _ in paths)
    for name in runs:
        if not any(_asked(name, kept, run) for kept, run, _ in paths):
            raise UserError(f"no record of {name!r} in {results}; {nearest(name, [*known])}")
    made: dict[tuple[str, str], list[Record]] = {}
    unread = []
    for kept, run, path in paths:
        if profile in (None, kept) and (not runs or any(_asked(name, kept, run) for name in runs)):
            try:
                one = record.read(path)
                tables.find(run.partition("+")[0], kept)
                made.setdefault((kept, run), []).append(one)
            except UserError as error:
                if runs:
                    raise
                unread.append(str(error))
    reproductions = [
        one for (kept, run), theirs in made.items() for one in _reproductions(run, kept, theirs, book)
    ]
    if not reproductions:
        which = f" of the {profile} profile" if profile else ""
        raise UserError(
            unread[0]
            if unread
            else f"no records{which} in {results}; expected those of 'snnbook run ID --results {results}'"
        )
    return Receipt(tuple(reproductions), tuple(unread))


def _own(results: Path, book: Path) -> list[tuple[str, str, Path]]:
    """Profile, run and path of a reader's records; in the book's own folder those of seeds that it does not count.

    Raises:
        UserError: the folder is the book's, and has no others.
    """
    paths = sorted(path for profile in tables.PROFILES for path in results.glob(f"{profile}/*/*/seed*.json"))
    found = [(path.parts[-4], "/".join(path.parts[-3:-1]), path) for path in paths]
    if results.resolve() != book.resolve():
        return found
    found = [each for each in found if not _counted(*each)]
    if not found:
        raise UserError(
            f"{results} holds the book's own records; run into a folder of your own, for instance "
            "'snnbook run joint-table4/snn --results mine', and give that"
        )
    return found


def _counted(profile: str, run: str, path: Path) -> bool:
    """Whether a record's seed is one that its row asks for."""
    try:
        table, row = tables.find(run.partition("+")[0], profile)
    except UserError:
        return True  # no row of the book's: nothing to compare it with
    return path.stem.removeprefix("seed") in map(str, table.seeds_in(profile, row))


def _asked(name: str, profile: str, run: str) -> bool:
    """Whether ``name`` means this run: its own, without its changes, a row's that is the same, or its table's."""
    base = run.partition("+")[0]
    if name in (run, base):
        return True
    rows = [f"{name}/{row.id}" for row in tables.load(name).rows] if name in tables.names() else [name]
    return base in map(partial(_trained, profile), rows)


def _trained(profile: str, row: str) -> str | None:
    """The run that a row's name stands for; None where there is no such row."""
    try:
        table, found = tables.find(row, profile)
    except UserError:
        return None
    return f"{table.id}/{found.id}"


def _reproductions(run: str, profile: str, theirs: list[Record], book: Path) -> list[Reproduction]:
    theirs = sorted(theirs, key=lambda made: made.seed)
    standing = record.of(run, profile, book) or record.of(run.partition("+")[0], profile, book)
    networks = [name for name in NETWORKS if all(name in made.metrics for made in theirs)]
    books = {name: tuple(one for one in standing if name in one.metrics) for name in networks}
    return [Reproduction(run, profile, name, tuple(theirs), books[name], f"{name}.last") for name in networks]


def _row(each: Reproduction) -> list[str]:
    theirs = record.statistic(each.judged or each.theirs, each.key)
    book = record.statistic(each.book, each.key)
    seconds = record.statistic(each.theirs, "cost.seconds")
    expected = "n/a"
    if each.expected is not None:
        middle = mean(each.values[1])
        expected = f"{middle - each.expected:.2f} to {middle + each.expected:.2f}"
    return [
        each.run,
        each.network.upper(),
        theirs.text(2),
        str(theirs.n),
        book.text(2) if book else NOT_RUN,
        str(book.n if book else 0),
        expected,
        "n/a" if each.difference is None else f"{round(each.difference, 2) + 0.0:+.2f}",
        "n/a" if each.apart is None else f"{each.apart:.2f}",
        f"{seconds.mean:.1f}",
        each.word,
    ]


def _values(found) -> str:
    return (
        ", ".join(dict.fromkeys("not recorded" if value is None else str(value) for value in found)) or "n/a"
    )


def _seal(made: Record) -> str:
    return f"{made.profile}/{made.run}/seed{made.seed}: {made.created}, checksum {record.checksum(made)[:16]}"
