"""A run by name: what identifies it, where its files lie, and whether it is done.  Nothing here needs torch."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnbook import files
from snnbook.errors import UserError
from snnbook.experiments.runs import record
from snnbook.experiments.runs.record import Record
from snnbook.experiments.tables import settings as merging
from snnbook.experiments.tables import tables
from snnbook.experiments.tables.settings import Settings
from snnbook.experiments.tables.tables import Row, Sections, Table


@dataclass(frozen=True)
class Job:
    """One row, one seed, one profile."""

    table: Table
    row: Row
    seed: int
    profile: str
    recipe: str
    overrides: tuple[str, ...]
    results: Path
    work: Path

    @property
    def run_id(self) -> str:
        """``<table>/<row>``, marked where the run is not the table's row as it stands."""
        mode = "" if self.recipe == "paper" else f"+{self.recipe}"
        return f"{self.table.id}/{self.row.id}{mode}{_mark(self.overrides)}"

    @property
    def folder(self) -> Path:
        """Checkpoint, lock, final weights and executed notebook; git ignores it."""
        return self.work / self.profile / self.run_id / f"seed{self.seed}"

    @property
    def record_path(self) -> Path:
        return self.results / self.profile / self.run_id / f"seed{self.seed}.json"

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    @property
    def weights(self) -> Path:
        return self.folder / "model.safetensors"

    def settings(self) -> Settings:
        return merging.settings(self.table, self.row, self.profile, self.recipe, self.overrides)

    @property
    def asked(self) -> str:
        """A hash of the row as the table writes it: tells a record of today's table without loading torch."""
        return _digest(merging.plain(self.merged()))[:16]

    def merged(self) -> Sections:
        return merging.merged(self.table, self.row, self.profile, self.recipe, self.overrides)

    def identity(self, settings: Settings, fingerprint: str) -> str:
        """Equal for equal settings on equal data; what a checkpoint must match to be resumed."""
        content = [settings.as_dict(), fingerprint]
        if parent := self.inherited():
            content.append(parent.identity(parent.settings(), fingerprint))
        digest = _digest(content)[:12]
        return f"{self.profile}/{self.run_id}/seed{self.seed}/{digest}"

    def standing(self) -> Record | None:
        """The record of this run, or None.

        Raises:
            UserError: it is damaged, or was made with other settings than the table's now.
        """
        if not self.record_path.is_file():
            return None
        found = record.read(self.record_path)
        changed = [] if found.asked == self.asked else self.changed(found)
        if changed:
            raise UserError(
                f"record {self.record_path} was made with other settings ({'; '.join(changed)}); "
                "delete it to run again, or choose another --results"
            )
        return found

    def changed(self, made: Record) -> list[str]:
        """Settings that are others now than in the record ``made``, ``section.key: before, now after`` each."""
        now = json.loads(json.dumps(self.settings().as_dict()))  # tuples become lists, as in the record
        return [f"{key}: {old}, now {new}" for key, old, new in merging.changes(made.config, now)]

    def needs(self) -> list["Job"]:
        """The runs this one starts from: same seed, profile and mode, and the same changes but the method's."""
        return [self._other(need, ("method.",)) for need in self.row.needs]

    def inherited(self) -> "Job | None":
        """The run whose weights this one starts from, if any: as :meth:`needs`, but with its own time steps."""
        if self.row.inherits is None:
            return None
        return self._other(self.row.inherits, ("method.", "network.time_steps"))

    def _other(self, run_id: str, dropped: tuple[str, ...]) -> "Job":
        shared = [text for text in self.overrides if not text.strip().startswith(dropped)]
        table, row = tables.find(run_id)
        mode = self.recipe if self.recipe in ("paper", *table.recipes, *row.recipes) else "paper"
        return plan(run_id, self.seed, self.profile, mode, shared, self.results, self.work)

    def check_folders(self) -> None:
        """Find out now, not after the training, that a folder cannot be written.

        Raises:
            UserError: it cannot.
        """
        for place in (self.record_path.parent, self.folder):
            probe = place / f".write-{os.getpid()}"
            files.write_text(probe, "")
            probe.unlink()


def plan(
    run_id: str,
    seed: int = 0,
    profile: str = "quick",
    recipe: str = "paper",
    overrides: Sequence[str] = (),
    results: Path | None = None,
    work: Path | None = None,
) -> Job:
    """The run called ``run_id``; see :func:`snnbook.experiments.run` for the arguments.

    Raises:
        UserError: no such run, profile, mode, section, or a negative seed.
    """
    table, row = tables.find(run_id)
    if seed < 0:
        raise UserError(f"seed is {seed}; expected 0 or more")
    job = Job(
        table=table,
        row=row,
        seed=seed,
        profile=profile,
        recipe=recipe,
        overrides=tuple(overrides),
        results=Path(results or record.folder()).absolute(),
        work=Path(work or record.folder().parent / "runs").absolute(),
    )
    job.merged()
    return job


def _mark(overrides: Sequence[str]) -> str:
    if not overrides:
        return ""
    return "+" + _digest(merging.plain(merging.override_sections(overrides)))[:8]


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
