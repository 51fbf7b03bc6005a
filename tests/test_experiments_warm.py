"""The quick matrix in copies of a warm process: digit for digit the records made alone, whatever is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from matrix_cases import gpus, lay_out, records
from snnbook import experiments
from snnbook.experiments.matrix import engine
from snnbook.experiments.matrix.prepare import Matrix, prepare

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
profiles: {quick: {}, lab: {}}
rows:
  - {id: teacher, label: Teacher, method: {name: direct, train: ann}}
  - {id: pupil, label: Pupil, method: {name: distillation}, needs: [demo/teacher]}
  - {id: tet, label: TET, method: {name: tet}}
  - {id: switch, label: Switch, method: {name: switch, at: 1}}
"""
LONG = "  - {id: long, label: Long, method: {name: direct}, recipe: {epochs: 50}}\n"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="copies by fork")


@pytest.fixture
def here(put_tables, monkeypatch):
    home = lay_out(put_tables, monkeypatch)
    (home / "tables/demo.yaml").write_text(TABLE)
    return home


def matrix(here, **options):
    return prepare("quick", results=here / "results", work=here / "runs", cores=2, **options)


def same(made, other):
    assert (made.metrics, made.curve, made.measure) == (other.metrics, other.curve, other.measure)
    assert (made.weights, made.environment["threads"]) == (other.weights, other.environment["threads"])


def alone(here, run, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    places = {"results": here / "alone", "work": here / "alone-runs"}
    return experiments.run(run, device="cpu", progress=False, **places)


def holder(folder):
    """The process that is at a run, when it has been there long enough to have saved something."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if (folder / "checkpoint.pt").is_file():
            return int((folder / "lock.holder").read_text().split()[1])
        time.sleep(0.02)
    raise TimeoutError


def test_rows_equal_rows_run_alone_and_a_killed_one_loses_itself_and_goes_on(here, monkeypatch):
    (here / "tables/demo.yaml").write_text(TABLE + LONG)
    folder, copies = here / "runs/quick/demo/long/seed0", []

    def kill():
        worker = holder(folder)
        copies.append(b"snnbook.warm" in Path(f"/proc/{worker}/cmdline").read_bytes())
        os.kill(worker, signal.SIGKILL)

    killer = Thread(target=kill)
    killer.start()
    made = []
    (failure,) = engine.reproduce(matrix(here), lambda one, left: made.append(one))
    killer.join()
    assert copies == [True]  # it was a copy of the warm process
    assert failure.task.name == "demo/long"
    assert failure.reason == "killed; the same command goes on from the last finished epoch"
    before = records(here)
    assert {one.run for one in made} == {f"demo/{row}" for row in ("teacher", "pupil", "tet", "switch")}
    assert engine.reproduce(matrix(here), lambda one, left: made.append(one)) == []
    assert {path: state for path, state in records(here).items() if path in before} == before
    assert made[-1].run == "demo/long"
    for one in made:
        same(one, alone(here, one.run, monkeypatch))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_ends_the_command_ends_the_copies(here, number):
    (here / "tables/demo.yaml").write_text(
        TABLE[: TABLE.index("  - {id: teacher")] + LONG.replace("50", "50000")
    )
    places = ["--results", "results", "--work", "runs"]
    command = [sys.executable, "-m", "snnbook", "reproduce", "--profile", "quick", "--cores", "1", *places]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    worker = holder(here / "runs/quick/demo/long/seed0")
    server = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
    process.send_signal(number)
    process.wait(60)
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{each}").exists() for each in (worker, server)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{each}").exists() for each in (worker, server))
    assert (here / "runs/quick/demo/long/seed0/checkpoint.pt").is_file()


def test_runs_with_a_notebook_a_card_or_a_cluster_are_not_made_in_copies(here):
    assert matrix(here).warm
    assert not matrix(here, executor="slurm").warm
    assert not prepare("lab", results=here / "results", work=here / "runs").warm
    assert prepare("lab", results=here / "results", work=here / "runs", bare=True).warm
    gpus(here, 1)
    made = prepare("lab", results=here / "results", work=here / "runs", bare=True)
    assert isinstance(made, Matrix) and not made.warm
