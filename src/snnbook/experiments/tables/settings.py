"""What a run is made of: the sections of its row, merged and typed.

A section (``data``, ``network``, ``method``, ``recipe``, ``analysis``) is merged key by key, later winning:
``base``, the table's profile, the table's recipe mode, the row, the row's profile, the row's recipe mode, the
command line.  A ``method`` of another name starts afresh, since the keys of one method mean nothing to another.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, fields
from typing import Any

from snnbook.checks import nearest, shown
from snnbook.errors import UserError, clipped
from snnbook.experiments.tables import config
from snnbook.experiments.tables.tables import SECTIONS, Row, Sections, Table


class Barred(UserError):
    """A row that cannot be run in a profile."""


# Settings that can change no number, but say how data get here, or who else counts: no part of what a run is,
# nor of the settings in its record.
ASIDE = {"data": ("download",), "analysis": ("neurobench",)}


@dataclass(frozen=True)
class Settings:
    """A row's sections as the dataclasses of their packages; ``name`` is the method's."""

    data: Any
    network: Any
    name: str
    method: Any
    recipe: Any
    analysis: Any

    def as_dict(self) -> dict[str, dict]:
        """What the run's numbers depend on, for records and identities."""
        sections = {key: asdict(getattr(self, key)) for key in SECTIONS}
        sections["method"] = {"name": self.name, **sections["method"]}
        return counted(sections)


def counted(sections: dict[str, dict]) -> dict[str, dict]:
    """``sections`` without those settings that are :data:`ASIDE`."""
    found = {}
    for name, section in sections.items():
        left = {key: value for key, value in section.items() if key not in ASIDE.get(name, ())}
        if left or not section:
            found[name] = left
    return found


def merged(
    table: Table, row: Row, profile: str = "quick", recipe: str = "paper", overrides: Sequence[str] = ()
) -> Sections:
    """The row's sections as they are written, merged.

    Args:
        table: holds the row.
        row: what to train.
        profile: one of the table's profiles.
        recipe: ``"paper"``, what its text says, or ``"official"``, what its public code does.
        overrides: ``section.key=value`` each, merged last.

    Raises:
        UserError: an unknown profile, mode or section.
        Barred: a row that waits in this profile, or a table without it.
    """
    if reason := row.barred(profile):
        raise Barred(f"{table.id}/{row.id} cannot be run in the {profile} profile: {reason}")
    modes = ["paper", *table.recipes, *row.recipes]
    if recipe not in modes:
        raise UserError(f"{table.id}/{row.id} has no recipe mode {shown(recipe)}; {nearest(recipe, modes)}")
    if profile not in table.profiles:
        raise Barred(f"table {table.id} has no profile {shown(profile)}; {nearest(profile, table.profiles)}")
    return _merge(
        table.base,
        table.profiles[profile],
        table.recipes.get(recipe, {}),
        row.sections,
        row.profiles.get(profile, {}),
        row.recipes.get(recipe, {}),
        override_sections(overrides),
    )


def settings(sections: Sections, where: str) -> Settings:
    """Merged sections as the dataclasses of their packages, which check them.

    Args:
        sections: from :func:`merged`.
        where: names the row, should it have no method.

    Raises:
        UserError: no or an unknown method, an unknown key, or a mistyped value, with its place.
    """
    from snnbook.trainers import METHODS

    method = dict(sections.get("method", {}))
    name = method.pop("name", None)
    if name is None:
        raise UserError(f"{where} has no method.name; expected one of {', '.join(METHODS)}")
    if not isinstance(name.value, str) or name.value not in METHODS:
        raise UserError(f"{name.where}: no method {shown(name.plain())}; {nearest(name.value, METHODS)}")
    written = {**sections, "method": method}
    filled = {key: config.fill(cls, written.get(key, {}), key) for key, cls in _classes(name.value).items()}
    return Settings(name=name.value, **filled)


def _classes(method: str) -> dict[str, type]:
    from snnbook.analysis.config import AnalysisConfig
    from snnbook.backbones import NetworkConfig
    from snnbook.data import DataConfig
    from snnbook.trainers import METHODS
    from snnbook.trainers.loop.recipe import Recipe

    of_method = METHODS[method].Config
    return dict(
        data=DataConfig, network=NetworkConfig, method=of_method, recipe=Recipe, analysis=AnalysisConfig
    )


def changes(before: dict[str, dict], now: dict[str, dict]) -> list[tuple[str, Any, Any]]:
    """Settings in which the ``config`` of two records differ: ``section.key``, its value before, its value now.

    A setting that the library gained between the two counts at its default; one that is :data:`ASIDE` never.
    """
    before, now = counted(before), counted(now)
    methods = [sections["method"]["name"] for sections in (before, now)]
    if methods[0] != methods[1]:
        return [("method.name", *methods)]
    found = []
    for name, cls in _classes(methods[0]).items():
        defaults = json.loads(json.dumps({item.name: _default(item) for item in fields(cls)}))
        old, new = before.get(name, {}), now.get(name, {})
        for key in dict.fromkeys([*old, *new]):
            pair = (old.get(key, defaults.get(key)), new.get(key, defaults.get(key)))
            if pair[0] != pair[1]:
                found.append((f"{name}.{key}", *pair))
    return found


def _default(item: Field) -> Any:
    if item.default_factory is not MISSING:
        return item.default_factory()
    return None if item.default is MISSING else item.default


def override_sections(overrides: Iterable[str]) -> Sections:
    """``section.key=value`` of the command line as sections; the value is read as YAML."""
    sections: Sections = {}
    for text in overrides:
        place = f"--set {clipped(text, 120)}"
        name, equals, value = text.partition("=")
        section, dot, key = name.strip().partition(".")
        if not (equals and dot and key):
            raise UserError(f"{place}: expected section.key=value, for instance recipe.epochs=3")
        if section not in SECTIONS:
            raise UserError(f"{place}: unknown section {shown(section)}; {nearest(section, SECTIONS)}")
        sections.setdefault(section, {})[key] = config.parse(value, place)
    return sections


def plain(sections: Sections) -> dict[str, dict]:
    """What counts of sections, without the places they were written at, ready for JSON."""
    return {
        name: {key: item.plain() for key, item in section.items()}
        for name, section in counted(sections).items()
    }


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
