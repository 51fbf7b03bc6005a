"""The matrix under Snakemake: planned from records alone, in order, whatever fails, whenever it is killed.

Most runs here are stand-ins that write a record after a moment; what a run itself does is tested elsewhere.
"""

import os
import pickle
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from snnbook import cli
from snnbook.cli import arguments
from snnbook.errors import UserError
from snnbook.experiments.matrix import cards, engine
from snnbook.experiments.matrix.prepare import Matrix, prepare
from snnbook.experiments.runs import job, lock, record
from snnbook.experiments.runs.record import Record

TABLE = """\
id: demo
paper: somebody
title: A table
source: "Somebody 2020, Table 1"
seeds: [0, 1]
base:
  data: {name: digits, size: 8, train_per_class: 5, test_limit: 50}
  network: {name: convnet, width: 4, time_steps: 2, neuron: tet}
  recipe: {epochs: 1, batch_size: 25}
profiles:
  quick: {}
  lab: {data: {name: cifar10}}
rows:
  - {id: pupil, label: Pupil, method: {name: distillation}, needs: [demo/teacher]}
  - {id: teacher, label: Teacher, method: {name: direct, train: ann}}
  - {id: snn, label: SNN, method: {name: direct}}
"""
BROKEN = """\
  - {id: broken, label: Fails, method: {name: direct, train: ann}}
  - {id: victim, label: Needs what fails, method: {name: distillation}, needs: [demo/broken]}
  - {id: events, label: Cannot be run, method: {name: direct}, waits: event data}
"""


@dataclass(frozen=True)
class StandIn(Matrix):
    """A matrix whose runs are this file's ``main``."""

    pause: float = 0.0

    def command(self, step):
        seeds = map(str, step.seeds)
        words = [
            sys.executable,
            __file__,
            self.results,
            self.work,
            self.profile,
            self.pause,
            *step.runs,
            *seeds,
        ]
        return f"{shlex.join(map(str, words))} >> {shlex.quote(str(self.log(step)))} 2>&1"


def main(results, work, profile, pause, run, *seeds):
    """Stands for ``snnbook run``: does nothing where the record stands, and is one process a run."""
    folder = Path(work) / profile / run
    for seed in map(int, seeds):
        place = folder / f"seed{seed}"
        place.mkdir(parents=True, exist_ok=True)
        with lock.hold(place / "lock"):
            path = Path(results) / profile / run / f"seed{seed}.json"
            if path.is_file():
                continue
            with open(Path(work) / "calls.txt", "a") as calls:
                print(run, seed, os.getpid(), file=calls)
            time.sleep(float(pause))
            if run == "demo/broken":
                sys.exit("snnbook: it broke")
            (place / "model.safetensors").touch()
            record.write(stand_in(run, seed, profile), path)


def stand_in(run, seed, profile="quick", seconds=1000.0):
    return Record(
        run=run,
        label="",
        seed=seed,
        profile=profile,
        asked=job.plan(run, seed, profile).asked,
        config={"method": {"name": "direct"}, "recipe": {"epochs": 1}},
        data={"train": 50, "test": 50},
        metrics={"snn": {"last": 50.0 + seed, "best": 60.0, "best_epoch": 1}},
        curve={"accuracy": {"snn": [50.0 + seed]}},
        measure={},
        cost={"seconds": seconds, "parameters": 10**6},
        environment={"device": "abacus", "device_type": "cpu"},
        code={},
        created="now",
    )


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/demo.yaml").write_text(TABLE)
    monkeypatch.setenv("SNNBOOK_EXPERIMENTS", str(tmp_path / "tables"))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def matrix(here, profile="quick", pause=0.0, **options):
    made = prepare(profile, results=here / "results", work=here / "runs", **{"cores": 2, **options})
    return StandIn(**{item.name: getattr(made, item.name) for item in fields(Matrix)}, pause=pause)


def names(made):
    return [(*step.runs, step.seeds, step.after, step.again) for step in made.steps]


def calls(here):
    """The runs that were computed, in their order; the process of each."""
    lines = [line.split() for line in (here / "runs/calls.txt").read_text().splitlines()]
    return [f"{run} {seed}" for run, seed, _ in lines], [int(process) for _, _, process in lines]


def records(here):
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (here / "results").rglob("*.json")}


