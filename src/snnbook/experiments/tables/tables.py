"""The tables of the papers, one YAML file each: what a row trains, and what the paper got."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from snnbook import files
from snnbook.checks import MOST_SEED, nearest, shown
from snnbook.errors import UserError
from snnbook.experiments.tables import config
from snnbook.experiments.tables.config import Setting

REHEARSAL = (
    "quick"  # shows that every row runs: other data and networks than the papers', one seed, no verdicts
)
EVIDENCE = ("desk", "lab", "paper")  # whose records verdicts rest on, from the least to the most
PROFILES = (REHEARSAL, *EVIDENCE)
RECIPES = ("paper", "official")
LISTER = "snnbook list"
SECTIONS = ("data", "network", "method", "recipe", "analysis")

# An id becomes the name of a folder, with what marks another recipe mode and changed settings behind it.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

Sections = dict[str, dict[str, Setting]]


@dataclass(frozen=True)
class PaperNumbers:
    """What the paper prints: accuracies and their spread in percent, and seconds of one epoch.

    ``moments``: the SNN's accuracy from the readout of each time step alone; ``stm``: its mismatch score.
    """

    snn: float | None = None
    ann: float | None = None
    snn_std: float | None = None
    ann_std: float | None = None
    seconds_per_epoch: float | None = None
    moments: tuple[float, ...] | None = None
    stm: float | None = None


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        id, label: its name in commands, and in tables.
        sections, profiles, recipes: what it sets, always, in a profile, in a recipe mode.
        paper: what the paper prints.
        needs: runs whose weights its method takes, a teacher's for instance.
        inherits: the run whose weights and statistics of BatchNorm it starts from, with a fresh optimizer; it
            has no more time steps (time inheritance, Deng et al. 2022, Sec. 4.3).
        same: the row of another table that this one is; it is trained once and shown in both.
        instead: by profile, the row of another table that this one is there, and there alone.
        waits: by profile, what has to be there before it can be run.
        seeds: by profile, its own instead of its table's.
        until: a path in the data folder; when that is there, the row can be run.
        baseline: its snnTorch twin.
        note: shown below the label.
    """

    id: str
    label: str
    sections: Sections
    profiles: dict[str, Sections] = field(default_factory=dict)
    recipes: dict[str, Sections] = field(default_factory=dict)
    paper: PaperNumbers = PaperNumbers()
    needs: tuple[str, ...] = ()
    inherits: str | None = None
    same: str | None = None
    instead: dict[str, str] = field(default_factory=dict)
    waits: dict[str, str] = field(default_factory=dict)
    seeds: dict[str, tuple[int, ...]] = field(default_factory=dict)
    until: str | None = None
    baseline: str | None = None
    note: str = ""
    where: str = ""

    def barred(self, profile: str) -> str | None:
        """What it waits for, if that is nothing a reader could put into the data folder."""
        return None if self.until else self.waits.get(profile)


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

    def seeds_in(self, profile: str, row: Row) -> tuple[int, ...]:
        """The seeds that ``profile`` asks for: the row's own, else all; in a rehearsal the first."""
        return row.seeds.get(profile) or (self.seeds[:1] if profile == REHEARSAL else self.seeds)

    def row(self, name: str) -> Row:
        for row in self.rows:
            if row.id == name:
                return row
        raise UserError(
            f"no row {shown(name)} in table {self.id}; {nearest(name, [r.id for r in self.rows], LISTER)}"
        )


def folder() -> Path:
    """Where the tables are: ``SNNBOOK_EXPERIMENTS`` if set, else the project's ``experiments``."""
    chosen = os.environ.get("SNNBOOK_EXPERIMENTS")
    if not chosen:
        return files.experiments()
    files.reached(Path(chosen))
    return Path(chosen)


def names() -> list[str]:
    """The tables there are.

    Raises:
        UserError: there are none.
    """
    found = sorted(path.stem for path in folder().glob("*.yaml") if not path.name.startswith("."))
    if not found:
        raise UserError(f"no tables in {folder()}; expected *.yaml files there")
    return found


