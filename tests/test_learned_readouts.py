"""A loss that sums the labels' cross-entropy over several readouts is compared with guessing at all of them."""

from dataclasses import replace
from math import log

import pytest

from snnbook.experiments.evidence import learned
from snnbook.experiments.runs import record


@pytest.mark.parametrize(
    "run, readouts",
    [
        ("joint-table4/snn", 1),
        ("joint-table4/factorized", 2),
        ("joint-table4/all", 8),
        ("one-protocol/sastc", 1),
    ],
)
@pytest.mark.parametrize("share, told", [(0.9, False), (1.0, True)])
def test_guessing_costs_as_often_as_there_are_readouts(run, readouts, share, told):
    (made,) = record.of(run, "quick")
    loss = made.curve["loss"] | {"ce": [readouts * share * log(made.data["classes"])]}
    found = learned.fault(replace(made, curve=made.curve | {"loss": loss}))
    assert bool(found) == told


@pytest.mark.parametrize("row", ["all", "joint", "joint-norm", "factorized"])
def test_networks_that_read_most_digits_have_learned(row):
    (made,) = record.of(f"joint-table4/{row}", "quick")
    assert min(found["last"] for found in made.metrics.values()) > 75
    assert learned.fault(made) is None