def gpus(here, count):
    """A driver that lists so many cards."""
    (here / "bin").mkdir(exist_ok=True)
    lines = "".join(f"echo 'GPU {i}: Abacus (UUID: GPU-{i}{i}-aa)'\n" for i in range(count))
    (here / "bin/nvidia-smi").write_text(f"#!/bin/sh\n{lines}")
    (here / "bin/nvidia-smi").chmod(0o755)


def test_a_plan_has_each_run_after_what_it_needs_and_seeds_share_a_process(here):
    assert names(matrix(here)) == [
        ("demo/teacher", (0, 1), (), False),
        ("demo/pupil", (0, 1), ("demo/teacher",), False),
        ("demo/snn", (0, 1), (), False),
    ]
    assert names(matrix(here, "lab", seeds=[3])) == [
        ("demo/teacher", (3,), (), False),
        ("demo/pupil", (3,), ("demo/teacher/seed3",), False),
        ("demo/snn", (3,), (), False),
    ]


def test_many_rows_share_processes_a_few_each_and_none_waits_in_a_circle(here):
    rows = [f"  - {{id: r{i}, label: R, method: {{name: direct}}}}\n" for i in range(58)]
    (here / "tables/demo.yaml").write_text(TABLE + "".join(rows))
    steps = matrix(here).steps
    assert max(len(step.runs) for step in steps) == 3
    assert len(steps) >= 20
    assert len([run for step in steps for run in step.runs]) == 61
    before = set()
    for step in steps:
        assert set(step.after) <= before
        before.add(step.name)
    # Seed 1 of the teacher is missing, so rows stand before a teacher that they need: sorted anew.
    main(here / "results", here / "runs", "quick", 0, "demo/teacher", 0)
    steps = matrix(here).steps
    (teacher,) = [step for step in steps if "demo/teacher" in step.runs]
    (pupil,) = [step for step in steps if "demo/pupil" in step.runs]
    assert (teacher.seeds, pupil.seeds, teacher.name in pupil.after) == ((1,), (0, 1), True)
    assert steps.index(teacher) < steps.index(pupil)
    assert all(len(step.runs) == 1 for step in matrix(here, cores=16).steps)


def test_a_plan_holds_exactly_what_has_no_record_and_the_weights_it_needs(here):
    for run in ("demo/teacher", "demo/pupil", "demo/snn"):
        main(here / "results", here / "runs", "quick", 0, run, 0, 1)
    assert names(matrix(here)) == []
    (here / "results/quick/demo/snn/seed1.json").unlink()
    assert names(matrix(here)) == [("demo/snn", (1,), (), False)]
    (here / "results/quick/demo/pupil/seed1.json").unlink()
    assert names(matrix(here)) == [("demo/pupil", (1,), (), False), ("demo/snn", (1,), (), False)]
    (here / "runs/quick/demo/teacher/seed1/model.safetensors").unlink()  # git keeps no weights
    assert names(matrix(here))[:2] == [
        ("demo/teacher", (1,), (), True),
        ("demo/pupil", (1,), ("demo/teacher",), False),
    ]
    assert "again for the weights, which git does not keep: demo/teacher" in matrix(here).text()


def test_a_plan_says_what_it_takes_from_recorded_costs(here):
    assert "time: unknown; 6 runs not counted" in matrix(here).text()
    record.write(stand_in("demo/snn", 0, seconds=3000.0), here / "results/quick/demo/snn/seed0.json")
    text = matrix(here).text()
    assert "6 runs in the quick profile, 1 done, 5 to do" in text
    # 5 runs of 3000 s and a fifth for their tests, on 2 cores; 4 of them are judged by the fifth.
    assert "time: about 2.5 h, 2 at a time, judged by records made on abacus" in text
    assert "4 runs counted as the profile's median" in text
    assert "disk: about 20 MB" in text
    assert "downloads: none" in text
    assert "GPU time" not in text
    text = matrix(here, "lab", data=here).text()
    assert f"downloads: cifar10 (170 MB) to {here}" in text
    assert "GPU time: unknown" in text
    assert "no GPU here: everything runs on the CPU" in text


