"""Every row of every table, one run after another, each in a process of its own."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snnbook.errors import UserError
from snnbook.experiments import record, tables
from snnbook.experiments.config import nearest


@dataclass(frozen=True)
class Task:
    """One run of the matrix.  ``waits``: what must be there first, if it cannot be run now."""

    run: str
    seed: int
    done: bool
    waits: str | None = None


def matrix(
    profile: str,
    chosen: Sequence[str] = (),
    seeds: Sequence[int] = (),
    results: Path | None = None,
    data: Path | None = None,
) -> list[Task]:
    """The runs of ``chosen`` tables (all by default) for ``seeds`` (each table's own by default), as tasks.

    ``data``, the folder of data sets, decides which rows wait for images that are not there.

    Raises:
        UserError: no such table.
    """
    for name in chosen:
        if name not in tables.names():
            raise UserError(f"no table {name!r}; {nearest(name, tables.names())}")
    found = []
    for name in chosen or tables.names():
        table = tables.load(name)
        for seed in seeds or table.seeds:
            for row in table.rows:
                owner, trained = tables.find(f"{table.id}/{row.id}")
                run = f"{owner.id}/{trained.id}"
                done = bool(record.records(run, profile, [seed], results))
                found.append(Task(run, seed, done, _waits(trained, profile, data)))
    return list(dict.fromkeys(found))  # a row shown in two tables is one run


def _waits(row: tables.Row, profile: str, data: Path | None) -> str | None:
    if profile in row.waits and row.until:
        from snnbook.data import default_root  # torch takes its time to import

        if ((data or default_root()) / row.until).exists():
            return None
    return row.waits.get(profile)


def reproduce(tasks: Sequence[Task], profile: str, options: Sequence[str] = ()) -> list[Task]:
    """Run the tasks that are neither done nor wait for something; returns those that failed.

    One failing run does not stop the others; ``options`` go to ``snnbook run``.
    """
    waiting, failed = [task for task in tasks if not (task.done or task.waits)], []
    for number, task in enumerate(waiting, 1):
        print(f"[{number}/{len(waiting)}] {task.run}, seed {task.seed}", flush=True)
        command = ["run", task.run, "--seed", str(task.seed), "--profile", profile, *options]
        code = subprocess.run([sys.executable, "-m", "snnbook", *command]).returncode
        if code in (130, 143):
            raise KeyboardInterrupt
        if code:
            failed.append(task)
    return failed
