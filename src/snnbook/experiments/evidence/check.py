"""Whether everything that is committed fits together: records, tables and ledgers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from snnbook.errors import UserError
from snnbook.experiments.evidence import claims, fidelity, judge
from snnbook.experiments.runs import migration, record
from snnbook.experiments.runs.job import check_table, resolve
from snnbook.experiments.runs.standing import changed, other_weights
from snnbook.experiments.tables import tables


@dataclass(frozen=True)
class Checked:
    """What was looked at, by kind, and a line for each problem."""

    counts: dict[str, int]
    problems: tuple[str, ...]


def check(results: Path | None = None) -> Checked:
    """Look at all of it; a problem does not stop the search for others.

    Args:
        results: folder of records; the project's by default.
    """
    problems: list[str] = []

    def tried(action: Callable, *arguments):
        try:
            return action(*arguments)
        except UserError as error:
            problems.append(str(error))
            return None

    paths = [path for place in record.places(results) for path in sorted(place.rglob("seed*.json"))]
    listed = {"claims": tried(claims.load) or [], "details": tried(fidelity.load) or []}
    measured = {detail.terms[0].run: detail for detail in listed["details"] if detail.set}
    for path in paths:
        tried(_record, path, measured)
    for name in tables.names():
        tried(lambda name=name: check_table(tables.load(name)))
    for profile in tables.PROFILES:
        for claim in listed["claims"] if profile in tables.EVIDENCE else ():
            tried(judge.judge, claim, profile, results)
        for detail in listed["details"]:
            tried(fidelity.effect, detail, profile, results)
    counts = {"records": len(paths), "tables": len(tables.names())}
    counts |= {name: len(entries) for name, entries in listed.items()}
    return Checked(counts, tuple(dict.fromkeys(problems)))  # two claims may meet the same damaged record


def migrate(results: Path | None = None) -> dict[Path, str]:
    """Bring records of an older schema up to date; returns those that have to be made again, with the reason."""
    changed = {detail.terms[0].run: detail.set for detail in fidelity.load() if detail.set}
    return migration.migrate(Path(results or record.folder()), changed)


def _record(path: Path, measured: dict[str, fidelity.Detail]) -> None:
    """Raises a UserError if the record is damaged, lies elsewhere than it says, or is not of today's table; or if
    the weights kept beside it are not its own."""
    made = record.read(path)
    place = "/".join(path.parts[-4:])
    row, _, mark = made.run.partition("+")
    overrides = measured[made.run].set if made.run in measured else ()
    if mark and mark not in tables.RECIPES and not overrides:
        tables.find(row)  # somebody's changed settings; the table says nothing about them
        return
    recipe = mark if mark in tables.RECIPES else "paper"
    planned = resolve(row, made.seed, made.profile, recipe, overrides, results=path.parents[3])
    differ = changed(planned, made) + other_weights(planned, made)
    if differ:
        raise UserError(f"record {place} was made with other settings ({'; '.join(differ)}); run it again")
    if planned.exact.is_file():
        from snnbook.experiments.runs.exact import check_kept  # torch takes its time to import

        check_kept(planned, made)
