"""A number's identity covers all it depends on: settings, data and weights, of the run and of those it needs."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from snnbook import data as datasets
from snnbook import experiments, trainers
from snnbook.errors import UserError
from snnbook.experiments.runs import job, migration, record, training
from snnbook.experiments.runs.job import resolve
from snnbook.experiments.runs.standing import changed
from tiny_methods import Pupil, Tiny

_train = training._train

TABLE = """\
id: demo
paper: somebody
title: A table
source: "Somebody 2020, Table 1"
seeds: [0]
base:
  data: {name: digits, size: 8, train_per_class: 5, test_limit: 50}
  network: {name: convnet, width: 4, time_steps: 2, neuron: tet}
  recipe: {epochs: 2, batch_size: 25}
profiles: {quick: {}}
rows:
  - {id: teacher, label: Teacher, method: {name: tiny}, recipe: {learning_rate: 1e-3}}
  - {id: pupil, label: Pupil, method: {name: pupil}, needs: [demo/teacher]}
  - {id: short, label: Short, method: {name: tet}, network: {time_steps: 1}, inherits: demo/start}
  - {id: start, label: Start, method: {name: tet}, network: {time_steps: 1}}
  - {id: long, label: Long, method: {name: tet}, inherits: demo/short}
"""

SPOILT = "label: Start, method: {name: tet}", "label: Start, method: {name: tet, lam: 0.5}"


@pytest.fixture
def here(put_tables, monkeypatch):
    monkeypatch.setitem(trainers.METHODS, "tiny", Tiny)
    monkeypatch.setitem(trainers.METHODS, "pupil", Pupil)
    return put_tables(demo=TABLE)


def run(here, row, **options):
    options = {"results": here / "results", "work": here / "runs", **options}
    return experiments.run(f"demo/{row}", device="cpu", progress=False, **options)


def rewrite(here, old, new):
    assert old in TABLE
    (here / "tables/demo.yaml").write_text(TABLE.replace(old, new, 1))


def test_bundled_data_are_named_alike_in_both_places():
    assert job.BUNDLED == datasets.config.BUNDLED


def test_a_run_holds_the_runs_it_needs_and_reads_no_table_afterwards(here):
    long = resolve("demo/long")
    (here / "tables/demo.yaml").unlink()
    assert [parent.id for parent in long.parents] == ["demo/short"]
    assert long.inherits.inherits.id == "demo/start"
    assert long.settings.network.time_steps == 2
    assert long.asked and long.inherits.asked != long.asked
    with pytest.raises(dataclasses.FrozenInstanceError):
        long.seed = 1


@pytest.mark.parametrize(
    ("row", "old", "new", "told"),
    [
        ("pupil", "1e-3", "1e-2", "demo/teacher: recipe.learning_rate: 0.001, now 0.01"),
        ("long", *SPOILT, "demo/short: demo/start: method.lam: 0.05, now 0.5"),
        ("pupil", "[demo/teacher]", "[demo/start]", "started from demo/teacher, now from demo/start"),
        ("long", ", inherits: demo/short}", "}", "started from demo/short, now from no other run"),
    ],
)
def test_a_record_falls_with_what_it_was_made_from(here, row, old, new, told):
    """A teacher with other settings, however far behind, or another one: the pupil's record no longer stands."""
    made = run(here, row)
    assert run(here, row) == made
    rewrite(here, old, new)
    with pytest.raises(UserError) as refused:
        run(here, row)
    assert told in str(refused.value) and "delete it to run again" in str(refused.value)
    assert record.read(here / f"results/quick/demo/{row}/seed0.json") == made


def test_a_teacher_written_otherwise_that_means_the_same_changes_nothing(here):
    made = run(here, "pupil")
    rewrite(here, "learning_rate: 1e-3", "learning_rate: 0.001, drop_last: true")
    assert resolve("demo/pupil").asked != made.asked
    assert run(here, "pupil") == made


def test_a_record_names_the_weights_it_left_and_those_it_took(here):
    long = run(here, "long")
    (short,) = long.needs
    (start,) = short["needs"]
    assert (short["run"], start["run"], start["needs"]) == ("demo/short", "demo/start", [])
    assert short["weights"] == run(here, "short").weights != long.weights
    assert start["weights"] == run(here, "start").weights
    assert short["config"] == run(here, "short").config
    assert short["data"] == long.data["fingerprint"]


def test_other_weights_of_a_teacher_are_noticed(here):
    """The teacher is made again, elsewhere, with the same settings and another outcome."""
    run(here, "pupil")
    path = here / "results/quick/demo/teacher/seed0.json"
    record.write(dataclasses.replace(record.read(path), weights="0" * 64), path)
    with pytest.raises(UserError, match=r"weights of demo/teacher: [0-9a-f]{12}, now 0{12}"):
        run(here, "pupil")


def test_a_checkpoint_belongs_to_the_weights_it_started_from(here):
    pupil = resolve("demo/pupil")
    parent = training.Trained(pupil.needs[0], here, "one", "f", ())
    other = dataclasses.replace(parent, weights="two")
    names = {training.identity(pupil, "f", (each,)) for each in (parent, other)}
    assert len(names | {training.identity(pupil, "g", (parent,))}) == 3
    assert training.identity(resolve("demo/pupil"), "f", (parent,)) in names


def test_weights_that_another_run_left_in_its_place_are_made_again(here):
    """The mark beside them tells whose they are."""
    run(here, "start")
    (weights,) = (here / "runs").rglob("model.safetensors")
    mark, before = weights.with_suffix(".id"), weights.read_bytes()
    name = mark.read_text()
    mark.write_text("another run")
    weights.write_bytes(b"others")
    run(here, "start", weights=True)
    assert weights.read_bytes() == before and mark.read_text() == name


