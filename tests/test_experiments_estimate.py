"""What a run may take, from the records of other profiles."""

from dataclasses import replace
from types import SimpleNamespace as Made

import pytest

from snnbook.experiments.matrix.estimate import _recorded, _seconds, _stretched
from snnbook.experiments.matrix.extrapolate import Extrapolation, of_record, of_run
from snnbook.experiments.runs import record
from snnbook.experiments.runs.job import resolve

TIMED = """
{id: demo, paper: a, title: b, source: c, seeds: [0], profiles: {paper: {}},
 base: {data: {name: cifar10}, network: {name: vgg9, width: 4}, method: {name: direct}, recipe: {epochs: 7}},
 rows: [{id: timed, label: d, paper: {seconds_per_epoch: 8}}]}
"""
KD, SNN, SURROGATE = "joint-table4/distillation", "joint-table4/snn", "snntorch-gap/surrogate"


def estimate(recorded, row):
    found = Extrapolation("desk")
    found.recorded = {"quick": {}, "desk": {}, "lab": {}, "paper": {}} | recorded
    guess = found.of(resolve(row, 0, "desk"))
    return guess and guess.seconds


def lasting(profile, row, pace):
    """The project's record of a row as if each operation had taken ``pace`` seconds."""
    made = next(one for one in record.below(profile) if one.run == row and one.seed == 0)
    return replace(made, cost=made.cost | {"seconds": pace * of_record(made).total})


def recorded(profile, **paces):
    names = {"kd": KD, "snn": SNN, "surrogate": SURROGATE}
    return {profile: {names[each]: lasting(profile, names[each], pace) for each, pace in paces.items()}}


def test_rows_of_the_same_network_on_the_same_images_correct_an_estimate_and_no_others():
    quick = recorded("quick", kd=6, snn=2, surrogate=2)
    desk = recorded("desk", snn=1, surrogate=50)  # photographs take half of what was thought, digits 25 times
    expected = 6 * 0.5 * of_run(resolve(KD, 0, "desk")).total
    assert estimate(quick | desk, KD) == pytest.approx(expected)


def test_without_any_like_it_all_rows_correct_an_estimate():
    quick = recorded("quick", kd=6, surrogate=2)
    expected = 6 * 25 * of_run(resolve(KD, 0, "desk")).total
    assert estimate(quick | recorded("desk", surrogate=50), KD) == pytest.approx(expected)
    assert estimate(quick, KD) == pytest.approx(6 * of_run(resolve(KD, 0, "desk")).total)


def test_a_row_without_record_takes_the_pace_of_its_network():
    others = recorded("quick", kd=6, surrogate=2) | recorded("desk", snn=3, surrogate=50)
    work = of_run(resolve("sastc-cifar100/alone", 0, "desk")).total  # its images are in no record
    assert estimate(others, "sastc-cifar100/alone") == pytest.approx(3 * work)


def test_tests_take_a_fifth_of_training_on_as_many_images():
    book = record.of(SNN, "desk")[0]
    tested = replace(
        book,
        cost=book.cost | {"seconds": 100.0},
        config=book.config | {"recipe": book.config["recipe"] | {"epochs": 4}},
        curve=book.curve | {"accuracy": {"snn": [10.0, 20.0, 30.0]}},  # three tests in four epochs
        data=book.data | {"train": 100, "test": 50},
    )
    assert _seconds(tested) == pytest.approx(100 * (1 + 0.2 * 3 / 4 * 0.5))


def test_a_papers_gpu_takes_so_many_times_less():
    guess = Made(seconds=100.0, parameters=10, devices=("abacus",))
    found = _stretched(Made(runs=[1, 2]), 5.0, Made(papers_gpu=4.0, of=lambda run: guess))
    assert (found.seconds, found.papers_gpu, found.disk, found.stretched) == (205.0, 55.0, 80, 2)


def test_a_papers_gpu_is_judged_by_the_seconds_printed_for_an_epoch(put_tables):
    put_tables(demo=TIMED)
    found = Extrapolation("desk")
    found.recorded = {"quick": {}, "lab": {}, "paper": {}} | recorded("desk", snn=2)
    assert found.papers_gpu == pytest.approx(2 * of_run(resolve("demo/timed", 0, "paper")).epoch / 8)


def test_a_run_leaves_the_weights_of_its_own_network():
    found, run = Extrapolation("desk"), resolve(SNN, 0, "desk")
    found.recorded = {"desk": {}, "lab": {}, "paper": {}} | recorded("quick", snn=2)
    assert found.of(run).parameters == pytest.approx(of_run(run).parameters)


def test_only_images_that_are_trained_on_are_work():
    def epoch(*changes):
        return of_run(resolve(SNN, 0, "paper", overrides=changes)).epoch

    assert epoch() == 2 * epoch("data.validation=25000") == 4 * epoch("data.train_fraction=0.25")


def test_nothing_recorded_is_no_estimate():
    assert estimate({}, KD) is None


def test_rows_of_ones_own_records_are_judged_by_these_alone(tmp_path):
    book = record.of(SNN, "desk")
    record.write(replace(book[0], cost=book[0].cost | {"seconds": 80.0}), tmp_path / f"desk/{SNN}/seed0.json")
    found = _recorded("desk", tmp_path)
    assert [one.cost["seconds"] for one in found[SNN]] == [80.0]
    assert len(found[KD]) == len(record.of(KD, "desk")) > 1
