"""Tables are read strictly: what is wrong is named with its file, its line and the nearest right word."""

import dataclasses
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnbook import files
from snnbook.errors import UserError
from snnbook.experiments.runs.job import check_table, resolve
from snnbook.experiments.tables import config, tables

TABLE = """\
id: demo
paper: somebody
title: A table
source: "Somebody 2020, Table 1"
seeds: [0, 1]
base:
  data: {name: digits, size: 8}
  network: {name: resnet18, width: 4, time_steps: 2}
  method: {name: joint, kld: 2.0}
  recipe: {epochs: 9, augment: [crop]}
profiles:
  quick:
    recipe: {epochs: 2}
  lab: {}
recipes:
  official:
    recipe: {optimizer: sgd}
rows:
  - id: one
    label: First
    recipe: {batch_size: 10}
    paper: {snn: 90, seconds_per_epoch: 1.5}
  - id: two
    label: Second
    method: {name: direct}
    needs: [demo/one]
    profiles:
      quick: {recipe: {epochs: 3}}
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes ``demo.yaml``, with one text replaced by another, into a folder of its own."""
    monkeypatch.setenv("SNNBOOK_EXPERIMENTS", str(tmp_path))

    def write(old="", new="", name="demo"):
        assert old in TABLE
        (tmp_path / f"{name}.yaml").write_text(TABLE.replace(old, new, 1) if old else TABLE)
        return tables.load(name)

    return write


def message(call, *arguments):
    with pytest.raises(UserError) as caught:
        call(*arguments)
    text = str(caught.value)
    assert "\n" not in text
    return text


def settings_of(row, **options):
    return resolve(f"demo/{row}", **options).settings


def test_sections_are_merged_later_winning(write):
    write()
    quick = settings_of("one")
    assert (quick.recipe.epochs, quick.recipe.batch_size, quick.recipe.augment) == (2, 10, ("crop",))
    assert (quick.name, quick.method.kld, quick.network.width) == ("joint", 2.0, 4)
    assert settings_of("one", profile="lab").recipe.epochs == 9
    assert settings_of("two").recipe.epochs == 3
    assert settings_of("one", recipe="official").recipe.optimizer == "sgd"
    changed = settings_of("one", overrides=["recipe.epochs=1", "recipe.learning_rate=1e-2"])
    assert (changed.recipe.epochs, changed.recipe.learning_rate) == (1, 0.01)


def test_a_table_that_was_written_again_is_read_again(write, tmp_path):
    write()
    os.utime(tmp_path / "demo.yaml", (0, 0))
    tables.load("demo")
    assert write("kld: 2.0", "kld: 3.0").base["method"]["kld"].value == 3  # in a file as long


def test_a_method_of_another_name_starts_afresh(write):
    write()
    assert settings_of("two").name == "direct"  # kld: 2.0 of the base would be unknown to it


def test_settings_become_plain_sections(write):
    write()
    plain = settings_of("one").as_dict()
    assert set(plain) == set(tables.SECTIONS)
    assert plain["method"]["name"] == "joint"


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("epochs: 2", "epoch: 2", 13, "did you mean 'epochs'"),
        ("epochs: 2", "epochs: two", 13, "recipe.epochs is 'two'; expected int"),
        ("epochs: 2", "epochs: 2.5", 13, "expected int"),
        ("epochs: 2", "epochs: true", 13, "expected int"),
        ("epochs: 2", "epochs: 0", 13, "recipe.epochs"),
        ("augment: [crop]", "augment: crop", 10, "recipe.augment"),
        ("time_steps: 2", "time_steps: 0", 8, "time"),
        ("name: resnet18", "name: resnet81", 8, "resnet18"),
        ("{name: joint, kld: 2.0}", "{name: joints}", 9, "did you mean 'joint'"),
        ("{name: direct}", "{name: direct, kld: 1.0}", 25, "unknown key 'kld' in section method"),
    ],
)
def test_a_wrong_setting_is_named_with_its_line(write, old, new, line, says):
    text = message(check_table, write(old, new))
    assert f"demo.yaml, line {line}:" in text
    assert says in text


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("title:", "titel:", 3, "did you mean 'title'"),
        ("    recipe: {epochs: 2}", "    recipes: {epochs: 2}", 13, "did you mean 'recipe'"),
        ("  quick:\n", "  quik:\n", 12, "did you mean 'quick'"),
        ("  - id: two", "  - id: one", 23, "row 'one' is there twice"),
        ("    label: Second", "    labels: Second", 24, "did you mean 'label'"),
        ("    label: Second\n", "", 23, "'label' is missing"),
        ("snn: 90", "snn: high", 22, "paper.snn is 'high'"),
        ("snn: 90", "snn_sdt: 90", 22, "did you mean 'snn_std'"),
        ("seeds: [0, 1]", "seeds: [0, -1]", 5, "seeds"),
        ("seeds: [0, 1]", "seeds: [0, 1, 0]", 5, "expected each seed once"),
        ("seeds: [0, 1]", "seeds: [4294967296]", 5, "from 0 to 4294967295"),
        ("    label: First", "    label: First\n    seeds: {lab: [2, 2]}", 21, "seeds.lab is [2, 2]"),
        ("seeds: [0, 1]", "seeds: 3", 5, "seeds is 3"),
        ("seeds: [0, 1]", "seeds: []", 5, "seeds is []"),
        ("    label: First", "    label: First\n    seeds: {lab: [0, -1]}", 21, "seeds.lab is [0, -1]"),
        ("    label: First", "    label: First\n    seeds: {lab: []}", 21, "seeds.lab is []"),
        ("    label: First", "    label: First\n    seeds: {night: [0]}", 21, "night"),
        ("    label: First", "    label: First\n    seeds: [0]", 21, "seeds"),
        ("id: demo", "id: other", 1, "expected 'demo'"),
        ("title: A table", "title: A table\ntitle: B", 4, "written twice"),
        ("title: A table", "title: [A table", 4, "not YAML"),
    ],
)
def test_a_wrong_table_is_named_with_its_line(write, old, new, line, says):
    text = message(write, old, new)
    assert f"demo.yaml, line {line}:" in text
    assert says in text


