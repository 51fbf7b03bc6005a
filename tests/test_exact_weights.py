"""Weights kept beside a record: taken by the runs that need them, never of another run, and found when damaged."""

import shutil
from dataclasses import replace

import pytest

from bad_input import one_line
from snnbook import experiments, trainers
from snnbook.experiments.evidence import check
from snnbook.experiments.matrix.prepare import prepare
from snnbook.experiments.runs import exact, record, training
from snnbook.experiments.runs.job import resolve
from snnbook.trainers.loop.weights import weights_digest
from tiny_methods import Pupil, Tiny

TABLE = """\
id: demo
paper: somebody
title: A table
source: "Somebody 2020, Table 1"
seeds: [0, 1]
base:
  data: {name: digits, size: 8, train_per_class: 5}
  network: {name: resnet18, width: 4, time_steps: 2}
  recipe: {epochs: 2, batch_size: 25, augment: [crop]}
profiles: {quick: {}}
rows:
  - {id: teacher, label: Teacher, method: {name: tiny}}
  - {id: pupil, label: Pupil, method: {name: pupil}, needs: [demo/teacher]}
"""


@pytest.fixture
def here(put_tables, monkeypatch):
    """A folder with a trained teacher, kept exactly; what the run left is gone, as after a clone."""
    monkeypatch.setitem(trainers.METHODS, "tiny", Tiny)
    monkeypatch.setitem(trainers.METHODS, "pupil", Pupil)
    here = put_tables(demo=TABLE)
    run(here, "demo/teacher")
    keep(here)
    shutil.rmtree(here / "runs")
    return here


def places(here):
    return {"results": here / "results", "work": here / "runs"}


def run(here, row="demo/pupil", **options):
    return experiments.run(row, device="cpu", **places(here), **{"progress": False, **options})


def keep(here, name="quick/demo/teacher", seed=0):
    return experiments.keep_exact(name, seed, **places(here))


def teacher(here):
    return resolve("demo/teacher", **places(here))


def trained(monkeypatch):
    """The runs that are trained from here on."""
    names, whole = [], training.fit
    monkeypatch.setattr(
        training, "fit", lambda *a, **k: (names.append(k["identity"].split("/")[2]), whole(*a, **k))[1]
    )
    return names


def test_a_pupil_takes_its_teacher_s_kept_weights(here, monkeypatch):
    names = trained(monkeypatch)
    pupil = run(here)
    assert names == ["pupil"]
    (told,) = record.records("demo/teacher", "quick", [0], here / "results")
    assert pupil.needs[0]["weights"] == told.weights == weights_digest(teacher(here).weights)
    assert run(here, weights=True) == pupil and names == ["pupil"]  # and all is as if trained here


def test_so_does_one_with_settings_of_its_own_but_none_with_another_teacher(here, monkeypatch):
    names = trained(monkeypatch)
    run(here, overrides=["method.strength=2.0"])
    assert [name.partition("+")[0] for name in names] == ["pupil"]
    run(here, overrides=["recipe.epochs=1"])
    run(here, seed=1)
    assert [name.partition("+")[0] for name in names] == ["pupil", *2 * ["teacher", "pupil"]]


def test_the_plan_knows_that_no_teacher_is_to_be_trained(here):
    def rows():
        steps = prepare("quick", [], [0], data=None, cores=2, **places(here)).steps
        return [step.row for step in steps]

    assert rows() == ["demo/pupil"]
    teacher(here).exact.unlink()
    assert rows() == ["demo/teacher", "demo/pupil"]


def test_without_its_record_a_teacher_is_trained(here, monkeypatch):
    names = trained(monkeypatch)
    teacher(here).record_path.unlink()
    run(here)
    assert names == ["teacher", "pupil"]


def test_kept_weights_of_another_run_are_refused_and_found_by_check(here, monkeypatch):
    names = trained(monkeypatch)
    kept = teacher(here).exact
    assert not check.check(here / "results").problems
    content = kept.read_bytes()
    kept.write_bytes(content[: len(content) // 2])
    one_line(lambda: run(here), "cannot read weights", kept)
    assert any(str(kept) in problem for problem in check.check(here / "results").problems)
    shutil.copy(_others(here), kept)
    one_line(lambda: run(here), "not those that the record", "demo/teacher, seed 0", kept)
    assert any("not those that the record" in line for line in check.check(here / "results").problems)
    assert names == ["teacher"]  # the other; no pupil has learned from it


def _others(here):
    """Weights of the same networks with another seed."""
    experiments.run("demo/teacher", seed=1, device="cpu", progress=False, results=here / "b", work=here / "c")
    return here / "c/quick/demo/teacher/seed1/model.safetensors"


def test_weights_that_come_out_otherwise_are_told_of(here, capsys):
    (told,) = record.records("demo/teacher", "quick", [0], here / "results")
    teacher(here).exact.unlink()
    record.write(replace(told, weights="0" * 64), teacher(here).record_path)
    run(here, "demo/teacher", weights=True, progress=True)
    assert "are not those its record tells of (000000000000)" in capsys.readouterr().err
    one_line(lambda: run(here), "not those its record tells of", "were made elsewhere")


def test_weights_that_cannot_be_kept(here, monkeypatch):
    one_line(lambda: keep(here), "no trained weights at")
    one_line(lambda: keep(here, seed=1), "demo/teacher, seed 1, has no record in the quick profile")
    one_line(lambda: keep(here, "quick/demo/teecher"), "did you mean 'teacher'")
    run(here)
    before = teacher(here).exact.read_bytes()
    monkeypatch.setattr(exact, "LARGEST", 1000)
    one_line(lambda: keep(here), "MB; expected at most 0.001")
    shutil.copy(_others(here), teacher(here).weights)
    one_line(lambda: keep(here), "not those that the record", "choose the folder where it was made")
    assert teacher(here).exact.read_bytes() == before


KEPT = sorted(record.folder().rglob("*.exact.safetensors"))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: "/".join(path.parts[-3:]))
def test_what_is_committed_is_what_its_record_tells_of(path):
    made = record.read(path.with_name(path.name.replace(".exact.safetensors", ".json")))
    assert weights_digest(path) == made.weights
    assert path.stat().st_size <= exact.LARGEST
