"""Settings that change no number are no part of what a run is, and records that tell of them go on standing."""

import dataclasses
import json

import pytest

from snnbook import doctor
from snnbook.data import DataConfig, default_root
from snnbook.experiments.runs import record
from snnbook.experiments.runs.job import resolve
from snnbook.experiments.runs.standing import changed, standing
from snnbook.experiments.runs.training import identity
from snnbook.experiments.tables import settings as merging
from test_experiments_identity import TABLE, run

ASIDE = [f"{section}.{key}" for section, keys in merging.ASIDE.items() for key in keys]


@pytest.fixture
def here(put_tables):
    return put_tables(demo=TABLE)


def test_nothing_is_downloaded_unless_asked():
    assert ASIDE == ["data.download", "analysis.neurobench"] and DataConfig().download is False


@pytest.mark.parametrize("setting", ASIDE)
def test_they_reach_the_run_and_leave_no_trace(here, setting):
    plain = resolve("demo/long")
    for value in (True, False):
        asked = resolve("demo/long", overrides=[f"{setting}={json.dumps(value)}"])
        section, _, key = setting.partition(".")
        assert getattr(getattr(asked.settings, section), key) is value
        if section == "data":  # those that it needs have other analyses
            assert getattr(getattr(asked.inherits.settings, section), key) is value
        assert (asked.id, asked.asked) == (plain.id, plain.asked)
        assert asked.settings.as_dict() == plain.settings.as_dict()
        assert identity(asked, "data", ()) == identity(plain, "data", ())
        beside = resolve("demo/long", overrides=["recipe.epochs=1"])
        both = resolve("demo/long", overrides=["recipe.epochs=1", *asked.overrides])
        assert (both.id, both.asked) == (beside.id, beside.asked) and both.id != plain.id


def test_a_record_that_tells_another_value_stands(here):
    made = run(here, "start")
    planned = resolve("demo/start", results=here / "results")
    old = {**made.config, "data": {**made.config["data"], "download": True}}
    older = dataclasses.replace(made, config=old, asked="by an older version")
    record.write(older, planned.record_path)
    assert not changed(planned, older) and standing(planned) == older
    assert not merging.changes(old, made.config) and not merging.changes(made.config, old)
    other = {**old, "data": {**old["data"], "size": 9}}
    assert [key for key, _, _ in merging.changes(other, made.config)] == ["data.size"]


def test_doctor_says_how_to_ask(tmp_path):
    told = "\n".join(doctor._data(tmp_path / "none"))
    assert told.count("--set data.download=true") == 2 and "first used" not in told
    assert str(default_root()) not in told
