"""A small matrix under Snakemake.  Its runs are this file's ``main``, which writes a record after a moment."""

import os
import shlex
import sys
import time
from dataclasses import dataclass, fields
from pathlib import Path

from snnbook.experiments.matrix.owner import end_with_owner
from snnbook.experiments.matrix.prepare import Matrix, prepare
from snnbook.experiments.runs import lock, record
from snnbook.experiments.runs.job import resolve
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
            step.row,
            *seeds,
        ]
        return f"{shlex.join(map(str, words))} >> {shlex.quote(str(self.log(step)))} 2>&1"


def main(results, work, profile, pause, run, *seeds):
    """Stands for ``snnbook run``: does nothing where the record stands, and is one process a run."""
    end_with_owner()
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
        asked=resolve(run, seed, profile).asked,
        config={"method": {"name": "direct"}, "recipe": {"epochs": 1}},
        data={
            "name": "digits",
            "classes": 10,
            "fingerprint": "f",
            "train": 50,
            "test": 50,
            "standard_error_at_90": 1.0,
        },
        metrics={"snn": {"last": 50.0 + seed, "best": 60.0, "best_epoch": 1}},
        curve={"loss": {}, "accuracy": {"snn": [50.0 + seed]}, "tested": [1]},
        measure={},
        cost={"seconds": seconds, "seconds_per_epoch": 1.0, "parameters": 10**6},
        environment={"device": "abacus", "device_type": "cpu", "threads": 1},
        code={"version": "0", "commit": None, "tree": "0"},
        created="now",
    )


def lay_out(put_tables, monkeypatch):
    """For a fixture ``here``: a folder with the table, which is the present one; no cards."""
    home = put_tables(demo=TABLE)
    monkeypatch.setenv("PATH", f"{home}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(home))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.chdir(home)
    return home


def matrix(here, profile="quick", pause=0.0, **options):
    options = {"cores": 2, "seeds": (0, 1)} | options
    made = prepare(profile, results=here / "results", work=here / "runs", **options)
    return StandIn(**{item.name: getattr(made, item.name) for item in fields(Matrix)}, pause=pause)


def names(made):
    return [(step.row, step.seeds, step.after, step.again) for step in made.steps]


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


if __name__ == "__main__":
    main(*sys.argv[1:])
