"""The tables of the papers, one YAML file each: what a row trains, and what the paper got.

A section (``data``, ``network``, ``method``, ``recipe``) is merged key by key, later winning:
``base``, the table's profile, the table's recipe mode, the row, the row's profile, the row's recipe mode, the
command line.  A ``method`` of another name starts afresh, since the keys of one method mean nothing to another.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from snnbook import files
from snnbook.errors import UserError
from snnbook.experiments import config
from snnbook.experiments.config import Setting

PROFILES = ("quick", "lab", "paper")
RECIPES = ("paper", "official")
SECTIONS = ("data", "network", "method", "recipe")

Sections = dict[str, dict[str, Setting]]


@dataclass(frozen=True)
class PaperNumbers:
    """What the paper prints: accuracies and their spread in percent, and seconds of one epoch."""

    snn: float | None = None
    ann: float | None = None
    snn_std: float | None = None
    ann_std: float | None = None
    seconds_per_epoch: float | None = None


@dataclass(frozen=True)
class Row:
    """One row of a table.  ``needs``: runs whose weights it starts from; ``baseline``: its snnTorch twin."""

    id: str
    label: str
    sections: Sections
    profiles: dict[str, Sections] = field(default_factory=dict)
    recipes: dict[str, Sections] = field(default_factory=dict)
    paper: PaperNumbers = PaperNumbers()
    needs: tuple[str, ...] = ()
    baseline: str | None = None
    note: str = ""
    where: str = ""


@dataclass(frozen=True)
class Table:
    """One file of the folder ``experiments``."""

    id: str
    paper: str
    title: str
    source: str
    seeds: tuple[int, ...]
    base: Sections
    profiles: dict[str, Sections]
    recipes: dict[str, Sections]
    rows: tuple[Row, ...]

    def row(self, name: str) -> Row:
        for row in self.rows:
            if row.id == name:
                return row
        raise UserError(
            f"no row {name!r} in table {self.id}; {config.nearest(name, [r.id for r in self.rows])}"
        )


@dataclass(frozen=True)
class Settings:
    """A row's sections as the dataclasses of their packages; ``name`` is the method's."""

    data: Any
    network: Any
    name: str
    method: Any
    recipe: Any

    def as_dict(self) -> dict[str, dict]:
        sections = {key: asdict(getattr(self, key)) for key in SECTIONS}
        sections["method"] = {"name": self.name, **sections["method"]}
        return sections


def folder() -> Path:
    """Where the tables are: ``SNNBOOK_EXPERIMENTS`` if set, else the project's ``experiments``."""
    chosen = os.environ.get("SNNBOOK_EXPERIMENTS")
    return Path(chosen) if chosen else files.experiments()


