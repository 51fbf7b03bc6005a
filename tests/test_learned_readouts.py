"""A loss that sums the labels' cross-entropy over several readouts is compared with guessing at all of them."""

from dataclasses import replace
from inspect import signature
from math import log

import pytest
import torch

from snnbook import losses
from snnbook.backbones import BACKBONES, NetworkConfig, build_ann
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


@pytest.mark.parametrize(
    "run, settings, term, weight",
    [
        ("tet-figure6/lambda-0.2", {}, "tet", 0.8),
        ("one-protocol/tet", {}, "tet", 0.95),
        ("tet-figure3/switch", {"lam": 0.2}, "tet", 0.8),
        ("joint-table4/official", {}, "ce", 0.9 * 8),
        ("one-protocol/sastc-tet", {}, "ce", 0.95),
        ("one-protocol/joint-tet", {}, "ce", 0.975 * 8),
        ("one-protocol/sastc", {"ce": 0.5}, "ce", 0.5),
    ],
)
@pytest.mark.parametrize("share, told", [(0.94, False), (0.96, True)])
def test_guessing_is_weighed_as_its_method_weighs_it(run, settings, term, weight, share, told):
    (made,) = record.of(run, "quick")
    config = made.config | {"method": made.config["method"] | settings}
    loss = {term: [share * weight * log(made.data["classes"])]}
    found = learned.fault(replace(made, config=config, curve=made.curve | {"loss": loss}))
    assert bool(found) == told


def test_what_counts_is_the_end_of_a_training():
    (made,) = record.of("joint-table4/snn", "quick")
    guessing = log(made.data["classes"])

    def fault(last, *losses):
        metrics = {"snn": {"last": last, "best": 90.0, "best_epoch": 1}}
        return learned.fault(replace(made, metrics=metrics, curve=made.curve | {"loss": {"ce": [*losses]}}))

    assert fault(90.0, guessing, 0.5) is None
    assert "its loss ends" in fault(90.0, 0.5, guessing)
    assert "10.0 %" in fault(10.0, guessing, 0.5)  # it had been better once


def test_weights_that_no_record_has_are_the_losses_own():
    assert signature(losses.tet).parameters["lam"].default == learned.BORROWED
    assert signature(losses.be_your_own_teacher).parameters["alpha"].default == learned.SOFT


@pytest.mark.parametrize("name", BACKBONES)
def test_a_network_has_an_exit_a_stage(name):
    with torch.device("meta"):
        network = build_ann(NetworkConfig(name, width=4, time_steps=2), 4)
    assert learned.STAGES.get(name, 4) == len(network.channels)


@pytest.mark.parametrize("network, stages", [("dense", 2), ("recurrent", 3)])
def test_exits_are_counted_by_the_network_s_options(network, stages):
    options = {"depth": stages + 1}
    config = NetworkConfig(network, width=4, time_steps=2, options=options)
    with torch.device("meta"):
        assert len(build_ann(config, 4).channels) == stages
    (made,) = record.of("joint-table4/all", "quick")
    config = made.config | {"network": made.config["network"] | {"name": network, "options": options}}
    for share, told in ((0.9, False), (1.0, True)):
        loss = {"ce": [2 * stages * share * log(made.data["classes"])]}
        found = learned.fault(replace(made, config=config, curve=made.curve | {"loss": loss}))
        assert bool(found) == told


@pytest.mark.parametrize("wrong", [0.2, 0.5, 0.8])
def test_wrong_labels_cost_those_who_know_the_true_ones(wrong):
    """Who has learned them and nothing else is told apart from who guesses, however many labels are wrong."""
    (made,) = record.of("joint-table4/snn", "quick")
    config = made.config | {"data": made.config["data"] | {"label_noise": wrong}}
    labels = torch.tensor([1 - wrong, *[wrong / 9] * 9])
    knows = (-labels * labels.log()).sum().item()
    for loss, told in ((knows, False), (log(10), True)):
        curve = made.curve | {"loss": {"ce": [loss]}}
        assert bool(learned.fault(replace(made, config=config, curve=curve))) == told


def test_guessing_at_three_exits_costs_less_than_at_four():
    (made,) = record.of("joint-table4/all", "quick")
    loss = {"ce": [7 * log(made.data["classes"])]}
    assert learned.fault(replace(made, curve=made.curve | {"loss": loss})) is None
    config = made.config | {"network": made.config["network"] | {"name": "resnet19"}}
    assert learned.fault(replace(made, config=config, curve=made.curve | {"loss": loss}))
