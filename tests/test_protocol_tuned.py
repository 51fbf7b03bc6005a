"""The table protocol-tuned has what the search chose, by the two rules that stand in its file."""

import math

import pytest

from snnbook.experiments import lookup
from snnbook.experiments.runs.job import resolve
from snnbook.experiments.tables import tables

RATES = (0.002, 0.005, 0.01)
IMAGES = 5000  # to choose by
# Of each row, its rows in the search: the first part of their names, and what else was tried of its own weight.
SEARCHED = {
    "sdt": ("adam", {}),
    "tet": ("tet", {"lam": ("lambda", (0.0, 0.2))}),
    "kd": ("kd", {"kld": ("kld", (0.3, 3.0))}),
    "joint": ("joint", {"kld": ("kld", (0.3, 3.0))}),
    "sastc": ("sastc", {"beta": ("beta", (30.0, 300.0))}),
    "snntorch": ("snntorch", {}),
}


def accuracy(name: str) -> float:
    return lookup(f"desk-search/{name}:snn.last", "desk").mean


def at_rate(name: str, rate: float) -> float:
    return accuracy("base" if (name, rate) == ("adam", 0.005) else f"{name}-{rate:g}")


def settings(row: str):
    return resolve(f"protocol-tuned/{row}", 0, "desk").settings


def test_every_row_of_the_table_is_one_that_was_searched():
    assert {row.id for row in tables.load("protocol-tuned").rows} == SEARCHED.keys()


@pytest.mark.parametrize("row", SEARCHED)
def test_its_learning_rate_is_the_best_of_three(row):
    name, _ = SEARCHED[row]
    assert settings(row).recipe.learning_rate == max(RATES, key=lambda rate: at_rate(name, rate))


def test_the_anns_learning_rate_is_the_best_of_three_so_that_one_teacher_serves_both_tables():
    found = {0.002: "ann-0.002", 0.005: "teacher", 0.01: "ann-0.01"}
    best = max(found, key=lambda rate: lookup(f"desk-search/{found[rate]}:ann.last", "desk").mean)
    assert resolve("joint-table4/ann", 0, "desk").settings.recipe.learning_rate == best


@pytest.mark.parametrize("row", SEARCHED)
def test_its_weight_is_the_default_unless_another_was_ahead_by_more_than_chance(row):
    name, weights = SEARCHED[row]
    for key, (word, values) in weights.items():
        default = at_rate(name, 0.005)  # the rate at which weights were tried
        share = default / 100
        chance = 100 * math.sqrt(2 * share * (1 - share) / IMAGES)
        best = max(values, key=lambda value: accuracy(f"{name}-{word}-{value:g}"))
        ahead = accuracy(f"{name}-{word}-{best:g}") - default > chance
        usual = getattr(type(settings(row).method)(), key)
        assert getattr(settings(row).method, key) == (best if ahead else usual)


@pytest.mark.parametrize("row", SEARCHED)
def test_all_else_is_as_in_one_protocol(row):
    tuned, plain = settings(row).as_dict(), resolve(f"one-protocol/{row}", 0, "desk").settings.as_dict()
    tuned["recipe"].pop("learning_rate"), plain["recipe"].pop("learning_rate")
    if row == "joint":
        assert (tuned["method"].pop("kld"), plain["method"].pop("kld")) == (0.3, 1.0)
    assert tuned == plain