def names() -> list[str]:
    """The tables there are."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


def load(name: str) -> Table:
    """The table ``name``; keys inside sections are checked by :func:`check`, which needs torch.

    Raises:
        UserError: no such table, or its file has an unknown key, a mistyped value or a row twice.
    """
    if name not in names():
        raise UserError(f"no table {name!r} in {folder()}; {config.nearest(name, names())}")
    content = config.read(folder() / f"{name}.yaml")
    known = ("id", "paper", "title", "source", "seeds", "base", "profiles", "recipes", "rows")
    keys = config.mapping(content, "the table", known)
    rows = [_row(item) for item in _list(_required(keys, "rows", content))]
    table = Table(
        id=_text(keys, "id", content),
        paper=_text(keys, "paper", content),
        title=_text(keys, "title", content),
        source=_text(keys, "source", content),
        seeds=config.convert(_required(keys, "seeds", content), tuple[int, ...], "seeds"),
        base=_sections(keys.get("base"), "base"),
        profiles=_variants(keys.get("profiles"), "profiles", PROFILES),
        recipes=_variants(keys.get("recipes"), "recipes", RECIPES),
        rows=tuple(rows),
    )
    if table.id != name:
        raise UserError(f"{keys['id'].where}: id is {table.id!r}; expected {name!r}, the file's name")
    if not table.seeds or min(table.seeds) < 0:
        raise UserError(f"{keys['seeds'].where}: seeds is {list(table.seeds)}; expected numbers from 0 up")
    for index, row in enumerate(rows):
        if row.id in [other.id for other in rows[:index]]:
            raise UserError(f"{row.where}: row {row.id!r} is there twice; give one another id")
    return table


def find(run_id: str) -> tuple[Table, Row]:
    """Table and row of a run ``<table>/<row>``.

    Raises:
        UserError: there is none; the message names the nearest.
    """
    name, _, row = run_id.partition("/")
    if name not in names() or not row:
        runs = [f"{table}/{row.id}" for table in names() for row in load(table).rows]
        raise UserError(f"no experiment {run_id!r}; {config.nearest(run_id, runs)}")
    table = load(name)
    return table, table.row(row)


def merged(
    table: Table, row: Row, profile: str = "quick", recipe: str = "paper", overrides: Sequence[str] = ()
) -> Sections:
    """The row's sections as they are written, merged; for the arguments see :func:`settings`.

    Raises:
        UserError: an unknown profile, mode or section.
    """
    modes = ["paper", *table.recipes, *row.recipes]
    if recipe not in modes:
        raise UserError(f"{table.id}/{row.id} has no recipe mode {recipe!r}; {config.nearest(recipe, modes)}")
    if profile not in table.profiles:
        raise UserError(
            f"table {table.id} has no profile {profile!r}; {config.nearest(profile, table.profiles)}"
        )
    return _merge(
        table.base,
        table.profiles[profile],
        table.recipes.get(recipe, {}),
        row.sections,
        row.profiles.get(profile, {}),
        row.recipes.get(recipe, {}),
        override_sections(overrides),
    )


def settings(
    table: Table, row: Row, profile: str = "quick", recipe: str = "paper", overrides: Sequence[str] = ()
) -> Settings:
    """Everything a run is made of, merged and typed.

    Args:
        table: holds the row.
        row: what to train.
        profile: one of the table's profiles.
        recipe: ``"paper"``, what its text says, or ``"official"``, what its public code does.
        overrides: ``section.key=value`` each, merged last.

    Raises:
        UserError: an unknown profile, mode, section or key, or a mistyped value, with its place.
    """
    from snnbook.backbones import NetworkConfig
    from snnbook.data import DataConfig
    from snnbook.trainers import METHODS
    from snnbook.trainers.recipe import Recipe

    sections = merged(table, row, profile, recipe, overrides)
    method = dict(sections.get("method", {}))
    name = method.pop("name", None)
    if name is None:
        raise UserError(
            f"{row.where}: row {row.id!r} has no method.name; expected one of {', '.join(METHODS)}"
        )
    if name.value not in METHODS:
        raise UserError(f"{name.where}: no method {name.value!r}; {config.nearest(name.value, METHODS)}")
    return Settings(
        data=config.fill(DataConfig, sections.get("data", {}), "data"),
        network=config.fill(NetworkConfig, sections.get("network", {}), "network"),
        name=name.value,
        method=config.fill(METHODS[name.value].Config, method, "method"),
        recipe=config.fill(Recipe, sections.get("recipe", {}), "recipe"),
    )


def check(table: Table) -> None:
    """Try every row in every profile and mode, so that a typo is found before an hour of training.

    Raises:
        UserError: as :func:`settings`; or a row needs one that does not exist, or itself.
    """
    for row in table.rows:
        for profile in table.profiles:
            for recipe in dict.fromkeys(["paper", *table.recipes, *row.recipes]):
                settings(table, row, profile, recipe)
        if row.baseline:
            find(row.baseline)
        _check_needs(f"{table.id}/{row.id}", ())


def _check_needs(run_id: str, path: tuple[str, ...]) -> None:
    if run_id in path:
        raise UserError(f"{' needs '.join([*path, run_id])}: a run cannot need itself; remove one 'needs'")
    for need in find(run_id)[1].needs:
        _check_needs(need, (*path, run_id))


def override_sections(overrides: Iterable[str]) -> Sections:
    """``section.key=value`` of the command line as sections; the value is read as YAML."""
    sections: Sections = {}
    for text in overrides:
        name, equals, value = text.partition("=")
        section, dot, key = name.strip().partition(".")
        if not (equals and dot and key):
            raise UserError(f"--set {text}: expected section.key=value, for instance recipe.epochs=3")
        if section not in SECTIONS:
            raise UserError(f"--set {text}: unknown section {section!r}; {config.nearest(section, SECTIONS)}")
        sections.setdefault(section, {})[key] = config.parse(value, f"--set {text}")
    return sections


def plain(sections: Sections) -> dict[str, dict]:
    """Sections without the places they were written at, ready for JSON."""
    return {name: {key: item.plain() for key, item in section.items()} for name, section in sections.items()}


def _merge(*layers: Sections) -> Sections:
    result: Sections = {}
    for layer in layers:
        for name, section in layer.items():
            standing = result.get(name, {})
            if name == "method" and "name" in section and "name" in standing:
                fresh = section["name"].value != standing["name"].value
                standing = {} if fresh else standing
            result[name] = {**standing, **section}
    return result


def _row(setting: Setting) -> Row:
    extra = ("id", "label", "paper", "profiles", "recipes", "needs", "baseline", "note")
    keys = config.mapping(setting, "a row", (*extra, *SECTIONS))
    row_id = _text(keys, "id", setting)
    empty = Setting(None, setting.where)
    return Row(
        id=row_id,
        label=_text(keys, "label", setting),
        sections=_sections(Setting({k: v for k, v in keys.items() if k in SECTIONS}, setting.where), "row"),
        profiles=_variants(keys.get("profiles"), f"profiles of row {row_id!r}", PROFILES),
        recipes=_variants(keys.get("recipes"), f"recipes of row {row_id!r}", RECIPES),
        paper=config.fill(PaperNumbers, config.mapping(keys.get("paper", empty), "paper"), "paper"),
        needs=config.convert(keys.get("needs", Setting([], setting.where)), tuple[str, ...], "needs"),
        baseline=config.convert(keys.get("baseline", empty), str | None, "baseline"),
        note=_text(keys, "note", setting) if "note" in keys else "",
        where=setting.where,
    )


def _sections(setting: Setting | None, what: str) -> Sections:
    if setting is None:
        return {}
    found = config.mapping(setting, what, SECTIONS)
    return {name: config.mapping(section, f"section {name}") for name, section in found.items()}


def _variants(setting: Setting | None, what: str, known: Sequence[str]) -> dict[str, Sections]:
    if setting is None:
        return {}
    found = config.mapping(setting, what, known)
    return {name: _sections(sections, f"{what}: {name}") for name, sections in found.items()}


def _required(keys: dict[str, Setting], key: str, owner: Setting) -> Setting:
    if key not in keys:
        raise UserError(f"{owner.where}: {key!r} is missing; add it")
    return keys[key]


def _text(keys: dict[str, Setting], key: str, owner: Setting) -> str:
    return config.convert(_required(keys, key, owner), str, key)


def _list(setting: Setting) -> list[Setting]:
    if not isinstance(setting.value, list) or not setting.value:
        raise UserError(f"{setting.where}: expected a list of rows, each beginning with '- id:'")
    return setting.value