def _known(name: str) -> bool:
    """Whether ``name`` is one of :func:`names`, without listing them."""
    file = f"{name}.yaml"
    return os.path.basename(file) == file and file[0] != "." and os.path.lexists(folder() / file)


def stamps() -> tuple:
    """Each table's name with its file's :func:`snnbook.files.stamp`: another tuple as soon as one changes."""
    return tuple((name, files.stamp(folder() / f"{name}.yaml")) for name in names())


def load(name: str) -> Table:
    """The table ``name``; keys inside sections are checked by
    :func:`snnbook.experiments.runs.job.check_table`, which needs torch.

    Raises:
        UserError: no such table, or its file has an unknown key, a mistyped value or a row twice.
    """
    if not _known(name):
        raise UserError(f"no table {shown(name)} in {folder()}; {nearest(name, names(), LISTER)}")
    path = folder() / f"{name}.yaml"
    return _load(name, path, files.stamp(path))


@lru_cache(maxsize=64)  # a report asks for one table many times, and parsing takes a while
def _load(name: str, path: Path, _stamp: tuple[int, int] | None) -> Table:
    content = config.read(path)
    known = ("id", "paper", "title", "source", "seeds", "base", "profiles", "recipes", "rows")
    keys = config.mapping(content, "the table", known)
    rows = [_row(item) for item in _list(_required(keys, "rows", content))]
    table = Table(
        id=_id(keys, content),
        paper=_text(keys, "paper", content),
        title=_text(keys, "title", content),
        source=_text(keys, "source", content),
        seeds=_seeds(_required(keys, "seeds", content), "seeds"),
        base=_sections(keys.get("base"), "base"),
        profiles=_variants(keys.get("profiles"), "profiles", PROFILES),
        recipes=_variants(keys.get("recipes"), "recipes", RECIPES),
        rows=tuple(rows),
    )
    if table.id != name:
        raise UserError(f"{keys['id'].where}: id is {table.id!r}; expected {name!r}, the file's name")
    if not table.profiles and not all(row.same for row in rows):
        raise UserError(
            f"{content.where}: 'profiles' is missing or empty; expected one of {', '.join(PROFILES)}"
        )
    for index, row in enumerate(rows):
        if row.id.lower() in [other.id.lower() for other in rows[:index]]:
            raise UserError(f"{row.where}: row {row.id!r} is there twice; give one another id")
    return table


def find(run_id: str, profile: str = "") -> tuple[Table, Row]:
    """Table and row of a run ``<table>/<row>``; of a row that is the same as another's, that one's.

    Args:
        run_id: of the run.
        profile: where it is run, since a row may be another's in some profiles alone.

    Raises:
        UserError: there is none (the message names the nearest), or rows are the same as each other in a circle.
    """
    table, row = _find(run_id)
    passed = [f"{table.id}/{row.id}"]
    while link := row.same or row.instead.get(profile):
        before = row
        table, row = _follow(link, before.where)
        if f"{table.id}/{row.id}" in passed:
            key = "same" if before.same else "instead"
            raise UserError(
                f"{before.where}: {key!r} leads from {passed[0]} round to {table.id}/{row.id}; remove one"
            )
        passed.append(f"{table.id}/{row.id}")
    return table, row


def linked(row: Row, link: str, profile: str = "") -> tuple[Table, Row]:
    """Table and row that ``row`` names as what it needs, inherits from or is compared with.

    Raises:
        UserError: as :func:`find`, with the place of ``row``.
    """
    _follow(link, row.where)
    return find(link, profile)


def _follow(link: str, where: str) -> tuple[Table, Row]:
    try:
        return _find(link)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def _find(run_id: str) -> tuple[Table, Row]:
    name, _, row = str(run_id).partition("/")
    if not _known(name) or not row:
        runs = [f"{table}/{row.id}" for table in names() for row in load(table).rows]
        raise UserError(f"no experiment {shown(run_id)}; {nearest(run_id, runs, LISTER)}")
    table = load(name)
    return table, table.row(row)


