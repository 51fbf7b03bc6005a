"""What each row of a table has over one of them, and at what price: worked out from the records, and no more."""

import pytest

from claim_cases import lay_out, made, put, rows, timed
from snnbook.errors import UserError
from snnbook.experiments import balance
from snnbook.experiments.evidence import comparisons
from snnbook.experiments.runs import record


@pytest.fixture
def results(put_tables, monkeypatch):
    found = lay_out(put_tables, monkeypatch)
    monkeypatch.setattr(record, "folder", lambda: found)
    return found


def test_a_gain_is_the_paired_difference_and_the_row_weighed_against_comes_first(results):
    rows(results, a=[92.0, 93.0, 95.0], b=[90.0, 90.5, 91.0])
    found = balance("demo", "b")
    first, second = found.rows
    (paired,) = comparisons.of_table("demo", "b", "desk")
    assert (first.gain, second.gain.values) == (None, paired.estimate.values)
    assert (first.energy, second.energy) == (1.0, 1.0)  # both records count alike
    heads, *lines = found.cells()
    assert heads[:4] == ["row", "seeds", "accuracy, %", "over the first, points"]
    assert [line[0] for line in lines] == [first.line.label, second.line.label]
    assert lines[0][3] == "n/a" and lines[1][3] == paired.estimate.text()
    assert {len(line) for line in lines} == {len(heads)}
    assert first.line.label in found.caption() and "T = 4" in found.caption()


def test_costs_are_multiples_of_the_first_rows(results):
    put(results, made("demo/a", last=92.0, measure={"snn": {"energy_uj": 3.0}}))
    put(results, made("demo/b", last=90.0, measure={"snn": {"energy_uj": 2.0}}))
    timed(results, a=(8.0,), b=(3.0,))  # a step, in three epochs and in four
    heads, first, second = balance("demo", "b").cells()
    assert heads[4:] == ["time of training", "energy"]
    assert first[4:] == ["1.00 ×", "1.00 ×"] and second[4:] == ["2.00 ×", "1.50 ×"]


def test_rows_share_seeds_or_stay_away(results):
    rows(results, a=[92.0], b=[90.0, 91.0])
    (_, second) = balance("demo", "b").rows
    assert second.gain.n == 1 and balance("demo", "b").cells()[2][1] == "1 of 3"  # which the table plans
    (results / "desk/demo/b/seed0.json").unlink()
    assert [row.line.label for row in balance("demo", "b").rows] == [balance("demo", "b").against]


def test_seeds_that_one_row_has_alone_do_not_weigh(results):
    for seed, energy in enumerate([2.0, 2.0, 5.0]):
        put(results, made("demo/a", seed, 92.0 + seed, measure={"snn": {"energy_uj": energy}}))
    rows(results, b=[90.0, 91.5])
    first, second = (weighed.seeds() for weighed in balance("demo", "b").rows)
    assert (first, second) == ("2 of 3", "3")
    weighed = balance("demo", "b").rows[1]
    assert weighed.over() == f"{weighed.gain.text()} (2 shared)" and weighed.gain.n == 2
    assert weighed.energy == 1.0  # the third seed's is another


def test_what_no_row_has_is_no_column(results):
    rows(results, a=[92.0], b=[90.0])
    assert "time of training" not in balance("demo", "b").cells()[0]  # no steps were timed
    assert "timed" not in balance("demo", "b").caption()


def test_a_network_that_did_not_learn_has_no_gain(results):
    rows(results, a=[11.0, 10.0, 12.0], b=[90.0, 90.0, 90.0])
    line = balance("demo", "b").cells()[2]
    assert line[3] == "did not learn" and "did not learn" in line[2]


def test_nothing_is_gained_over_a_network_that_did_not_learn(results):
    rows(results, a=[90.0, 90.0, 90.0], b=[11.0, 10.0, 12.0])
    line = balance("demo", "b").cells()[2]
    assert line[3] == "did not learn" and "did not learn" not in line[2]


def test_without_records_there_are_no_rows(results):
    assert balance("demo", "b").rows == () and "demo" not in repr(balance("demo", "b"))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("demo", "c"), "no row 'c'"),
        (("dmo", "b"), "no table 'dmo'"),
        (("demo", "b", "desks"), "no profile 'desks'"),
    ],
)
def test_what_is_not_there_is_told(results, asked, told):
    with pytest.raises(UserError, match=told):
        balance(*asked)