def test_one_failing_row_is_named_with_its_log_and_stops_no_other(here):
    (here / "tables/demo.yaml").write_text(TABLE + BROKEN)
    seen = []
    failed = engine.reproduce(matrix(here, seeds=[0]), lambda made, left: seen.append((made.run, left)))
    assert sorted(run for run, _ in seen) == ["demo/pupil", "demo/snn", "demo/teacher"]
    assert [left for _, left in seen] == [4, 3, 2]
    order, _ = calls(here)
    assert order.index("demo/teacher 0") < order.index("demo/pupil 0")
    assert "demo/victim 0" not in order
    broken, victim = failed
    assert (broken.task.run, broken.reason) == ("demo/broken", "it broke")
    assert broken.log == here / "runs/quick/demo/broken/log.txt"
    assert "it broke" in broken.log.read_text()
    assert (victim.task.run, victim.reason) == ("demo/victim", "not started, it needs demo/broken")
    assert victim.log.is_file()


def start(here, made):
    """``engine.reproduce`` in a process of its own."""
    (here / "matrix.pickle").write_bytes(pickle.dumps(made))
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import pickle, {__name__}\n"
    code += "from snnbook.experiments.matrix import engine\n"
    code += "engine.reproduce(pickle.load(open('matrix.pickle', 'rb')), print)"
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition()


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_killed_in_the_middle_it_goes_on_and_one_lost_record_is_one_run(here):
    """``kill -9`` leaves nothing to unlock; a run that outlives it is waited for; no record is touched again."""
    process = start(here, matrix(here, pause=0.7, cores=1))
    wait_for(lambda: records(here) and len(calls(here)[0]) > len(records(here)))
    process.kill()
    process.wait()
    before = records(here)
    engine.reproduce(matrix(here), lambda made, left: None)
    assert len(records(here)) == 6
    order, _ = calls(here)
    assert sorted(order) == [f"demo/{run} {seed}" for run in ("pupil", "snn", "teacher") for seed in (0, 1)]
    after = records(here)
    assert {path: after[path] for path in before} == before
    lost = here / "results/quick/demo/snn/seed1.json"
    content = lost.read_bytes()
    lost.unlink()
    assert engine.reproduce(matrix(here), lambda made, left: None) == []
    assert calls(here)[0][6:] == ["demo/snn 1"]
    assert lost.read_bytes() == content
    assert {path: state for path, state in records(here).items() if path != lost} == {
        path: state for path, state in after.items() if path != lost
    }
    assert engine.reproduce(matrix(here), pytest.fail) == []


def test_an_interrupt_ends_everything_it_started(here):
    process = start(here, matrix(here, pause=60, cores=1))
    wait_for(lambda: (here / "runs/calls.txt").is_file() and calls(here)[0])
    (running,) = calls(here)[1]
    process.send_signal(signal.SIGINT)
    process.wait(30)
    assert not alive(running)
    assert not list((here / "runs/reproduce").iterdir())


def test_reproduce_trains_for_real_and_then_has_nothing_to_do(here, capfd):
    places = ["--results", "results", "--work", "runs"]
    options = ["reproduce", "demo", "--seeds", "1", "--profile", "quick", *places]
    (here / "tables/demo.yaml").write_text(TABLE[: TABLE.index("  - {id: pupil")] + TABLE.splitlines()[-1])
    assert cli.main([*options, "--dry-run"]) == 0
    out = capfd.readouterr().out
    assert "1 runs in the quick profile, 0 done, 1 to do" in out
    assert out.endswith("  demo/snn, seed 1\n")
    assert not (here / "results").exists()
    assert cli.main(options) == 0
    made = record.read(here / "results/quick/demo/snn/seed1.json")
    assert (
        f"[1/1, 0 min left] demo/snn, seed 1: SNN {made.metrics['snn']['last']:.2f} %"
        in capfd.readouterr().out
    )
    assert made.environment["threads"] == 1
    assert not list((here / "runs/reproduce").iterdir())
    before = records(here)
    assert cli.main(options) == 0
    assert "1 done, 0 to do" in capfd.readouterr().out
    weights = here / "runs/quick/demo/snn/seed1/model.safetensors"
    weights.unlink()
    again = ["run", "demo/snn", "--seed", "-1", "1", "--weights", "--bare", *places]
    with pytest.raises(SystemExit, match="1"):  # for the first seed, which does not stop the second
        cli.main([*again, "--device", "cpu"])
    assert "snnbook: demo/snn, seed -1: seed is -1; expected 0 or more\n" in capfd.readouterr().err
    assert weights.is_file()
    assert records(here) == before