def _row(setting: Setting) -> Row:
    shown = ("id", "label", "paper", "baseline", "note")
    trained = ("profiles", "recipes", "needs", "inherits", "waits", "seeds", "until", "instead", *SECTIONS)
    keys = config.mapping(setting, "a row", (*shown, "same", *trained))
    row_id = _id(keys, setting)
    empty = Setting(None, setting.where)
    extra = [key for key in trained if key in keys]
    if "same" in keys and extra:
        raise UserError(
            f"{keys[extra[0]].where}: row {row_id!r} is another's, so {extra[0]!r} belongs there; remove it"
        )
    return Row(
        id=row_id,
        label=_text(keys, "label", setting),
        sections=_sections(Setting({k: v for k, v in keys.items() if k in SECTIONS}, setting.where), "row"),
        profiles=_variants(keys.get("profiles"), f"profiles of row {row_id!r}", PROFILES),
        recipes=_variants(keys.get("recipes"), f"recipes of row {row_id!r}", RECIPES),
        paper=config.fill(PaperNumbers, config.mapping(keys.get("paper", empty), "paper"), "paper"),
        needs=_links(keys.get("needs", Setting([], setting.where)), tuple[str, ...], "needs"),
        inherits=_links(keys.get("inherits", empty), str | None, "inherits"),
        same=_links(keys.get("same", empty), str | None, "same"),
        instead=_instead(keys.get("instead", empty)),
        waits=_waits(keys.get("waits", empty)),
        seeds=_row_seeds(keys.get("seeds", empty)),
        until=config.convert(keys.get("until", empty), str | None, "until"),
        baseline=_links(keys.get("baseline", empty), str | None, "baseline"),
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


def _waits(setting: Setting) -> dict[str, str]:
    """By profile; one text stands for all of them."""
    if isinstance(setting.value, str):
        return dict.fromkeys(PROFILES, setting.value)
    found = config.mapping(setting, "waits", PROFILES)
    return {profile: config.convert(item, str, f"waits.{profile}") for profile, item in found.items()}


def _row_seeds(setting: Setting) -> dict[str, tuple[int, ...]]:
    found = config.mapping(setting, "seeds", PROFILES)
    return {profile: _seeds(item, f"seeds.{profile}") for profile, item in found.items()}


def _seeds(setting: Setting, what: str) -> tuple[int, ...]:
    found = config.convert(setting, tuple[int, ...], what)
    if not found or min(found) < 0 or max(found) > MOST_SEED:
        raise UserError(
            f"{setting.where}: {what} is {shown(list(found))}; expected numbers from 0 to {MOST_SEED}"
        )
    if len(set(found)) < len(found):
        raise UserError(f"{setting.where}: {what} is {shown(list(found))}; expected each seed once")
    return found


def _instead(setting: Setting) -> dict[str, str]:
    found = config.mapping(setting, "instead", PROFILES)
    return {profile: _links(link, str, f"instead.{profile}") for profile, link in found.items()}


def _required(keys: dict[str, Setting], key: str, owner: Setting) -> Setting:
    if key not in keys:
        raise UserError(f"{owner.where}: {key!r} is missing; add it")
    return keys[key]


def _text(keys: dict[str, Setting], key: str, owner: Setting) -> str:
    return config.convert(_required(keys, key, owner), str, key)


def _id(keys: dict[str, Setting], owner: Setting) -> str:
    """A text that can be the name of a folder wherever the library runs."""
    text = _text(keys, "id", owner)
    if NAME.fullmatch(text):
        return text
    raise UserError(
        f"{keys['id'].where}: id is {shown(text)}; expected a name of at most 100 letters (a to z), digits, "
        "'-', '_' and '.', beginning with a letter or digit"
    )


def _links(setting: Setting, expected: Any, what: str) -> Any:
    """``setting`` as ``expected``, each text ``<table>/<row>``."""
    found = config.convert(setting, expected, what)
    for link in (found,) if isinstance(found, str) else found or ():
        if not all(map(NAME.fullmatch, link.split("/"))) or link.count("/") != 1:
            raise UserError(f"{setting.where}: {what} is {shown(link)}; expected <table>/<row>")
    return found


def _list(setting: Setting) -> list[Setting]:
    if not isinstance(setting.value, list) or not setting.value:
        raise UserError(f"{setting.where}: expected a list of rows, each beginning with '- id:'")
    return setting.value
