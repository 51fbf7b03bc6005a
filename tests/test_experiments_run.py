"""A run is idempotent: killed, repeated, needed by another, it ends with the same record, written once."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from killing import Killed
from snnbook import experiments, trainers
from snnbook.errors import UserError
from snnbook.experiments.runs import lock, making, provenance, training
from snnbook.experiments.runs.job import resolve
from snnbook.trainers.loop import checkpoint
from snnbook.trainers.loop import fit as loop_fit
from snnbook.trainers.loop.weights import read
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
  recipe: {epochs: 3, batch_size: 25, augment: [crop]}
profiles: {quick: {}}
recipes: {official: {recipe: {epochs: 1}}}
rows:
  - {id: tiny, label: Tiny, method: {name: tiny}}
  - id: pupil  # learns too slowly to move away from where it starts
    label: Pupil
    method: {name: pupil, strength: 0.5}
    recipe: {learning_rate: 1e-12}
    needs: [demo/tiny]
  - {id: snn, label: SNN, method: {name: direct}, recipe: {epochs: 4}}
"""


@pytest.fixture
def here(put_tables, monkeypatch):
    """A folder with the table, and ``run`` bound to results and work folders in it."""
    monkeypatch.setitem(trainers.METHODS, "tiny", Tiny)
    monkeypatch.setitem(trainers.METHODS, "pupil", Pupil)
    return put_tables(demo=TABLE)


def run(here, run_id="demo/tiny", name="a", **options):
    options = {"device": "cpu", "progress": False, **options}
    return experiments.run(run_id, results=here / name / "results", work=here / name / "runs", **options)


def result(record):
    return record.metrics, record.curve


def kill_after(monkeypatch, epochs, when="after"):
    """Make the training die once, ``after`` or ``while`` the checkpoint of that epoch is written."""
    count = []

    def dying(save):
        def saving(*what):
            count.append(what)
            if when == "after" or len(count) < epochs:
                save(*what)
            if len(count) == epochs:
                raise Killed

        return saving

    monkeypatch.setattr(checkpoint, "save", dying(checkpoint.save))
    monkeypatch.setattr(training, "save_weights", dying(training.save_weights))


def test_the_best_epoch_is_one_that_was_tested(here):
    record = run(here, overrides=["recipe.test_every=2"])
    assert record.curve["tested"] == [2, 3]
    accuracy = record.curve["accuracy"]["ann"]
    assert len(accuracy) == 2
    assert record.metrics["ann"]["best_epoch"] == record.curve["tested"][accuracy.index(max(accuracy))]


def test_a_record_says_what_was_run(here):
    record = run(here, seed=1)
    path = here / "a/results/quick/demo/tiny/seed1.json"
    content = json.loads(path.read_text())
    assert (content["run"], content["seed"], content["profile"], content["label"]) == (
        "demo/tiny",
        1,
        "quick",
        "Tiny",
    )
    assert len(record.curve["accuracy"]["ann"]) == len(record.curve["loss"]["ce"]) == 3
    accuracy = record.curve["accuracy"]["ann"]
    best = record.metrics["ann"]
    assert best == {
        "last": accuracy[-1],
        "best": max(accuracy),
        "best_epoch": accuracy.index(max(accuracy)) + 1,
    }
    assert record.data["name"] == "digits"
    assert record.data["train"] == 50
    assert record.cost["parameters"] == 650
    assert record.environment["torch"] == torch.__version__
    assert record.environment["precision"] == "float32"
    assert record.code["tree"] == provenance.tree()
    assert record.config["recipe"]["augment"] == ["crop"]
    assert record.config["method"] == {"name": "tiny", "strength": 1.0}
    work = here / "a/runs/quick/demo/tiny/seed1"
    assert sorted(file.name for file in work.glob("model.*")) == ["model.id", "model.safetensors"]
    weights = read(work / "model.safetensors")
    assert weights["network.1.weight"].shape == (10, 64)


def test_the_weights_of_a_teacher_are_none_that_a_run_learns(here, monkeypatch):
    build = training.build_method

    def taught(*args, **options):
        method = build(*args, **options)
        method.teacher = torch.nn.Linear(64, 10).requires_grad_(False)
        return method

    monkeypatch.setattr(training, "build_method", taught)
    assert run(here).cost["parameters"] == 650


