"""A run, resolved once: what it is made of, what it starts from, where its files lie.  Nothing here needs torch.

``resolve`` reads the tables and returns a :class:`Run`; whatever trains, measures, records or schedules takes that
value and never asks the tables again.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from snnbook import files
from snnbook.checks import MOST_SEED, whole
from snnbook.errors import UserError
from snnbook.experiments.runs import record
from snnbook.experiments.tables import settings as merging
from snnbook.experiments.tables import tables
from snnbook.experiments.tables.settings import Settings
from snnbook.experiments.tables.tables import Sections, Table

# Data sets that no folder holds: `snnbook.data.config` names them too, but brings torch; a test compares the two.
BUNDLED = ("digits", "digit_events")
# Changes of the command line that do not reach the runs a run needs.
OWN = ("method.", "analysis.")
STEPS = ("network.time_steps", "data.frames")  # which differ from those of the run that is inherited
DEEPEST = 16  # runs in a chain of needs


@dataclass(frozen=True, eq=False)
class Run:
    """One row, one seed, one profile, with all that it needs.

    Attributes:
        row: ``<table>/<row>``.
        id: the same, marked where the run is not the table's row as it stands.
        label: the row's name in the table.
        seed: of weights, order and augmentation.
        profile, recipe: whose settings.
        overrides: ``section.key=value`` each, merged last.
        sections: the row's settings as they are written, merged.
        needs: the runs whose weights its method takes: same seed, profile and mode, and the same changes but the
            method's.
        inherits: the run whose weights and statistics it starts from, if any: likewise, but with its own T.
        where: the row's place in its file.
        results: folder of records.
        work: folder of checkpoints and weights.
    """

    row: str
    id: str
    label: str
    seed: int
    profile: str
    recipe: str
    overrides: tuple[str, ...]
    sections: Sections
    needs: tuple["Run", ...]
    inherits: "Run | None"
    where: str
    results: Path
    work: Path

    @property
    def parents(self) -> tuple["Run", ...]:
        """All runs whose weights go into this one."""
        return self.needs if self.inherits is None else (*self.needs, self.inherits)

    @property
    def folder(self) -> Path:
        """Checkpoint, lock, final weights and executed notebook; git ignores it."""
        return self.work / self.profile / self.id / f"seed{self.seed}"

    @property
    def record_path(self) -> Path:
        return self.results / self.profile / self.id / f"seed{self.seed}.json"

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    @property
    def weights(self) -> Path:
        return self.folder / "model.safetensors"

    @property
    def exact(self) -> Path:
        """The same, where they are kept beside the record."""
        return self.record_path.with_suffix(".exact.safetensors")

    @property
    def data_name(self) -> str:
        """Of the data set."""
        name = self.sections.get("data", {}).get("name")
        return BUNDLED[0] if name is None else name.value

    @cached_property
    def asked(self) -> str:
        """A hash of what the tables write for it and for the runs it needs: tells today's record without torch."""
        content: Any = merging.plain(self.sections)
        if self.parents:
            content = [content, [[parent.id, parent.asked] for parent in self.parents]]
        return digest(content)[:16]

    @cached_property
    def settings(self) -> Settings:
        """The sections, typed; the first time this brings torch.

        Raises:
            UserError: an unknown method or key, or a mistyped value, with its place.
        """
        return merging.settings(self.sections, f"{self.where}: row {self.row.partition('/')[2]!r}")

    def check(self) -> None:
        """Find mistakes in its settings, and in those of the runs it needs, before anything is trained.

        Raises:
            UserError: as of :attr:`settings`; it needs runs that leave no weights for its method; or it has fewer
                time steps than the run it inherits from.
        """
        from snnbook.trainers.registry import check_needs

        for parent in self.parents:
            parent.check()
        settings = self.settings
        try:
            check_needs(settings, {need.row: need.settings for need in self.needs})
        except UserError as error:
            raise UserError(f"{self.where}: row {self.row.partition('/')[2]!r}: {error}") from None
        now = settings.network.time_steps
        if self.inherits and (before := self.inherits.settings.network.time_steps) > now:
            raise UserError(
                f"{self.where}: row {self.row.partition('/')[2]!r} has T = {now} and inherits from "
                f"{self.inherits.row} with T = {before}; expected phases whose T grows; give the longer one to "
                "this row"
            )

    def check_folders(self) -> None:
        """Find out now, not after the training, what cannot be written.

        Raises:
            UserError: a folder cannot be written, or something else than a file is where one will be written.
        """
        paths = self.record_path, self.checkpoint, self.weights, self.weights.with_suffix(".id")
        files.check_writable(paths, "results")


