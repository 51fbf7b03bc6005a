"""The ledger of claims: sentence, test and paper agree, as far as a machine can tell."""

import re
from functools import cache

import pytest
import torch

from snnbook.analysis import measure
from snnbook.analysis.config import AnalysisConfig
from snnbook.backbones import NetworkConfig
from snnbook.data import DataConfig, load
from snnbook.errors import UserError
from snnbook.experiments.evidence import claims, paired
from snnbook.experiments.evidence.judge import HOLDS, word
from snnbook.experiments.runs.job import resolve
from snnbook.experiments.tables import tables
from snnbook.experiments.tables.settings import Barred
from snnbook.trainers import TET, Direct
from snnbook.trainers.direct import DirectConfig
from snnbook.trainers.tet import TETConfig

LEDGER = claims.load()
TESTED = [claim for claim in LEDGER if claim.test]
MARGINS = {"points": (0, 1), "nats": (0, 0.1), "STM": (0, 0.25)}  # as the ledger's head has them; others: any

# Differences that a paper's text prints, in its own digits.
PRINTED = {
    "tet-beats-sdt-cifar100-t4": "3.25",
    "tet-beats-sdt-cifar100-t6": "3.53",
    "tet-beats-sdt-cifar10-t2": "1.82",  # which the text says of T = 2 against T = 6
    "tet-near-ann-cifar10": "0.47",
    "tet-near-ann-cifar100": "0.63",
    "tet-imagenet-spiking34": "1.07",
    "tet-imagenet-sew34": "0.96",
    "joint-distillation-helps": "0.7",
    "joint-helps": "1.7",
    "joint-distillation-takes-longer": "5",
    "joint-beats-tet-cifar10": "1",
    "joint-beats-tet-cifar100": "3",  # "nearly"
    "sastc-beats-sdt-cifar10": "1.96",
    "sastc-beats-sdt-cifar100": "9.99",
    "sastc-gain-wrn16-resnet19": "4.72",
    "sastc-gain-resnet18-resnet32x4": "8.84",
    "sastc-beats-tet-cifar10": "0.62",
    "sastc-beats-tet-cifar100": "4.68",
    "sastc-beats-ann-cifar10": "0.51",
    "sastc-beats-ann-cifar100": "5.33",
    "sastc-imagenet-beats-alone": "2.02",
    "sastc-imagenet-beats-kd": "1.15",
    "sastc-imagenet-beats-features": "1.51",
    "sastc-imagenet-beats-tet": "3.90",
    "sastc-imagenet-beats-sew": "1.65",
}
# What the texts print, as the difference of two numbers: both are in the text, the difference is not.
WORKED_OUT = {
    "tet-moments-vary-less-t3": 1.41 - 3.81,
    "tet-moments-vary-less-t4": 0.08 - 4.04,
    "tet-inheritance-halves-training": 900 - 0.5 * 1800,
}
# Numbers, besides T, that sentences take from the papers.
NUMBERS = {
    "tet": {"0", "0.05", "0.001", "1", "10", "20", "2", "3", "4", "5", "6", "8", "900", "1800"},
    "joint-asnn": {"12.5"},
    "sastc": {"1", "2", "3", "4", "5", "20", "50", "0.25"},  # layers; percent of labels; the ledger's margin
    "snnbook": {"0.25", "0.5", "1.0", "0.05"},  # of the table snntorch-gap; TET's lambda
}
NAMES = r"\b(?:CIFAR-100?|DVS-CIFAR10|(?:Spiking-|SEW-)?ResNet-?\d+(?:x4)?|VGG-\d+|WRN-\d+-\d|SNN-5)\b"
DATA = {
    "CIFAR-10": "cifar10",
    "CIFAR-100": "cifar100",
    "DVS-CIFAR10": "cifar10_dvs",
    "ImageNet": "imagenet",
    "Tiny-ImageNet": "tiny_imagenet",
}


def lengths(says):
    """Every T of a sentence: ``at T = 2, 3 and 4`` has three."""
    listed = re.findall(r"T = ((?:\d+(?:, | and )?)+)", says)
    return {int(number) for text in listed for number in re.findall(r"\d+", text)}


@cache
def settings(run):
    """What a run trains in the paper's profile; None where it waits for what nobody can put there."""
    try:
        return resolve(run, profile="paper").settings
    except Barred:
        return None


def found(claim):
    return [(term, made) for term in claim.terms if (made := settings(term.run)) is not None]


def names(entries):
    return [claim.id for claim in entries]


@pytest.mark.parametrize("claim", TESTED, ids=names(TESTED))
def test_the_sentence_names_the_data_and_the_lengths_of_its_test(claim):
    said = re.findall(r"Tiny-ImageNet|DVS-CIFAR10|ImageNet|CIFAR-100?\b", claim.says)
    of_test = {made.data.name for _, made in found(claim)}
    if said and of_test:
        assert {DATA[name] for name in said} == of_test
    spiking = [made for term, made in found(claim) if "ann" not in term.key.split(".")]
    trained = {made.network.time_steps for made in spiking}
    if lengths(claim.says) and trained and claim.about != "arithmetic":
        assert trained <= lengths(claim.says)