def test_a_record_that_stands_is_not_computed_again(here, monkeypatch):
    first = run(here)
    monkeypatch.setattr(training, "fit", lambda *_, **__: pytest.fail("trained again"))
    assert run(here) == first


def test_a_record_that_stands_is_read_without_torch(here):
    made = run(here, "demo/snn", overrides=["recipe.epochs=1"])
    code = "import sys; from snnbook import experiments\n"
    code += (
        "made = experiments.run('demo/snn', overrides=['recipe.epochs=1'], results=sys.argv[1], work='.')\n"
    )
    code += "assert 'torch' not in sys.modules; print(made.created)"
    command = [sys.executable, "-c", code, here / "a/results"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == made.created


def test_a_table_written_otherwise_that_means_the_same_stands(here):
    made = run(here)
    (here / "tables/demo.yaml").write_text(TABLE.replace("epochs: 3", "epochs: 3, drop_last: true"))
    assert run(here) == made


def test_seeds_give_other_numbers_and_the_same_seed_the_same(here):
    first = run(here)
    assert result(run(here, name="b")) == result(first)
    assert result(run(here, seed=1)) != result(first)


@pytest.mark.parametrize("when", ["after", "while"])
@pytest.mark.parametrize("epochs", [1, 2, 3, 4])  # the fourth save is that of the final weights
def test_a_killed_run_ends_as_one_that_was_not(here, monkeypatch, epochs, when):
    whole = run(here)
    with monkeypatch.context() as patch:
        kill_after(patch, epochs, when)
        with pytest.raises(Killed):
            run(here, name="b")
    assert not list((here / "b/results").rglob("*.json"))
    assert result(run(here, name="b")) == result(whole)


def test_a_kill_before_the_record_is_written_loses_nothing(here, monkeypatch):
    whole = run(here)

    def die(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(making, "measure", die)
        with pytest.raises(Killed):
            run(here, name="b")
    trained = []
    with monkeypatch.context() as patch:
        patch.setattr(loop_fit, "_train_epoch", lambda *_: trained.append(1))
        assert result(run(here, name="b")) == result(whole)
    assert not trained


def test_needed_rows_are_trained_first_and_their_weights_read(here):
    pupil = run(here, "demo/pupil")
    teacher = run(here)
    assert (
        pupil.metrics["ann"]["last"] == teacher.metrics["ann"]["last"] != teacher.curve["accuracy"]["ann"][0]
    )
    for name in ("tiny", "pupil"):
        assert (here / f"a/results/quick/demo/{name}/seed0.json").is_file()


def test_weights_that_are_missing_are_trained_again_and_the_record_kept(here):
    teacher = run(here)
    path = here / "a/results/quick/demo/tiny/seed0.json"
    before = path.stat().st_mtime_ns, path.read_bytes()
    weights = here / "a/runs/quick/demo/tiny/seed0/model.safetensors"
    expected = read(weights)
    weights.unlink()
    run(here, "demo/pupil")
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before
    again = read(weights)
    assert all(torch.equal(again[key], expected[key]) for key in expected)
    assert run(here) == teacher


def test_weights_of_other_settings_are_not_taken(here):
    changed = ["recipe.epochs=1"]
    run(here, "demo/pupil", overrides=[*changed, "method.strength=2.0"])
    made = sorted(path.parent.name for path in (here / "a/results").rglob("*.json"))
    # The teacher had one epoch as well, but not the pupil's own setting.
    assert made == [
        resolve("demo/pupil", overrides=[*changed, "method.strength=2.0"]).id[5:],
        resolve("demo/tiny", overrides=changed).id[5:],
    ]


def test_a_changed_run_never_passes_for_the_row(here):
    record = run(here, overrides=["recipe.epochs=1"])
    assert record.run.startswith("demo/tiny+")
    assert len(record.curve["loss"]["ce"]) == 1
    assert run(here, recipe="official").run == "demo/tiny+official"
    assert experiments.lookup("demo/tiny:ann.last", results=here / "a/results") is None
    assert experiments.lookup("demo/tiny+official:ann.last", results=here / "a/results").n == 1


def test_a_record_of_other_settings_is_refused_and_kept(here):
    run(here)
    path = here / "a/results/quick/demo/tiny/seed0.json"
    before = path.read_bytes()
    table = here / "tables/demo.yaml"
    table.write_text(TABLE.replace("epochs: 3", "epochs: 5"))
    with pytest.raises(UserError, match=r"other settings \(recipe.epochs: 3, now 5\)"):
        run(here)
    assert path.read_bytes() == before


def test_a_checkpoint_of_other_settings_or_cut_short_is_refused_and_kept(here, monkeypatch):
    with monkeypatch.context() as patch:
        kill_after(patch, 1)
        with pytest.raises(Killed):
            run(here)
    path = here / "a/runs/quick/demo/tiny/seed0/checkpoint.pt"
    table = here / "tables/demo.yaml"
    table.write_text(TABLE.replace("epochs: 3", "epochs: 5"))
    before = path.read_bytes()
    with pytest.raises(UserError, match="belongs to another experiment"):
        run(here)
    assert path.read_bytes() == before
    table.write_text(TABLE)
    path.write_bytes(before[: len(before) // 2])
    with pytest.raises(UserError, match="cannot read checkpoint"):
        run(here)
    assert path.read_bytes() == before[: len(before) // 2]


@pytest.mark.parametrize("name", ["results", "work"])
def test_a_folder_that_cannot_be_written_is_found_before_training(here, monkeypatch, name):
    monkeypatch.setattr(training, "fit", lambda *_, **__: pytest.fail("trained for nothing"))
    (here / "file").write_text("in the way")
    places = {"results": here / "results", "work": here / "runs", name: here / "file/below"}
    with pytest.raises(UserError, match="cannot write"):
        experiments.run("demo/tiny", device="cpu", progress=False, **places)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"run_id": "demo/tyni"}, "did you mean 'tiny'"),
        ({"run_id": "demo"}, "demo/tiny"),
        ({"profile": "lab"}, "no profile 'lab'; known: quick"),
        ({"recipe": "offical"}, "did you mean 'official'"),
        ({"seed": -1}, "seed is -1"),
        ({"device": "gpu"}, "no device 'gpu'"),
        ({"device": "cuda:99"}, "is not here"),
        ({"overrides": ["network.time_steps=0"]}, "time"),
        ({"overrides": ["data.size=0"]}, "size is 0"),
        ({"overrides": ["recipe.batch_size=1000"]}, "fewer than recipe.batch_size"),
    ],
)
def test_bad_input_is_refused_in_one_line(here, options, says):
    with pytest.raises(UserError, match=says) as caught:
        run(here, **options)
    assert "\n" not in str(caught.value)
    assert not list(here.rglob("*.json"))


def test_a_typo_in_a_row_it_needs_stops_before_training(here):
    (here / "tables/demo.yaml").write_text(TABLE.replace("name: tiny}", "name: tiyn}"))
    with pytest.raises(UserError, match=r"demo\.yaml, line 13: no method 'tiyn'; did you mean 'tiny'"):
        run(here, "demo/pupil")


def test_two_processes_do_not_share_a_run(here, monkeypatch):
    monkeypatch.setattr(training.train, "__defaults__", (0.3,))
    folder = resolve("demo/tiny", work=here / "a/runs", results=here / "a/results").folder
    folder.mkdir(parents=True)
    with (
        lock.hold(folder / "lock"),
        pytest.raises(UserError, match=rf"process {os.getpid()} on .* is at this run"),
    ):
        run(here)
    run(here)


def test_a_spiking_network_killed_for_real_ends_as_one_that_was_not(here):
    """``kill -9`` in mid-run, then the same command again, against a run that was left alone."""
    (here / "tables/demo.yaml").write_text(
        TABLE[: TABLE.index("  - {id: tiny")] + TABLE[TABLE.index("  - {id: snn") :]
    )
    whole = run(here, "demo/snn")
    places = ["--results", here / "b/results", "--work", here / "b/runs", "--device", "cpu"]
    command = [sys.executable, "-m", "snnbook", "run", "demo/snn", "--bare", *places]
    saved = here / "b/runs/quick/demo/snn/seed0/checkpoint.pt"
    victim = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not saved.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    victim.send_signal(signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL
    assert not list((here / "b/results").rglob("*.json"))
    resumed = run(here, "demo/snn", name="b")
    assert result(resumed) == result(whole)
    assert 0 < resumed.measure["snn"]["firing_rate"] < 1
