"""The look over all that is committed."""

import json

import pytest

from claim_cases import TABLE, lay_out, made, put, rows
from snnbook import cli, files
from snnbook.experiments.evidence.check import check
from snnbook.experiments.runs import record
from snnbook.experiments.tables import settings, tables


@pytest.fixture
def results(put_tables, monkeypatch):
    return lay_out(put_tables, monkeypatch)


def test_everything_in_order(results):
    rows(results, a=(90, 91, 92), b=(80, 90, 100))
    checked = check(results)
    assert checked.problems == ()
    assert checked.counts == {"records": 6, "tables": 1, "claims": 0, "details": 0}


def test_a_changed_metric_is_caught_by_its_checksum(results, capsys):
    path = put(results, made(last=90.0))
    path.write_text(path.read_text().replace('"last": 90.0', '"last": 99.0'))
    (problem,) = check(results).problems
    assert "demo/a/seed0.json is damaged (its checksum does not match)" in problem
    assert cli.main(["claims", "--results", str(results)]) == 0  # no claim asks for it
    with pytest.raises(SystemExit, match="1"):
        cli.main(["check", "--results", str(results)])
    assert ": 1 problem\n" in capsys.readouterr().out


def test_records_of_other_settings_and_in_wrong_places_are_found(results):
    put(results, made())
    put(results, made(seed=1, asked="old"))  # another text, the same settings
    older = json.loads(json.dumps(made().config))
    older["recipe"]["batch_size"] = 9
    put(results, made(seed=2, asked="old", config=older))
    moved = put(results, made("demo/b"))
    moved.rename(moved.with_name("seed2.json"))
    unknown = put(results, made("demo/b", seed=1))
    unknown.parent.rename(unknown.parents[1] / "gone")
    problems = check(results).problems
    told = " ".join(problems)
    assert len(problems) == 3
    assert (
        "record desk/demo/a/seed2.json was made with other settings (recipe.batch_size: 9, now 128)" in told
    )
    assert "demo/gone/seed2.json says that it is desk/demo/b/seed0.json" in told
    assert "demo/gone/seed1.json says that it is desk/demo/b/seed1.json" in told


def test_what_went_into_a_committed_record_is_committed_too():
    for path in sorted(files.results().glob("*/*/*/seed*.json")):
        read = record.read(path)
        for need in read.needs:
            (teacher,) = record.records(need["run"], read.profile, [read.seed])
            assert teacher.weights in (None, need["weights"]), path


def test_wrong_ledgers_and_tables_are_found(results):
    ledgers = tables.folder() / "ledgers"
    (ledgers / "claims.yaml").write_text("claims:\n  - {id: one}\n")
    (ledgers / "fidelity.yaml").write_text("details: []\n")
    (tables.folder() / "demo.yaml").write_text(TABLE.replace("epochs: 4", "epoch: 4"))
    problems = " ".join(check(results).problems)
    assert "lacks 'paper'" in problems and "unknown key 'details'" in problems
    assert "did you mean 'epochs'" in problems


def test_settings_gained_since_count_at_their_default(results):
    now = made().config
    before = json.loads(json.dumps(now))
    del before["recipe"]["milestones"]
    assert settings.changes(before, now) == []
    before["recipe"]["epochs"] = 1
    assert settings.changes(before, now) == [("recipe.epochs", 1, 3)]
    other = {**before, "method": {"name": "tet"}}
    assert settings.changes(other, now) == [("method.name", "tet", "direct")]
