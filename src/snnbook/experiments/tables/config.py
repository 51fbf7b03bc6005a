"""YAML that remembers its lines, and frozen dataclasses filled from it strictly."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml

from snnbook import files
from snnbook.checks import as_annotated, nearest, shown
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
    """YAML without the traps of its version 1.1.

    ``no`` is a word, ``1e-3`` a number; ``010`` and ``1:30``, octal and base sixty there, are words, too, which a
    setting that expects a number refuses.
    """

    depth = count = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node:
        self.depth, self.count = self.depth + 1, self.count + 1
        if self.depth > DEEPEST + 1 or self.count > 3 * MOST:  # with keys
            raise RecursionError
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def fetch_flow_collection_start(self, kind: type[yaml.Token]) -> None:
        if self.flow_level > DEEPEST:  # what looks ahead for a key reads them all before any is composed
            raise RecursionError
        super().fetch_flow_collection_start(kind)


_WHOLE = re.compile(r"[-+]?(0|[1-9]\d*)", re.ASCII)
_NUMBER = re.compile(r"[-+]?(\d+\.\d*([eE][-+]?\d+)?|\.\d+([eE][-+]?\d+)?|\d+[eE][-+]?\d+)", re.ASCII)
_NOTHING = re.compile(r"~|null|Null|NULL|")
_TAG = "tag:yaml.org,2002:"
_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver(f"{_TAG}null", re.compile(rf"^(?:{_NOTHING.pattern})$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(f"{_TAG}bool", re.compile(r"^(true|false)$"), list("tf"))
_Loader.add_implicit_resolver(f"{_TAG}int", re.compile(rf"^(?:{_WHOLE.pattern})$"), list("-+0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}float", re.compile(rf"^(?:{_NUMBER.pattern})$"), list("-+.0123456789"))

# What no table comes near; a text beyond is a mistake or a trap (an anchor within itself, aliases of aliases).
LONGEST, DEEPEST, MOST = 1_000_000, 40, 20_000
TOO_MUCH = f"more than {DEEPEST} levels or {MOST:,} values, or an anchor within itself; write less"


def read(path: Path) -> Setting:
    """The YAML file at ``path``.

    Raises:
        UserError: the file is missing, is no YAML, or writes a key twice.
    """
    try:
        with open(files.place(path, "a table in YAML"), "rb") as file:
            text = file.read(LONGEST + 1).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"cannot read {path} (byte {error.start} is no UTF-8); expected a table in YAML, saved as UTF-8"
        ) from None
    except OSError as error:
        raise UserError(f"cannot read {path} ({error.strerror}); expected a table in YAML") from None
    return parse(text, f"{path.parent.name}/{path.name}", lines=True)


def parse(text: str, place: str, lines: bool = False) -> Setting:
    """``text`` as YAML; ``place`` says where it comes from, ``lines`` whether its line numbers help.

    Of YAML's types there are texts, numbers in decimal, truth values, nothing, lists and mappings whose keys are
    texts; there are no tags, merge keys or numbers that are not finite.

    Raises:
        UserError: anything else.
    """
    count = 0

    def at(mark: yaml.Mark) -> str:
        return f"{place}, line {mark.line + 1}" if lines else place

    def setting(node: yaml.Node, mark: yaml.Mark, depth: int = 0) -> Setting:
        nonlocal count
        count += 1
        where = at(mark)
        if depth > DEEPEST or count > MOST:
            raise UserError(f"{where}: {TOO_MUCH}")
        if isinstance(node, yaml.ScalarNode):
            return Setting(_scalar(node, where), where)
        plain = "seq" if isinstance(node, yaml.SequenceNode) else "map"
        if node.tag != _TAG + plain:
            raise UserError(
                f"{where}: the tag {_short(node.tag)} is not read here; write the value without it"
            )
        if plain == "seq":
            return Setting([setting(item, item.start_mark, depth + 1) for item in node.value], where)
        content = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
                raise UserError(f"{at(key.start_mark)}: a key is a list, a mapping or '<<'; expected a name")
            if key.value in content:
                raise UserError(f"{at(key.start_mark)}: {shown(key.value)} is written twice; keep one")
            content[key.value] = setting(value, key.start_mark, depth + 1)
        return Setting(content, where)

    if len(text) > LONGEST:
        raise UserError(f"{place}: more than {LONGEST:,} characters; expected a table or a setting")
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except (RecursionError, MemoryError):
        raise UserError(f"{place}: {TOO_MUCH}") from None
    except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not readable"
        raise UserError(
            f"{at(mark) if mark else place}: this is not YAML ({problem}); check indentation and quotes"
        ) from None
    return setting(node, node.start_mark) if node is not None else Setting(None, place)


def _scalar(node: yaml.ScalarNode, where: str) -> str | int | float | bool | None:
    kind, text = node.tag.removeprefix(_TAG), node.value
    if kind == "str":
        if any("\ud800" <= c <= "\udfff" for c in text):
            raise UserError(f"{where}: {shown(text)} has half a character, which no file can hold")
        return text
    if kind == "null" and _NOTHING.fullmatch(text):
        return None
    if kind == "bool" and text in ("true", "false"):
        return text == "true"
    if kind == "int" and _WHOLE.fullmatch(text):
        if len(text) <= 20 and abs(int(text)) < 2**63:
            return int(text)
        raise UserError(f"{where}: {shown(text)} is too large; expected a whole number below 2**63")
    if kind == "float" and (_NUMBER.fullmatch(text) or _WHOLE.fullmatch(text)):
        if len(text) < 400 and isfinite(float(text)):
            return float(text)
        raise UserError(f"{where}: {shown(text)} is too large or too long; expected a finite number")
    raise UserError(f"{where}: the tag {_short(node.tag)} is not read here; write the value without it")


def _short(tag: object) -> str:
    return shown(str(tag).replace(_TAG, "!!"))


def mapping(setting: Setting, what: str, known: Iterable[str] | None = None) -> dict[str, Setting]:
    """The keys of ``setting``; an empty one has none.

    Raises:
        UserError: it is no mapping, or holds a key that is not ``known``.
    """
    if setting.value is None:
        return {}
    if not isinstance(setting.value, dict):
        raise UserError(f"{setting.where}: {what} is {shown(setting.plain())}; expected 'key: value' lines")
    for key, item in setting.value.items():
        if known is not None and key not in known:
            raise UserError(f"{item.where}: unknown key {shown(key)} in {what}; {nearest(key, known)}")
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
            raise UserError(
                f"{item.where}: unknown key {shown(key)} in section {what}; {nearest(key, known)}"
            )
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
        return as_annotated(expected, setting.plain())
    except TypeError:
        name = getattr(expected, "__name__", str(expected)) if not get_args(expected) else str(expected)
        value = setting.plain()
        if get_origin(expected) is tuple and isinstance(value, str):
            name = f"a list, [{value}]"
        raise UserError(f"{setting.where}: {what} is {shown(value)}; expected {name}") from None