@pytest.mark.parametrize("claim", LEDGER, ids=names(LEDGER))
def test_every_number_of_a_sentence_is_the_papers(claim):
    text = re.sub(NAMES, "", claim.says)
    text = re.sub(r"T = ((?:\d+(?:, | and )?)+)", "", text)
    assert set(re.findall(r"\d+(?:\.\d+)?", text)) <= NUMBERS[claim.paper]


@pytest.mark.parametrize("name", PRINTED)
def test_sizes_are_those_that_the_texts_print(name):
    printed = PRINTED[name]
    digits = len(printed.partition(".")[2])
    assert f"{claims.find(name).size:.{digits}f}" == printed


@pytest.mark.parametrize("name", WORKED_OUT)
def test_sizes_written_down_are_the_differences_of_what_is_printed(name):
    assert claims.find(name).size == pytest.approx(WORKED_OUT[name], abs=1e-9)


def test_only_sizes_that_tables_do_not_have_are_written_down():
    for claim in TESTED:
        of_tables = paired.in_paper(claim.terms)
        if claim.size is not None and (of_tables is None or claim.size != pytest.approx(of_tables)):
            assert claim.id in {*PRINTED, *WORKED_OUT}


def test_the_papers_own_numbers_meet_the_tests():
    for claim in TESTED:
        if claim.size is not None:
            assert word(claim.size, claim.size, claim.relation, claim.margin) == HOLDS, claim.id


def test_margins_are_those_of_the_ledgers_head():
    for claim in TESTED:
        if claim.unit in MARGINS:
            assert claim.margin == MARGINS[claim.unit][claim.relation == "within"], claim.id


def test_no_two_claims_have_one_test():
    def canonical(claim):
        terms = [(t.factor, "/".join(x.id for x in tables.find(t.run)), t.key) for t in claim.terms]
        sign = -1 if claim.relation == "<" or (claim.relation == "within" and min(terms)[0] > -1) else 1
        return tuple(sorted((sign * factor, *rest) for factor, *rest in terms)), claim.relation == "within"

    seen = {}
    for claim in TESTED:
        assert canonical(claim) not in seen, (claim.id, seen.get(canonical(claim)))
        seen[canonical(claim)] = claim.id


@pytest.mark.parametrize("claim", TESTED, ids=names(TESTED))
def test_its_runs_measure_what_its_test_asks_for(claim):
    for term, made in found(claim):
        part = term.key.split(".")
        network = next((name for name in ("snn", "ann") if name in part), None)
        if network:
            trains = getattr(made.method, "train", None) if made.name == "direct" else None
            assert trains in (None, network) and (network == "snn" or made.name in ("direct", "joint"))
        if "scalability" in part:
            lengths_, moments = (
                made.analysis.time_steps,
                made.analysis.moments or max(made.analysis.time_steps),
            )
            beyond = made.network.time_steps
            if "variance" in part:
                measured = range(1, moments + 1) if part[-1] == "moments" else lengths_
                assert sum(t > beyond for t in measured) > 1
            else:
                assert int(part[-1]) in (range(1, moments + 1) if "moments" in part else lengths_)
        for kind in ("landscape", "mismatch"):
            assert kind not in part or getattr(made.analysis, kind)
        assert "test_loss" not in part or made.name == "switch"


def test_the_keys_are_those_of_a_measured_network():
    data = load(DataConfig(size=8, train_per_class=2, test_limit=20))
    network = NetworkConfig("convnet", width=4, time_steps=2, neuron="tet")
    torch.manual_seed(0)
    asked = AnalysisConfig(time_steps=tuple(range(1, 9)), moments=8, landscape=5, images=10)
    content = {
        "snn": measure(TET(TETConfig(), network, 10, 1), data, asked)["snn"],
        "ann": measure(Direct(DirectConfig(train="ann"), network, 10, 1), data)["ann"],
    }
    for key in {term.key for claim in TESTED for term in claim.terms}:
        if not key.startswith("measure.") or ".mismatch." in key:
            continue
        value = content
        for part in key.split(".")[1:]:
            value = value[int(part) if part.isdigit() else part]
        assert isinstance(value, float), key
    scalability, landscape = content["snn"]["scalability"], content["snn"]["landscape"]
    beyond = [accuracy for t, accuracy in scalability["moments"].items() if t > 2]
    assert scalability["variance"]["moments"] == pytest.approx(torch.tensor(beyond).var().item(), abs=1e-4)
    for loss in ("sdt", "tet"):
        assert landscape["minimum"][loss] == pytest.approx(landscape[loss][2][2], abs=1e-5)


def test_a_claim_is_about_one_of_four_things():
    kinds = {claim.about for claim in LEDGER}
    assert kinds == set(claims.KINDS)
    for claim in LEDGER:
        costs = any(
            t.key.startswith("cost.") or "_uj" in t.key or "firing_rate" in t.key for t in claim.terms
        )
        assert costs == (claim.about in ("cost", "arithmetic")), claim.id
    with pytest.raises(UserError, match="did you mean 'cost'"):
        claims.Claim("c", "tet", "A.", "Table 1", about="costs", waits="a row")
