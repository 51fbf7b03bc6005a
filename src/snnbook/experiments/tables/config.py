"""YAML that remembers its lines, and frozen dataclasses filled from it strictly."""

import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from snnbook.errors import UserError

T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """A value and the place it was written, to be named when it is wrong.

    Attributes:
        value: a scalar, a list of settings, or a dictionary of settings.
        where: for instance ``experiments/joint-table4.yaml, line 12``.
    """

    value: Any
    where: str

    def plain(self) -> Any:
        """The value without its places."""
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value


class _Loader(yaml.SafeLoader):
    """YAML without two traps of its version 1.1: ``no`` is a word, and ``1e-3`` a number."""


_NUMBER = re.compile(r"^[-+]?(\d+\.\d*([eE][-+]?\d+)?|\.\d+([eE][-+]?\d+)?|\d+[eE][-+]?\d+)$")
_REPLACED = {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp"}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(true|false)$"), list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, list("-+.0123456789"))


def read(path: Path) -> Setting:
    """The YAML file at ``path``.

    Raises:
        UserError: the file is missing, is no YAML, or writes a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path} ({error}); expected a table in YAML") from None
    return parse(text, f"{path.parent.name}/{path.name}", lines=True)


def parse(text: str, place: str, lines: bool = False) -> Setting:
    """``text`` as YAML; ``place`` says where it comes from, ``lines`` whether its line numbers help."""

    def setting(node: yaml.Node, mark: yaml.Mark) -> Setting:
        where = f"{place}, line {mark.line + 1}" if lines else place
        if isinstance(node, yaml.SequenceNode):
            return Setting([setting(item, item.start_mark) for item in node.value], where)
        if not isinstance(node, yaml.MappingNode):
            return Setting(loader.construct_object(node), where)
        content = {}
        for key, value in node.value:
            if key.value in content:
                raise UserError(
                    f"{place}, line {key.start_mark.line + 1}: {key.value!r} is written twice; keep one"
                )
            content[key.value] = setting(value, key.start_mark)
        return Setting(content, where)

    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        return setting(node, node.start_mark) if node is not None else Setting(None, place)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark and lines else ""
        problem = getattr(error, "problem", None) or "not readable"
        raise UserError(
            f"{place}{line}: this is not YAML ({problem}); check indentation and quotes"
        ) from None
    finally:
        loader.dispose()


def nearest(name: str, known: Iterable[str]) -> str:
    """``did you mean X? known: ...``, for the end of a message."""
    known = [str(item) for item in known]
    near = get_close_matches(str(name), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}known: {', '.join(known) or 'none'}"


def mapping(setting: Setting, what: str, known: Iterable[str] | None = None) -> dict[str, Setting]:
    """The keys of ``setting``; an empty one has none.

    Raises:
        UserError: it is no mapping, or holds a key that is not ``known``.
    """
    if setting.value is None:
        return {}
    if not isinstance(setting.value, dict):
        raise UserError(f"{setting.where}: {what} is {setting.plain()!r}; expected 'key: value' lines")
    for key, item in setting.value.items():
        if known is not None and key not in known:
            raise UserError(f"{item.where}: unknown key {key!r} in {what}; {nearest(key, known)}")
    return setting.value


def fill(cls: type[T], section: Mapping[str, Setting], what: str) -> T:
    """An instance of the dataclass ``cls`` from a section of settings.

    Raises:
        UserError: an unknown key, a value of another type, a key that has no default and is not given, or one
            that ``cls`` itself refuses; each with the place it was written.
    """
    hints = get_type_hints(cls)
    known = [item.name for item in fields(cls) if item.init]
    values = {}
    for key, item in section.items():
        if key not in known:
            raise UserError(f"{item.where}: unknown key {key!r} in section {what}; {nearest(key, known)}")
        values[key] = convert(item, hints[key], f"{what}.{key}")
    for item in fields(cls):
        required = item.default is MISSING and item.default_factory is MISSING
        if required and item.name not in values:
            raise UserError(f"section {what} lacks {item.name!r}; add it to the table")
    try:
        return cls(**values)
    except UserError as error:
        guilty = [item.where for key, item in section.items() if re.search(rf"\b{key}\b", str(error))]
        where = guilty or [item.where for item in section.values()][:1]
        raise UserError(f"{where[0]}: {error}" if where else str(error)) from None


def convert(setting: Setting, expected: Any, what: str) -> Any:
    """The plain value of ``setting`` as the annotation ``expected``, with no guessing between types.

    An integer may stand for a float; a list becomes a tuple; nothing else changes.

    Raises:
        UserError: the value has another type.
    """
    try:
        return _convert(setting.plain(), expected)
    except TypeError:
        name = getattr(expected, "__name__", str(expected)) if not get_args(expected) else str(expected)
        raise UserError(f"{setting.where}: {what} is {setting.plain()!r}; expected {name}") from None


def _convert(value: Any, expected: Any) -> Any:
    origin, arguments = get_origin(expected), get_args(expected)
    if origin in (Union, types.UnionType):
        for option in arguments:
            try:
                return _convert(value, option)
            except TypeError:
                continue
    elif origin is tuple and isinstance(value, list):
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_convert(item, arguments[0]) for item in value)
        if len(arguments) == len(value):
            return tuple(_convert(item, option) for item, option in zip(value, arguments, strict=True))
    elif origin is dict and isinstance(value, dict):
        return {key: _convert(item, arguments[1]) for key, item in value.items()}
    elif expected is Any or (expected is type(None) and value is None):
        return value
    elif expected is float and type(value) in (int, float):
        return float(value)
    elif isinstance(expected, type) and type(value) is expected:
        return value
    raise TypeError
