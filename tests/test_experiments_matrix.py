"""The matrix under Snakemake: in order, whatever fails, whenever it is killed.

Most runs here are stand-ins; what a run itself does is tested elsewhere.
"""

import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bad_input import one_line
from matrix_cases import BROKEN, TABLE, calls, gpus, lay_out, matrix, records, stand_in
from snnbook import cli
from snnbook.errors import UserError
from snnbook.experiments.matrix import engine, owner
from snnbook.experiments.runs import record
from snnbook.experiments.runs.lock import hold


@pytest.fixture
def here(put_tables, monkeypatch):
    return lay_out(put_tables, monkeypatch)


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
    assert (broken.task.name, broken.reason) == ("demo/broken", "it broke")
    assert broken.log == here / "runs/quick/demo/broken/log.txt"
    assert "it broke" in broken.log.read_text()
    assert (victim.task.name, victim.reason) == ("demo/victim", "not started, it needs demo/broken")
    assert victim.log.is_file()


def test_a_log_of_a_run_at_work_is_kept_and_an_older_one_is_not(here):
    made = matrix(here, seeds=(0,))
    first, *others = made.steps
    for step in made.steps:
        made.log(step).parent.mkdir(parents=True, exist_ok=True)
        made.log(step).write_text("said before\n")
    with hold(first.runs[0].folder / "lock"):
        for step in made.steps:
            engine._prepare(made.log(step), step)
    assert made.log(first).read_text() == "said before\n"
    assert others and not any(made.log(step).exists() for step in others)


def test_what_cannot_be_written_is_told_before_anything_starts(here):
    (here / "file").write_text("")
    made = matrix(here)
    first, *others = made.steps
    runs = tuple(replace(run, results=here / "file/sub") for run in first.runs)
    blocked = replace(made, steps=(replace(first, runs=runs), *others))
    one_line(lambda: engine.reproduce(blocked, lambda *_: None), "cannot write", "file/sub")
    assert not (here / "runs/calls.txt").exists()


def test_a_plan_says_where_weights_that_are_made_again_were_recorded(here):
    record.write(stand_in("demo/teacher", 0), here / "results/quick/demo/teacher/seed0.json")
    text = matrix(here, seeds=(0,)).text()
    assert (
        "again for the weights, which git does not keep: demo/teacher\n    recorded on abacus; where" in text
    )
    assert "recorded on" not in matrix(here, seeds=(1,)).text()


def start(here, made):
    """``engine.reproduce`` in a process of its own."""
    (here / "matrix.pickle").write_bytes(pickle.dumps(made))
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import pickle\n"
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
    """``kill -9`` leaves nothing to unlock; the run it met is made again, if it had no record, and no other is."""
    process = start(here, matrix(here, pause=0.7, cores=1))
    wait_for(lambda: records(here) and len(calls(here)[0]) > len(records(here)))
    process.kill()
    process.wait()
    before = records(here)
    engine.reproduce(matrix(here), lambda made, left: None)
    assert len(records(here)) == 6
    order, _ = calls(here)
    assert set(order) == {f"demo/{run} {seed}" for run in ("pupil", "snn", "teacher") for seed in (0, 1)}
    assert len(order) <= 7
    after = records(here)
    assert {path: after[path] for path in before} == before
    lost = here / "results/quick/demo/snn/seed1.json"
    content = lost.read_bytes()
    lost.unlink()
    assert engine.reproduce(matrix(here), lambda made, left: None) == []
    assert calls(here)[0][len(order) :] == ["demo/snn 1"]
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
    assert not list((here / "runs/reproduce").glob("[!.]*"))


def test_a_kill_ends_what_was_started_and_the_next_call_clears_up(here):
    """``kill -9`` of the command itself, which then can tell nobody."""
    process = start(here, matrix(here, pause=60, cores=1))
    wait_for(lambda: (here / "runs/calls.txt").is_file() and calls(here)[0])
    (running,) = calls(here)[1]
    (left,) = (here / "runs/reproduce").glob("*@*:*")
    elsewhere = left.with_name(f"another-{left.name}")  # of a host whose processes nobody here can see
    elsewhere.mkdir()
    process.kill()
    process.wait()
    wait_for(lambda: not alive(running), 20)
    (here / "runs/calls.txt").unlink()
    engine.reproduce(matrix(here, seeds=[0]), lambda made, left: None)
    assert list((here / "runs/reproduce").glob("*@*:*")) == [elsewhere]


@pytest.mark.parametrize("error", [UserError("a damaged record"), OSError(28, "No space left on device")])
def test_an_error_in_the_middle_ends_everything_it_started(here, error):
    def fail(made, left):
        raise error

    with pytest.raises(type(error)):
        engine.reproduce(matrix(here, pause=1.0, cores=2), fail)
    count = len(records(here))
    assert not [process for process in calls(here)[1] if alive(process)]
    assert not list((here / "runs/reproduce").glob("*@*:*"))
    time.sleep(1.5)
    assert len(records(here)) == count


def test_an_owner_is_a_process_and_not_its_number(here):
    mine = owner.name()
    assert owner.alive(mine)
    number, _, started = mine.partition(":")
    assert not owner.alive(f"{number}:{int(started) + 1}")
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    assert not owner.alive(f"{process.pid}:{started}")


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
    assert not list((here / "runs/reproduce").glob("[!.]*"))
    before = records(here)
    assert cli.main(options) == 0
    assert "1 done, 0 to do" in capfd.readouterr().out
    weights = here / "runs/quick/demo/snn/seed1/model.safetensors"
    weights.unlink()
    again = ["run", "demo/snn", "--seed", "-1", "1", "--weights", "--bare", *places]
    with pytest.raises(SystemExit, match="1"):  # for the first seed, which does not stop the second
        cli.main([*again, "--device", "cpu"])
    assert (
        "snnbook: demo/snn, seed -1: seed is -1; expected a whole number of at least 0, at most 4294967295\n"
        in capfd.readouterr().err
    )
    assert weights.is_file()
    assert records(here) == before


def test_failed_runs_end_the_command_with_code_1(here, capfd, monkeypatch):
    (here / "tables/demo.yaml").write_text(TABLE + BROKEN)
    task = matrix(here, seeds=[0]).todo[0]
    failure = engine.Failure(task, "it broke", here / "runs/log.txt")
    monkeypatch.setattr(engine, "reproduce", lambda made, on_record: [failure])
    with pytest.raises(SystemExit, match="1 of 5 runs failed") as stop:
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


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["demi"], "no table 'demi'; did you mean 'demo'"),
        (["--cores", "0"], "--cores is 0; expected a whole number of at least 1"),
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