def test_failed_runs_end_the_command_with_code_1(here, capfd, monkeypatch):
    (here / "tables/demo.yaml").write_text(TABLE + BROKEN)
    task = matrix(here, seeds=[0]).todo[0]
    failure = engine.Failure(task, "it broke", here / "runs/log.txt")
    monkeypatch.setattr(engine, "reproduce", lambda made, on_record: [failure])
    with pytest.raises(SystemExit, match="1 of 10 runs failed") as stop:
        cli.main(["reproduce", "--results", "results"])
    assert isinstance(stop.value.code, str)  # which exits with 1
    out = capfd.readouterr().out
    assert "failed: demo/pupil, seed 0: it broke (log runs/log.txt)" in out
    assert "waits: demo/events: event data" in out


@pytest.mark.parametrize(("count", "profile"), [(0, "quick"), (2, "lab")])
def test_the_profile_is_quick_where_there_is_no_gpu_and_lab_where_there_is(here, capfd, count, profile):
    gpus(here, count)
    assert cli.main(["reproduce", "--dry-run", "--results", "results"]) == 0
    assert f"so the profile is {profile};" in capfd.readouterr().out


def test_steps_of_lab_take_a_card_each_and_share_the_cores(here):
    gpus(here, 2)
    lab, quick = matrix(here, "lab", cores=8), matrix(here, "quick", cores=8)
    assert (lab.gpus, lab.slots, lab.threads) == (1, 2, 4)
    assert (quick.gpus, quick.slots, quick.threads) == (0, 8, 1)
    assert "--own-card" in Matrix.command(lab, lab.steps[0])
    assert "--own-card" not in Matrix.command(quick, quick.steps[0])
    assert "--bare" not in Matrix.command(lab, lab.steps[0])


def test_two_runs_never_share_a_card(here, monkeypatch):
    gpus(here, 2)
    with cards.own_card():
        first = os.environ["CUDA_VISIBLE_DEVICES"]
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")  # another process would see both
        with cards.own_card():
            assert {first, os.environ["CUDA_VISIBLE_DEVICES"]} == {"GPU-00-aa", "GPU-11-aa"}
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES")

            def come_back(_):
                raise TimeoutError

            monkeypatch.setattr(time, "sleep", come_back)
            with pytest.raises(TimeoutError), cards.own_card():
                pytest.fail("a third run found a card")
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-11-aa")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
        assert cards.cards() == ["GPU-11-aa"]
        with cards.own_card():
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-11-aa"
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
        with pytest.raises(UserError, match="nvidia-smi lists 2"):
            cards.cards()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["demi"], "no table 'demi'; did you mean 'demo'"),
        (["--cores", "0"], "--cores is 0; expected 1 or more"),
        (["--executor", "slurm"], "pip install snakemake-executor-plugin-slurm"),
        (["--executor", "cloud"], "invalid choice: 'cloud'"),
    ],
)
def test_bad_input_gets_one_line(here, capfd, monkeypatch, arguments, says):
    monkeypatch.setattr(engine, "find_spec", lambda name: None if "plugin" in name else name)
    try:
        code = cli.main(["reproduce", "--results", "results", "--work", "runs", *arguments])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    err = capfd.readouterr().err
    assert says in err
    assert err.count("\n") == 1


def test_without_snakemake_the_way_out_is_told(here, monkeypatch):
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"snakemake not installed.*pip install -e '\.\[run\]'"):
        engine.reproduce(matrix(here), pytest.fail)


def test_a_typo_in_a_table_is_found_before_anything_starts(here):
    (here / "tables/demo.yaml").write_text(TABLE.replace("train: ann", "trian: ann"))
    with pytest.raises(UserError, match=r"demo\.yaml, line 15: unknown key 'trian'"):
        prepare("quick", results=here / "results", work=here / "runs")


def test_a_record_of_other_settings_is_not_taken_for_done(here):
    main(here / "results", here / "runs", "quick", 0, "demo/snn", 0)
    (here / "tables/demo.yaml").write_text(TABLE.replace("epochs: 1", "epochs: 2"))
    with pytest.raises(UserError, match=r"seed0.json was made with other settings .*delete it to run again"):
        matrix(here)


def test_the_profiles_of_clusters_name_their_executor():
    import yaml

    from snnbook import files
    from snnbook.experiments.matrix.prepare import EXECUTORS

    assert arguments.EXECUTORS == EXECUTORS
    for name in EXECUTORS:
        profile = yaml.safe_load((files.root() / f"workflow/profiles/{name}/config.yaml").read_text())
        assert profile["executor"] == name


if __name__ == "__main__":
    main(*sys.argv[1:])
