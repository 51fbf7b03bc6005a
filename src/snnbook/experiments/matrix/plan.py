"""What is left to run, and in which order.  A record that stands is the only proof of "done"."""

from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from snnbook.checks import nearest, shown
from snnbook.errors import UserError
from snnbook.experiments.runs import record
from snnbook.experiments.runs.job import DEEPEST, Run, check_table, resolve
from snnbook.experiments.runs.standing import standing
from snnbook.experiments.tables import tables


@dataclass(frozen=True)
class Task:
    """One run of the matrix.

    Attributes:
        name, seed: ``<table>/<row>``, and whose numbers.
        run: the same, resolved; None for one that waits.
        done: its record stands.
        waits: what must be there first, if it cannot be run now.
    """

    name: str
    seed: int
    run: Run | None
    done: bool
    waits: str | None = None


@dataclass(frozen=True)
class Step:
    """What one process does: a run, or some seeds of a row in turn, after the steps named in ``after``.

    ``again``: their records stand, but others need the weights, which git does not keep of them.
    """

    name: str
    runs: tuple[Run, ...]
    after: tuple[str, ...]
    again: bool

    @property
    def row(self) -> str:
        """What it runs, with each of :attr:`seeds`."""
        return self.runs[0].id

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(run.seed for run in self.runs)


def matrix(
    profile: str,
    chosen: Sequence[str] = (),
    seeds: Sequence[int] = (),
    results: Path | None = None,
    work: Path | None = None,
    data: Path | None = None,
) -> list[Task]:
    """The runs of ``chosen`` tables (all by default) for ``seeds`` (each table's own by default), as tasks.

    ``data``, the folder of data sets, decides which rows wait for images that are not there.

    Raises:
        UserError: no such table; a record that is damaged, or was made with other settings than the table's now.
    """
    found = []
    for (name, seed), waits in asked(profile, chosen, seeds, data).items():
        if waits:
            done = bool(record.records(name, profile, [seed], results))
            found.append(Task(name, seed, None, done, waits))
        else:
            run = resolve(name, seed, profile, results=results, work=work)
            found.append(Task(name, seed, run, standing(run) is not None))
    return found


def asked(
    profile: str,
    chosen: Sequence[str] = (),
    seeds: Sequence[int] = (),
    data: Path | None = None,
    overrides: Sequence[str] = (),
) -> dict[tuple[str, int], str | None]:
    """The runs of tables by name and seed, a row shown in two tables once, and what each waits for, if anything.

    With ``data.name`` among the ``overrides`` no row waits for its images.

    Raises:
        UserError: no such table.
    """
    for name in chosen:
        if name not in tables.names():
            raise UserError(f"no table {shown(name)}; {nearest(name, tables.names(), tables.LISTER)}")
    others = any(text.strip().startswith("data.name=") for text in overrides)
    found: dict[tuple[str, int], str | None] = {}
    for name in chosen or tables.names():
        table = tables.load(name)
        for row in table.rows:
            owner, trained = tables.find(f"{table.id}/{row.id}", profile)
            run = f"{owner.id}/{trained.id}"
            for seed in seeds or owner.seeds_in(profile, trained):
                if (run, seed) not in found:
                    found[run, seed] = _waits(run, profile, data, others)
    return found


def _waits(
    run: str, profile: str, data: Path | None, others: bool = False, above: tuple[str, ...] = ()
) -> str | None:
    table, row = tables.find(run, profile)
    name = f"{table.id}/{row.id}"
    if name in above or len(above) > DEEPEST:
        return None  # resolving it says what is wrong
    if profile not in table.profiles:
        return f"table {table.id} has no {profile} profile"
    if profile in row.waits and not (_there(row.until, data) or (row.until and others)):
        return row.waits[profile]
    for need in filter(None, (*row.needs, row.inherits)):
        tables.linked(row, need)
        if reason := _waits(need, profile, data, others, (*above, name)):
            return f"needs {need}, which waits: {reason}"
    return None


def _there(until: str | None, data: Path | None) -> bool:
    if until is None:
        return False
    from snnbook.data.location import default_root  # brings torch, which takes its time

    folder = (data or default_root()).absolute()
    return (folder / until).exists() or (folder.name == until and folder.is_dir())  # given by its own name


def steps(tasks: Sequence[Task]) -> list[Step]:
    """The processes that do what is not done, each after those whose weights it needs.

    In the quick profile the seeds of a row share a process; elsewhere each run has its own, with a GPU of its own.
    What a run needs is a step too, whichever table it belongs to, if its record or its weights are missing: a
    teacher is trained once, before its students.  They come seed by seed, and in a seed as the tables have them.

    Raises:
        UserError: a mistake in one of the tables concerned, with its line.
    """
    todo = [task.run for task in tasks if task.run is not None and not task.done]
    todo.sort(key=lambda one: one.seed)  # whatever is reached, all rows have it
    for name in dict.fromkeys(run.row.partition("/")[0] for run in todo):
        check_table(tables.load(name))
    groups: dict[str, dict[int, Run]] = {}  # by the name of the step, and seed

    def add(one: Run) -> None:
        if one.seed in groups.get(_name(one), {}):
            return
        for need in one.parents:
            kept = need.weights.is_file() or need.exact.is_file()
            if not (need.record_path.is_file() and kept):
                add(need)
        groups.setdefault(_name(one), {})[one.seed] = one

    for run in todo:
        add(run)
    needed = {
        name: [_name(n) for one in seeds.values() for n in one.parents if n.seed in groups.get(_name(n), {})]
        for name, seeds in groups.items()
    }
    return [_step(name, groups[name], needed[name]) for name in _sorted(needed)]


def _sorted(needed: dict[str, list[str]]) -> list[str]:
    """Names, each after those it needs; in the order given, where that is one already."""
    given = list(needed)
    if all(given.index(need) < given.index(name) for name in given for need in needed[name]):
        return given
    return list(TopologicalSorter(needed).static_order())


def _step(name: str, seeds: dict[int, Run], after: list[str]) -> Step:
    runs = tuple(seeds[seed] for seed in sorted(seeds))
    again = all(one.record_path.is_file() for one in runs)
    return Step(name, runs, tuple(dict.fromkeys(after)), again)


def _name(one: Run) -> str:
    return one.id if one.profile == "quick" else f"{one.id}/seed{one.seed}"
