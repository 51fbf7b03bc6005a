"""A table of two rows, and records of it as claims, details and receipts read them."""

import dataclasses
import json

from snnbook import files
from snnbook.experiments.evidence import claims, prices
from snnbook.experiments.runs import record
from snnbook.experiments.runs.job import resolve
from snnbook.experiments.runs.record import Record

TABLE = """\
id: demo
paper: tet
title: A table
source: "Somebody 2020, Table 1"
seeds: [0, 1, 2]
base:
  data: {name: digits}
  recipe: {epochs: 3}
profiles: {quick: {}, desk: {}, lab: {}}
rows:
  - {id: a, label: First, method: {name: direct}, paper: {snn: 92.5, moments: [50, 60]}}
  - {id: b, label: Second, method: {name: direct}, recipe: {epochs: 4}, paper: {snn: 90, moments: [45, 40]}}
  - {id: late, label: Third, method: {name: direct}, waits: {desk: for events}}
"""


def made(run="demo/a", seed=0, last=90.0, epochs=3, **changes):
    """A record as the table asks for it."""
    name, _, row = run.partition("/")
    row = row.partition("+")[0]
    planned = resolve(f"{name}/{row}", seed, "desk")
    config = json.loads(json.dumps(planned.settings.as_dict()))
    length = config["recipe"]["epochs"]
    content = Record(
        run=run,
        label="First",
        seed=seed,
        profile="desk",
        asked=planned.asked,
        config=config,
        data={
            "name": "digits",
            "classes": 10,
            "train": 900,
            "test": 900,
            "standard_error_at_90": 1.0,
            "fingerprint": "f",
        },
        metrics={"snn": {"last": last, "best": last + 1, "best_epoch": 1}},
        curve={
            "loss": {"ce": [2.0, *[0.5] * (length - 1)]},
            "accuracy": {"snn": [10.0, 50.0, last]},
            "tested": [1, 2, length],
        },
        measure={"snn": {"energy_uj": 2.0}},
        cost={"seconds": 6.0, "seconds_per_epoch": 2.0, "parameters": 10},
        environment={
            "device": "a CPU",
            "device_type": "cpu",
            "threads": 1,
            "precision": "float32",
            "torch": "2",
        },
        code={"version": "0", "commit": None, "tree": "0"},
        created="2026-01-01T00:00:00+00:00",
    )
    return dataclasses.replace(content, **changes)


def lay_out(put_tables, monkeypatch):
    """The table and empty ledgers, for a fixture ``results``: the folder of records."""
    home = put_tables(demo=TABLE)
    (home / "tables/ledgers").mkdir()
    (home / "tables/ledgers/claims.yaml").write_text("claims: []\n")
    (home / "tables/ledgers/fidelity.yaml").write_text("fidelity: []\n")
    monkeypatch.setattr(files, "root", lambda: home)
    return home / "results"


def put(results, content):
    path = results / content.profile / content.run / f"seed{content.seed}.json"
    record.write(content, path)
    return path


def rows(results, **accuracies):
    """Records of rows ``a`` and ``b``, a seed for each accuracy."""
    for row, values in accuracies.items():
        for seed, last in enumerate(values):
            put(results, made(f"demo/{row}", seed, last))


def timed(results, asked=None, **steps):
    """The measurement of steps of rows: seconds of one in each round; ``asked`` in place of their settings."""
    runs = {f"demo/{row}": seconds for row, seconds in steps.items()}
    rows = {
        run: {"each": [1e3 * one for one in seconds], "asked": (asked or {}).get(run, made(run).asked)}
        for run, seconds in runs.items()
    }
    environment = {"device": "a CPU", "instructions": "AVX2", "threads": 1}
    path = results / "bench/cpu/rows.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"measurements": {prices.title("desk"): rows}, "environment": environment}))
    return path


def claim(test="demo/a:snn.last - demo/b:snn.last > 0", **others):
    settings = {"id": "c", "paper": "tet", "says": "A is better.", "source": "Table 1", "test": test}
    return claims.Claim(**settings | others)
