"""The papers' tables: YAML files, read and checked."""

from typing import TYPE_CHECKING

from snnbook.lazy import lazy

if TYPE_CHECKING:
    from snnbook.experiments.tables.tables import find as find
    from snnbook.experiments.tables.tables import load as load
    from snnbook.experiments.tables.tables import names as names

_PLACES = dict.fromkeys(("find", "load", "names"), "tables")
__all__ = list(_PLACES)
__getattr__, __dir__ = lazy(__name__, _PLACES)
