"""Ledgers: lists of claims and of details, in ``experiments/ledgers``, filled into dataclasses as tables are."""

from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from snnbook import files
from snnbook.errors import UserError
from snnbook.experiments.tables import config, tables

Entry = TypeVar("Entry")  # a dataclass with an ``id``


def path(name: str) -> Path:
    """The file of the ledger ``name``, below the folder of the tables."""
    return tables.folder() / "ledgers" / f"{name}.yaml"


def load(name: str, cls: type[Entry]) -> list[Entry]:
    """The entries of a ledger, in the order they are written; none where tables of one's own have no ledger.

    Raises:
        UserError: no such file, an unknown key, a mistyped value, or an id twice; with its place.
    """
    file = path(name)
    if not file.exists() and tables.folder() != files.experiments():
        return []
    return list(_load(cls, name, file, files.stamp(file), tables.stamps()))


@lru_cache(maxsize=8)  # each verdict in a text asks for its claim, and entries are checked against tables
def _load(cls: type[Entry], name: str, file: Path, _stamp: tuple | None, _tables: tuple) -> tuple[Entry, ...]:
    top = config.mapping(config.read(file), "the ledger", (name,))
    listed = top[name].value if name in top else None
    if not isinstance(listed, list):
        raise UserError(f"{file}: expected '{name}:' and a list of entries below it")
    entries: list[Entry] = []
    for item in listed:
        entry = config.fill(cls, config.mapping(item, f"an entry of {name}"), f"{name} ({item.where})")
        if entry.id in [other.id for other in entries]:
            raise UserError(f"{item.where}: {entry.id!r} is there twice; give one another id")
        entries.append(entry)
    return tuple(entries)
