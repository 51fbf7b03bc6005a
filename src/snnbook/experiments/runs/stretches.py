"""On what a run was made that was killed in one place and went on in another: its record tells all of them."""

import json
from pathlib import Path
from typing import Any

from snnbook import files
from snnbook.experiments.runs.job import Run

# What may change numbers in their last digits, or seconds.
TOLD = ("device", "instructions", "threads", "torch", "kernel")


def earlier(run: Run, environment: dict[str, Any], tree: str) -> list[str]:
    """Where a run was before it came here, in words; nothing if all of it is made on one machine by one code.

    Args:
        run: about to begin or to go on; the list is kept beside its checkpoint.
        environment: of this process, see :func:`snnbook.experiments.runs.provenance.environment`.
        tree: the hash of the code.
    """
    known = [f"{name} {environment[name]}" for name in TOLD if environment.get(name) is not None]
    here = ", ".join([*known, f"code {tree}"])
    found = _read(place(run)) if run.checkpoint.is_file() else []
    if found[-1:] != [here]:
        found.append(here)
        files.write_text(place(run), json.dumps(found))
    return found[:-1]


def place(run: Run) -> Path:
    """Where the list of a run that is not done is kept."""
    return run.checkpoint.with_name("made_on.json")


def _read(path: Path) -> list[str]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):  # not there, or no more whole
        return []
    return found if isinstance(found, list) and all(isinstance(each, str) for each in found) else []