def test_a_setting_of_the_command_line_has_no_line():
    with pytest.raises(UserError, match=r"^--set network: 'width' is written twice"):
        config.parse("{width: 1, width: 2}", "--set network")


def test_needs_must_exist_and_not_turn_in_a_circle(write):
    assert "did you mean 'one'" in message(check_table, write("needs: [demo/one]", "needs: [demo/oen]"))
    circle = write("    recipe: {batch_size: 10}", "    needs: [demo/two]")
    assert "cannot need itself" in message(check_table, circle)


def test_the_nearest_run_is_named(write):
    write()
    assert "did you mean 'demo/one'" in message(tables.find, "demo/on")[:100] + message(
        tables.find, "dmo/one"
    )
    assert "demo/two" in message(tables.find, "demo")
    assert "did you mean 'demo'" in message(tables.load, "demi")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("epochs=3", "expected section.key=value"),
        ("recipe.epochs", "expected section.key=value"),
        ("recip.epochs=3", "did you mean 'recipe'"),
        ("recipe.epoch=3", "did you mean 'epochs'"),
        ("recipe.epochs=many", "expected int"),
        ("recipe.epochs=[", "not YAML"),
        ("network.time_steps=0", "--set network.time_steps=0"),
    ],
)
def test_a_wrong_change_on_the_command_line_is_named(write, text, says):
    write()
    found = message(lambda: settings_of("one", overrides=[text]))
    assert says in found
    assert "--set" in found


def test_unknown_profile_and_mode(write):
    write()
    assert "did you mean 'quick'" in message(lambda: settings_of("one", profile="quik"))
    assert "no recipe mode 'code'" in message(lambda: settings_of("one", recipe="code"))


def test_yaml_means_what_it_looks_like():
    found = config.parse(
        "{a: 1e-3, b: no, c: 1.5, d: 3, e: true, f: 2020-01-01, g: -2E4, h: null}", "here"
    ).plain()
    expected = {"a": 1e-3, "b": "no", "c": 1.5, "d": 3, "e": True, "f": "2020-01-01", "g": -2e4, "h": None}
    assert found == expected
    assert [type(value) for value in found.values()] == [type(value) for value in expected.values()]


@dataclasses.dataclass(frozen=True)
class Sample:
    number: float = 1.0
    count: int = 1
    words: tuple[str, ...] = ()
    options: dict = dataclasses.field(default_factory=dict)
    limit: int | None = None


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "number": st.floats(allow_nan=False, allow_infinity=False),
            "count": st.integers(-(2**63) + 1, 2**63 - 1),
            "words": st.lists(st.sampled_from(["crop", "flip", "no"])),
            "limit": st.none() | st.integers(-(2**63) + 1, 2**63 - 1),
        },
    )
)
def test_what_is_written_is_what_is_filled_in(content):
    import json

    sections = config.mapping(config.parse(json.dumps(content), "here"), "sample")
    expected = {**content, "words": tuple(content.get("words", ()))}
    assert config.fill(Sample, sections, "sample") == Sample(**expected)


def test_every_table_of_the_project_is_sound():
    names = tables.names()
    assert names == sorted(path.stem for path in files.experiments().glob("*.yaml"))
    for name in names:
        check_table(tables.load(name))