def test_a_record_of_other_data_is_not_shown_for_these(here, tree, tmp_path_factory):
    """``--data A`` and then ``--data B``: B's reader is not told A's accuracy."""
    rewrite(
        here,
        "data: {name: digits, size: 8, train_per_class: 5, test_limit: 50}",
        "data: {name: folder, size: 8}",
    )
    table = here / "tables/demo.yaml"
    table.write_text(table.read_text().replace("batch_size: 25", "batch_size: 4"))
    made = run(here, "start", data=tree)
    assert run(here, "start", data=tree) == made
    other = tmp_path_factory.mktemp("other")
    for half in ("train", "test"):
        shutil.copytree(tree / half, other / half)
    shutil.copy(other / "train/cat/0.png", other / "train/cat/1.png")
    for options in ({}, {"weights": True}):
        with pytest.raises(UserError, match=f"made of other data .fingerprint {made.data['fingerprint']}"):
            run(here, "start", data=other, **options)
    with pytest.raises(UserError, match="no folder"):
        run(here, "start", data=here / "nowhere")


def test_weights_that_are_not_those_of_the_record_are_refused_before_a_pupil_is_trained(here, monkeypatch):
    """The teacher's record came from another machine, whose weights git does not keep."""
    run(here, "teacher")
    path = here / "results/quick/demo/teacher/seed0.json"
    record.write(dataclasses.replace(record.read(path), weights="a" * 64), path)
    shutil.rmtree(here / "runs")
    trained = []
    monkeypatch.setattr(training, "_train", lambda run, *rest: (trained.append(run.id), _train(run, *rest)))
    with pytest.raises(UserError, match=r"are not those its record tells of \(a{12}\).*another --results"):
        run(here, "pupil")
    assert trained == ["demo/teacher"]


def test_a_copied_record_passes_for_no_other_run(here):
    made = here / "results/quick/demo/start/seed0.json"
    run(here, "start")
    for copy in ("demo/start/seed1.json", "demo/short/seed0.json"):
        place = here / "results/quick" / copy
        place.parent.mkdir(exist_ok=True)
        shutil.copy(made, place)
        row, seed = copy.split("/")[1], int(copy[-6])
        for ask in (
            lambda row=row, seed=seed: run(here, row, seed=seed),
            lambda place=place: record.read(place),
        ):
            with pytest.raises(
                UserError, match=r"says that it is quick/demo/start/seed0.json; move it there"
            ):
                ask()


def test_analyses_asked_for_are_not_asked_of_the_runs_it_needs(here):
    asked = resolve("demo/pupil", overrides=["analysis.landscape=5", "recipe.epochs=1"])
    assert asked.needs[0].overrides == ("recipe.epochs=1",)
    assert asked.settings.analysis.landscape == 5


@pytest.mark.parametrize(
    ("arguments", "told"),
    [({"run_id": None}, "no experiment None"), ({"seed": "a"}, "seed is 'a'"), ({"seed": 2**62}, "at most")],
)
def test_what_is_no_run_or_seed_is_told(here, arguments, told):
    with pytest.raises(UserError, match=told):
        experiments.run(**{"run_id": "demo/start", **arguments})


# Records of the older schema


def as_of_old(path):
    made = record.read(path)
    record.write(dataclasses.replace(made, schema=1, needs=[], weights=None, asked=""), path)
    content = path.read_text().replace('\n "needs": [],', "").replace('\n "weights": null,', "")
    path.write_text(content.replace('\n "history": [],', ""))


@pytest.fixture
def old(here, monkeypatch):
    """Records of ``long`` and of those it needs as they were written before there were ``needs``."""
    before = run(here, "long")
    monkeypatch.setattr(record, "unsealed", lambda path: _without_checksum(path))
    paths = sorted((here / "results").rglob("*.json"))
    for path in paths:
        as_of_old(path)
    return before, paths


def _without_checksum(path):
    import json

    content = json.loads(path.read_text())
    del content["checksum"]
    return content


def test_old_records_whose_parents_are_shown_unchanged_go_on_standing(here, old, monkeypatch):
    before, paths = old
    monkeypatch.chdir(here)
    assert migration.migrate(Path("results")) == {}
    made = run(here, "long")
    assert (made.metrics, made.curve, made.asked) == (before.metrics, before.curve, before.asked)
    assert made.needs[0]["needs"][0]["run"] == "demo/start"
    assert made.needs[0]["weights"] is None
    assert made.history == [migration.HISTORY]
    contents = [path.read_bytes() for path in paths]
    assert migration.migrate(here / "results") == {}
    assert [path.read_bytes() for path in paths] == contents


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda here: rewrite(here, *SPOILT), "method.lam"),
        (lambda here: (here / "results/quick/demo/start/seed0.json").unlink(), "has no record here"),
    ],
)
def test_old_records_of_which_that_cannot_be_shown_are_left(here, old, spoil, told):
    spoil(here)
    left = migration.migrate(here / "results")
    path = here / "results/quick/demo/long/seed0.json"
    assert told in left[path]
    assert _without_checksum(path)["schema"] == 1


def test_changes_of_a_run_without_parents_are_its_own(here):
    made = run(here, "start")
    assert changed(resolve("demo/start"), made) == []
    assert changed(resolve("demo/start", overrides=["method.lam=0.5"]), made) == ["method.lam: 0.05, now 0.5"]
