"""What ``snnbook list`` prints: the tables, a line each, or the rows of one, within the terminal's width."""

import shutil
from collections.abc import Iterator
from functools import partial
from itertools import product
from pathlib import Path
from textwrap import wrap

from snnbook.errors import UserError
from snnbook.experiments.runs import record
from snnbook.experiments.runs.job import resolve
from snnbook.experiments.runs.record import Record
from snnbook.experiments.runs.standing import changed
from snnbook.experiments.tables import tables
from snnbook.experiments.tables.tables import Row, Table

UNBOUND = 10_000  # columns, where no terminal cuts lines
HEAD = ("table", "rows", *tables.PROFILES, "title")


def width() -> int:
    """Columns of the terminal, or of what ``COLUMNS`` says; where output goes to a file, no line is cut."""
    return max(40, shutil.get_terminal_size((UNBOUND, 24)).columns)


def of_tables(results: Path | None) -> Iterator[str]:
    """A line for each table: its rows, by profile how many runs have a record of how many, and its title."""
    grid = [HEAD]
    for name in tables.names():
        table = tables.load(name)
        counts = [_all_counted(table, profile, results) for profile in tables.PROFILES]
        grid.append((name, str(len(table.rows)), *counts, table.title))
    wide = [max(map(len, column)) for column in zip(*grid, strict=True)]
    for name, *numbers, title in grid:
        cells = [cell.rjust(w) for cell, w in zip(numbers, wide[1:-1], strict=True)]
        yield _cut("  ".join([name.ljust(wide[0]), *cells, title]), width())


def of_rows(name: str, results: Path | None) -> Iterator[str]:
    """The title of the table ``name``; for each row its id, its label, and by profile how many seeds were run."""
    table = tables.load(name)
    yield from wrap(f"{table.id}: {table.title} ({table.source})", width())
    longest = max(len(f"{table.id}/{row.id}") for row in table.rows)
    for row in table.rows:
        found = {profile: tables.find(f"{table.id}/{row.id}", profile) for profile in tables.PROFILES}
        counts = [
            f"{profile} {_counted(owner, trained, profile, results)}"
            for profile, (owner, trained) in found.items()
            if profile in owner.profiles
        ]
        same = f" (= {row.same})" if row.same else _instead(row.instead)
        run = f"{table.id}/{row.id}".ljust(longest)
        line = f"  {run}  {', '.join(counts)}"
        yield from [line] if len(line) <= width() else [f"  {run.rstrip()}", f"    {', '.join(counts)}"]
        yield from _indented(row.label + same)
        waits = (reason for _, trained in found.values() for reason in trained.waits.values())
        for reason in dict.fromkeys(waits):
            yield from _indented(f"waits: {reason}")


def others(name: str | None, results: Path | None) -> str:
    """A sentence on records whose seed is none of their row's, of one table or all; empty without such."""
    found: dict[str, dict[str, None]] = {}
    for table in [tables.load(name) for name in ([name] if name else tables.names())]:
        for row, profile in product(table.rows, table.profiles):
            owner, trained = tables.find(f"{table.id}/{row.id}", profile)  # a row may be another table's
            counted = set(map(str, owner.seeds_in(profile, trained)))
            for place in record.places(results):
                for path in sorted((place / profile / owner.id / trained.id).glob("seed*.json")):
                    if (seed := path.stem.removeprefix("seed")) not in counted:
                        found.setdefault(f"{owner.id}/{trained.id} ({profile})", {})[seed] = None
    return _sentence("not counted, as their seeds are none of the row's", found)


def outdated(name: str | None, results: Path | None) -> str:
    """A sentence on records that count though their row has other settings by now; empty without such."""
    found: dict[str, dict[str, None]] = {}
    for table in [tables.load(name) for name in ([name] if name else tables.names())]:
        for row, profile in product(table.rows, table.profiles):
            for made in filter(
                partial(_has_changed, results=results), _readable(table, row, profile, results)
            ):
                found.setdefault(f"{made.run} ({profile})", {})[str(made.seed)] = None
    return _sentence("made with other settings than their rows have now, see snnbook check", found)


def _sentence(what: str, found: dict[str, dict[str, None]]) -> str:
    """What is said of runs and, by run, seeds."""
    told = "; ".join(f"{run}: {', '.join(seeds)}" for run, seeds in found.items())
    return "\n".join(wrap(f"{what}: {told}", width())) if found else ""


def _readable(table: Table, row: Row, profile: str, results: Path | None) -> list[Record]:
    """The records of a row, or none if one is damaged, which is told where it is needed."""
    try:
        return record.of(f"{table.id}/{row.id}", profile, results)
    except UserError:
        return []


def _has_changed(made: Record, results: Path | None) -> bool:
    try:
        run = resolve(made.run, made.seed, made.profile, results=results)
    except UserError:  # a row that waits by now, say
        return False
    return run.asked != made.asked and bool(changed(run, made))


def _instead(links: dict[str, str]) -> str:
    """``(in quick and lab = joint-table4/snn)``."""
    by_link: dict[str, list[str]] = {}
    for profile, link in links.items():
        by_link.setdefault(link, []).append(profile)
    return "".join(f" (in {' and '.join(profiles)} = {link})" for link, profiles in by_link.items())


def _all_counted(table: Table, profile: str, results: Path | None) -> str:
    """``12/36``: runs that have a record, of those that can be run in this profile; a dash where none can."""
    done = asked = 0
    for row in table.rows:
        owner, trained = tables.find(f"{table.id}/{row.id}", profile)
        made = _made(owner, trained, profile, results)
        done += made
        if (profile in owner.profiles and profile not in trained.waits) or made:
            asked += len(owner.seeds_in(profile, trained))
    return f"{done}/{asked}" if asked else "-"


def _counted(owner: Table, trained: Row, profile: str, results: Path | None) -> str:
    made = _made(owner, trained, profile, results)
    return (
        "waits"
        if profile in trained.waits and not made
        else f"{made}/{len(owner.seeds_in(profile, trained))}"
    )


def _made(owner: Table, trained: Row, profile: str, results: Path | None) -> int:
    seeds = owner.seeds_in(profile, trained)
    return len(record.records(f"{owner.id}/{trained.id}", profile, seeds, results))


def _indented(text: str) -> list[str]:
    return wrap(text, width(), initial_indent="    ", subsequent_indent="    ")


def _cut(line: str, longest: int) -> str:
    return line if len(line) <= longest else f"{line[: longest - 3].rstrip()}..."