def resolve(
    run_id: str,
    seed: int = 0,
    profile: str = "quick",
    recipe: str = "paper",
    overrides: Sequence[str] = (),
    results: Path | None = None,
    work: Path | None = None,
) -> Run:
    """The run called ``run_id``; see :func:`snnbook.experiments.run` for the arguments.

    Raises:
        UserError: no such run, profile, mode, section, or a negative seed; a run that needs itself, or one that
            cannot be run in this profile.
    """
    seed = whole(seed, "seed", most=MOST_SEED)
    places = (
        Path(results or record.folder()).absolute(),
        Path(work or record.folder().parent / "runs").absolute(),
    )
    return _resolve(run_id, seed, profile, recipe, tuple(overrides), places, (), {})


def _resolve(run_id, seed, profile, recipe, overrides, places, above: tuple[str, ...], made: dict) -> Run:
    """``above`` are the runs that need it, ``made`` those that are resolved already."""
    table, row = tables.find(run_id, profile)
    name = f"{table.id}/{row.id}"
    if name in above:
        raise UserError(
            f"{row.where}: {' needs '.join([*above, name])}: a run cannot need itself; remove one 'needs'"
        )
    if len(above) == DEEPEST:
        raise UserError(
            f"{row.where}: {above[0]} needs runs that need runs, more than {DEEPEST}; expected fewer"
        )
    sections = merging.merged(table, row, profile, recipe, overrides)

    def parent(other: str, dropped: tuple[str, ...]) -> Run:
        modes = tables.linked(row, other, profile)
        mode = recipe if recipe in ("paper", *modes[0].recipes, *modes[1].recipes) else "paper"
        kept = tuple(text for text in overrides if not text.strip().startswith(dropped))
        key = (other, mode, kept)
        try:
            if key not in made:
                made[key] = _resolve(other, seed, profile, mode, kept, places, (*above, name), made)
            return made[key]
        except merging.Barred as error:
            raise merging.Barred(f"{row.where}: {error}; let this row wait too") from None

    return Run(
        row=name,
        id=name + ("" if recipe == "paper" else f"+{recipe}") + _mark(overrides),
        label=row.label,
        seed=seed,
        profile=profile,
        recipe=recipe,
        overrides=overrides,
        sections=sections,
        needs=tuple(parent(need, OWN) for need in row.needs),
        inherits=parent(row.inherits, (*OWN, *STEPS)) if row.inherits else None,
        where=row.where,
        results=places[0],
        work=places[1],
    )


def check_table(table: Table) -> None:
    """Try every row in every profile and mode, so that a typo is found before an hour of training.

    Raises:
        UserError: as :meth:`Run.check` and :func:`resolve`; or a row names a baseline or a row that is not there.
    """
    for row in table.rows:
        if row.baseline:
            tables.linked(row, row.baseline)
        if row.same:
            tables.linked(row, row.same)
            continue
        for profile, link in row.instead.items():
            tables.linked(row, link, profile)
        for profile in table.profiles:
            for recipe in dict.fromkeys(["paper", *table.recipes, *row.recipes]):
                if not row.barred(profile):
                    resolve(f"{table.id}/{row.id}", profile=profile, recipe=recipe).check()


def digest(content: Any) -> str:
    """SHA-256 of what JSON can write, as hexadecimal digits."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _mark(overrides: Sequence[str]) -> str:
    changed = merging.plain(merging.override_sections(overrides))
    return f"+{digest(changed)[:8]}" if changed else ""
