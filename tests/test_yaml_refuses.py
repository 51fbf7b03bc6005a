"""Any text read as YAML, and any value as a setting, is a result or one line."""

import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bad_input import one_line
from snnbook.analysis.config import AnalysisConfig
from snnbook.backbones import NetworkConfig
from snnbook.data import DataConfig
from snnbook.errors import UserError
from snnbook.experiments.tables import config
from snnbook.experiments.tables import settings as merging
from snnbook.experiments.tables.config import Setting
from snnbook.experiments.tables.settings import override_sections
from snnbook.experiments.tables.tables import PaperNumbers
from snnbook.trainers import METHODS
from snnbook.trainers.loop.recipe import Recipe

BOMB = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
REFUSED = [
    '"\\UFFFFFFFF"',
    '"\\ud800"',
    '"\\U00110000"',
    "\0",
    "\x1b[31m",
    "\ud800",
    "[1]: 2",
    "{a: 1}: 2",
    "? [a]\n: 1",
    "!!int abc",
    "!!float abc",
    "!!binary aGk=",
    "!!set {a}",
    "!!timestamp 2001-01-01",
    "!!bool maybe",
    "!!null x",
    "!!python/name:os.system",
    "!x y",
    "&a [*a]",
    "&a {b: *a}",
    "&a [*a, *a]",
    "[" * 3000,
    "[" * 3000 + "]" * 3000,
    "{a: " * 3000 + "1" + "}" * 3000,
    BOMB,
    "<<: {a: 1}",
    "a: &x {b: 1}\nc: {<<: *x}",
    "a:\n\t- 1",
    "{a: 1, a: 2}",
    "a: 1\n---\nb: 2",
    "a\n---\n",
    "9" * 20_000,
    "-" + "9" * 20,
    "1e400",
    "-1e999",
    "1." + "0" * 500,
    "*missing",
    "%YAML 9.9\n---\na",
    "a: b: c",
    "[1, 2",
    "'",
    "!!seq a",
    "!!map [1]",
    "x" * 2_000_000,
    "!!int 0x10",
    "!<> a",
    "!!str [a]",
    "- " * 3000,
    "? " * 1000,
]


def leaves(setting):
    value = setting.value
    if isinstance(value, dict):
        assert all(type(key) is str for key in value)
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_setting_is_refused(text):
    for lines in (True, False):
        with pytest.raises(UserError) as caught:
            config.parse(text, "here", lines)
        assert str(caught.value).startswith("here") and len(str(caught.value)) < 400
    one_line(lambda: override_sections([f"network.options={text}"]))


PIECES = [
    "[",
    "]",
    "{",
    "}",
    ":",
    ": ",
    "- ",
    "? ",
    "&a ",
    "*a",
    "!!int ",
    "!",
    "<<",
    "\n",
    "\t",
    "#",
    "'",
    '"',
    "|",
    ">",
]
PIECES += [
    "%",
    "@",
    "`",
    "1",
    "010",
    "1:30",
    "1e400",
    "~",
    ".nan",
    ".inf",
    "---",
    "...",
    "\ufeff",
    "\0",
    "\x85",
    "\\x",
    "a",
]


@given(text=st.text(max_size=40) | st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
@example("")
@settings(deadline=None, max_examples=400)
def test_any_text_is_a_setting_or_one_line(text):
    try:
        found = config.parse(text, "here")
    except UserError as error:
        assert len(str(error)) < 400 and str(error).isprintable()
        return
    for leaf in leaves(found):
        assert leaf is None or type(leaf) in (str, int, float, bool)
        assert type(leaf) not in (int, float) or (math.isfinite(leaf) and abs(leaf) < 1e309)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("010", "010"),
        ("1:30", "1:30"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("no", "no"),
        (".nan", ".nan"),
        (".inf", ".inf"),
        ("2001-01-01", "2001-01-01"),
        ("10", 10),
        ("-3", -3),
        ("0", 0),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("~", None),
        ("", None),
        ("null", None),
        ("true", True),
        ("True", "True"),
        ("\ufeff1", 1),
        ("!!str 3", "3"),
        ("!!float 3", 3.0),
        ("1: 2", {"1": 2}),
        ("&a 1", 1),
        ("{a: &x [1], b: *x}", {"a": [1], "b": [1]}),
        ("# nothing", None),
        ("\u0663", "\u0663"),
    ],
)
def test_what_is_read_as_what(text, value):
    found = config.parse(text, "here").plain()
    assert found == value and type(found) is type(value)


def test_files_that_are_no_text(tmp_path):
    path = tmp_path / "a.yaml"
    for content, words in [
        (b"\xff\xfe", "no UTF-8"),
        (b"x" * 1_500_000, "more than 1,000,000"),
        (b"a: \0", "not YAML"),
    ]:
        path.write_bytes(content)
        one_line(lambda: config.read(path), words)
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert config.read(path).plain() == {"a": 1}
    path.write_bytes(b"")
    assert config.read(path).value is None


NUMBERS = st.integers() | st.floats() | st.sampled_from([10**20, 10**400, -1, 0, 1, 2.5])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
CLASSES = [
    DataConfig,
    NetworkConfig,
    Recipe,
    AnalysisConfig,
    PaperNumbers,
    *(m.Config for m in METHODS.values()),
]


def placed(value: Any) -> Setting:
    if isinstance(value, dict):
        return Setting({key: placed(item) for key, item in value.items()}, "here")
    return Setting([placed(item) for item in value] if isinstance(value, list) else value, "here")


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_any_value_of_a_setting_is_taken_or_refused_in_one_line(cls, data):
    names = st.sampled_from([*cls.__dataclass_fields__, "other"])
    section = data.draw(st.dictionaries(names, VALUES.map(placed), max_size=2))
    try:
        config.fill(cls, section, "section")
    except UserError as error:
        assert len(str(error)) < 400 and "\n" not in str(error)


@given(
    key=st.sampled_from(["method.name", "method.teacher", "network.options", "network.neuron_options"])
    | st.text(max_size=9),
    text=st.text(max_size=20) | st.lists(st.sampled_from(PIECES), max_size=9).map("".join),
)
@example("method.name", "[direct]")
@example("network.neuron_options", "{1: 2, surrogate: [a]}")
@settings(deadline=None, max_examples=150)
def test_any_change_on_the_command_line_is_taken_or_refused_in_one_line(key, text):
    try:
        base = override_sections(["method.name=direct"])
        merging.settings(merging._merge(base, override_sections([f"{key}={text}"])), "here")
    except UserError as error:
        assert len(str(error)) < 400 and "\n" not in str(error)
