"""Does a record stand?  It does if it was made with what the tables ask for now, of the run and all it needs."""

import json
from collections.abc import Sequence

from snnbook.errors import UserError
from snnbook.experiments.runs import record
from snnbook.experiments.runs.job import Run
from snnbook.experiments.runs.record import Record
from snnbook.experiments.tables import settings as merging

ADVICE = "delete it to run again, or choose another --results"
SHOWN = 3  # changes named in a message


def standing(run: Run) -> Record | None:
    """The record of this run, or None where there is none yet.

    Raises:
        UserError: it is damaged, or was made with other settings, or from other weights, than would be now.
    """
    if not run.record_path.is_file():
        return None
    found = record.read(run.record_path)
    differ = [] if found.asked == run.asked else changed(run, found)
    differ = differ or other_weights(run, found)
    if differ:
        more = f"; and {len(differ) - SHOWN} more" if len(differ) > SHOWN else ""
        told = "; ".join(differ[:SHOWN]) + more
        raise UserError(f"record {run.record_path} was made with other settings ({told}); {ADVICE}")
    return found


def changed(run: Run, made: Record) -> list[str]:
    """Settings that are others now than in ``made``, ``section.key: before, now after`` each.

    Those of runs it needs come with the run's name before them.
    """
    return _changed(run, made.config, made.needs)


def _changed(run: Run, config: dict, needs: Sequence[dict]) -> list[str]:
    now = json.loads(json.dumps(run.settings.as_dict()))  # tuples become lists, as in the record
    found = [f"{key}: {old}, now {new}" for key, old, new in merging.changes(config, now)]
    before, parents = {need["run"]: need for need in needs}, {parent.id: parent for parent in run.parents}
    if before.keys() != parents.keys():
        names = [" and ".join(side) or "no other run" for side in (before, parents)]
        return [*found, f"started from {names[0]}, now from {names[1]}"]
    for name, parent in parents.items():
        need = before[name]
        found += [f"{name}: {text}" for text in _changed(parent, need["config"], need["needs"])]
    return found


def other_weights(run: Run, made: Record) -> list[str]:
    """Runs it needs whose own record tells of other weights than went into ``made``."""
    taken = {need["run"]: need["weights"] for need in made.needs}
    found = []
    for parent in run.parents:
        if taken.get(parent.id) is None or not parent.record_path.is_file():
            continue
        left = record.read(parent.record_path).weights
        if left is not None and left != taken[parent.id]:
            found.append(f"weights of {parent.id}: {taken[parent.id][:12]}, now {left[:12]}")
    return found
