"""Checks of chapter 16: three methods under one protocol."""

import math

from snnbook.checks import shown
from snnbook.course.comparing import Wrong, call, kind, number
from snnbook.experiments.runs.job import resolve


def fair_to_whom(answer):
    seconds = {"sdt": 1.0, "tet": 1.125, "kd": 1.5, "joint": 2.75, "sastc": 4.25}  # exact in binary
    for epochs in (10, 100):
        found = call(answer, dict(seconds), epochs)
        if not isinstance(found, dict) or set(found) != set(seconds):
            raise Wrong(f"your function returned {kind(found)}; expected a dict with the same keys")
        for name, each in seconds.items():
            ratio = epochs * max(seconds.values()) / each
            near = [
                (ratio, "epochs are whole; one that does not fit does not count"),
                (math.ceil(ratio), "rounded up: that takes more time than there is"),
                (math.floor(epochs * min(seconds.values()) / each), "the budget is the slowest one's time"),
                (
                    math.floor(epochs * each / max(seconds.values())),
                    "the other way round: who is quick gets more",
                ),
            ]
            number(
                found[name], math.floor(ratio + 1e-9), within=1e-6, near=near, what=f"the epochs of {name}"
            )


def a_combination_of_your_own(answer):
    if not isinstance(answer, str):
        raise Wrong(f"the answer is {kind(answer)}; expected the name of a run, a text")
    row = "one-protocol/joint-tet"
    own = resolve(row, overrides=["method.norm=0"]).id
    if answer.strip() == row:
        raise Wrong("that is the table's row; what tells your run from it?")
    if not answer.startswith(row):
        raise Wrong(f"{shown(answer)} is no run of that row")
    if answer.strip() != own:
        raise Wrong("that is the row with another mark than these settings get")


CHECKS = {"16.1": fair_to_whom, "16.2": a_combination_of_your_own}
