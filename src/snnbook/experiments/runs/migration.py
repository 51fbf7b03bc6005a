"""Records of schema 1, which knew nothing of the runs a run needs, brought to today's.

What a record says stays as it was, but for the names of settings.  It gains the runs whose weights went into it,
as far as that can be shown: each has a record beside it, made earlier, with the settings that the tables ask for
now.  Where it cannot be shown the record is left alone, and the run has to be made again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from snnbook import files
from snnbook.errors import UserError
from snnbook.experiments.runs import record
from snnbook.experiments.runs.job import Run, resolve
from snnbook.experiments.runs.record import Origin, Record
from snnbook.experiments.runs.standing import changed
from snnbook.experiments.tables import tables

# Settings by section that have another name now, by the method they belong to.
RENAMED = {"distillation": {"method": {"weight": "kld"}}}
HISTORY = (
    "schema 1 to 2: runs it needs named from their own records, made before it with the settings of today"
)


def migrate(results: Path, overrides: Mapping[str, Sequence[str]] | None = None) -> dict[Path, str]:
    """Bring the records below ``results`` to today's schema.

    Args:
        results: a folder of records; those of today's schema are not touched.
        overrides: changed settings by the id they gave a run, for runs whose id alone does not tell them.

    Returns:
        The records that were left as they are, each with the reason.
    """
    left, results = {}, Path(results).absolute()  # as runs name the records of those they need
    paths = [path for path in sorted(results.rglob("seed*.json")) if _schema(path) == record.OLD]
    old = {path: _read(path) for path in paths}
    for path, made in old.items():
        try:
            asked, needs = _dependencies(made, path, old, overrides or {})
        except UserError as error:
            left[path] = str(error)
            continue
        now = replace(made, schema=record.SCHEMA, asked=asked, needs=needs, history=[HISTORY])
        record.write(now, path)
    return left


def _schema(path: Path) -> int | None:
    try:
        return json.loads(files.read_text(path, "a run's record")).get("schema")
    except (UserError, ValueError, AttributeError, RecursionError):
        return None


def _read(path: Path) -> Record:
    made = Record(**record.unsealed(path))
    renamed = RENAMED.get(made.config["method"]["name"], {})
    config = {
        section: {renamed.get(section, {}).get(key, key): value for key, value in settings.items()}
        for section, settings in made.config.items()
    }
    return replace(made, config=config)


def _dependencies(
    made: Record, path: Path, old: Mapping[Path, Record], overrides: Mapping[str, Sequence[str]]
) -> tuple[str, list[dict]]:
    """What is asked for now, and the runs that were needed."""
    row, _, mark = made.run.partition("+")
    if mark and mark not in tables.RECIPES and made.run not in overrides:
        owner = tables.find(row)[1]
        if owner.needs or owner.inherits:
            raise UserError(
                f"{made.run} has changed settings, which its id does not tell, and needs other runs"
            )
        return made.asked, []
    recipe = mark if mark in tables.RECIPES else "paper"
    run = resolve(row, made.seed, made.profile, recipe, overrides.get(made.run, ()), results=path.parents[3])
    origins = _origins(run, made, old)
    if differ := changed(run, replace(made, needs=origins)):
        raise UserError(f"it was made with other settings ({'; '.join(differ)})")
    return run.asked, origins


def _origins(run: Run, made: Record, old: Mapping[Path, Record]) -> list[dict]:
    found = []
    for parent in run.parents:
        if not parent.record_path.is_file():
            raise UserError(f"it needs {parent.id}, which has no record here")
        theirs = old.get(parent.record_path) or record.read(parent.record_path)
        if theirs.created > made.created:
            raise UserError(f"the record of {parent.id}, which it needs, was made after it")
        needs = _origins(parent, theirs, old)
        if differ := changed(parent, replace(theirs, needs=needs)):
            raise UserError(
                f"{parent.id}, which it needs, was made with other settings ({'; '.join(differ)})"
            )
        found.append(
            vars(Origin(parent.id, theirs.config, theirs.data["fingerprint"], theirs.weights, needs))
        )
    return found
