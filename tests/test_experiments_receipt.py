"""A reader's own numbers beside the book's: receipts, and spreads over seeds and conditions."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claim_cases import TABLE, lay_out, made, put, rows
from snnbook.errors import UserError
from snnbook.experiments.evidence import spread
from snnbook.experiments.evidence.beside import ALONE, AS_SEEDS, COPIED, FURTHER, SAME, Reproduction
from snnbook.experiments.evidence.receipt import receipt
from snnbook.experiments.runs import record
from snnbook.experiments.runs.job import resolve


@pytest.fixture
def results(put_tables, monkeypatch):
    return lay_out(put_tables, monkeypatch)


# Receipts


@pytest.fixture
def mine(tmp_path, results):
    rows(results, a=(90, 91, 92), b=(90, 90, 90))
    return tmp_path / "mine"


def own(last=90.0, seed=0, run="demo/a", **changes):
    """A record that somebody made: it took a time of its own."""
    cost = {"seconds": 7.25 + seed, "seconds_per_epoch": 2.0, "parameters": 10}
    return made(run, seed, last, cost=cost, **changes)


def compared(mine, results, **options):
    return receipt(mine, book=results, **options).reproductions


def test_a_receipt_of_equal_runs_says_so(mine, results):
    put(mine, own())
    (found,) = compared(mine, results)
    assert (found.word, found.apart, found.difference) == (SAME, 0.0, -1.0)
    page = receipt(mine, book=results).markdown()
    assert "1 the same, digit for digit." in page and "All as the book's." in page
    plain = re.sub(" +", " ", page)
    expected = "86.03 to 95.97"  # of one seed: 91 and 4.30265 * sqrt(1 + 1/3) to either side
    assert f"| demo/a | SNN | 90.00 | 1 | 91.00 ± 1.00 | 3 | {expected} | -1.00 | 0.00 | 7.2 |" in plain
    assert f"checksum {record.checksum(own())[:16]}" in page


@pytest.mark.parametrize(
    ("last", "word"),
    # The book's seeds have mean 91 and standard deviation 1: one more is within 4.30265 * sqrt(1 + 1/3) = 4.97.
    [(93.0, AS_SEEDS), (95.9, AS_SEEDS), (96.0, FURTHER), (86.1, AS_SEEDS), (86.0, FURTHER)],
)
def test_a_receipt_of_a_differing_run_judges_by_the_books_seeds(mine, results, last, word):
    put(mine, own(last=last))
    (found,) = compared(mine, results)
    assert found.word == word
    assert found.difference == pytest.approx(last - 91)
    assert found.apart == pytest.approx(abs(last - 90))


@pytest.mark.parametrize(
    "changes", [{}, {"created": "2027-01-01T00:00:00+00:00"}, {"run": "demo/a+official"}]
)
def test_a_receipt_tells_a_copied_record_from_one_that_was_made(mine, results, changes):
    """Two trainings never take the same time to the last digit; another date or name does not hide that."""
    put(mine, made(last=90.0, **changes))
    (found,) = compared(mine, results)
    assert found.word == COPIED
    assert "1 a copy of the book's record." in receipt(mine, book=results).markdown()


def test_a_receipt_tells_settings_and_devices_that_differ(mine, results):
    run = resolve("demo/a", overrides=("recipe.precision=bfloat16",)).id
    changed = json.loads(json.dumps(made().config))
    changed["recipe"]["precision"] = "bfloat16"
    del changed["analysis"]["mismatch"]  # a setting the library gained since is at its default
    elsewhere = {**made().environment, "device": "a GPU"}
    put(mine, made(run, last=50.0, config=changed, asked="other", environment=elsewhere))
    page = receipt(mine, book=results).markdown()
    assert f"- `{run}`: recipe.precision is 'bfloat16', the book's 'float32'\n" in page
    assert "mismatch" not in page
    assert "| device | a GPU | a CPU |" in re.sub(" +", " ", page)


def test_seeds_that_the_book_has_hide_no_other(mine, results):
    put(mine, own(96.1, seed=7))
    assert compared(mine, results)[0].word == FURTHER
    for seed, last in enumerate((90, 91, 92)):  # the book's own, run again
        put(mine, own(last, seed=seed))
    (found,) = compared(mine, results)
    assert found.word == FURTHER and [one.seed for one in found.judged] == [7]
    put(mine, made(last=90.0))  # and one of them copied
    (found,) = compared(mine, results)
    assert found.word == FURTHER and len(found.own) == 3


def test_runs_far_out_on_both_sides_do_not_make_up_for_each_other(mine, results):
    put(mine, own(81.0, seed=7))
    put(mine, own(101.0, seed=8))
    (found,) = compared(mine, results)
    assert found.difference == 0 and found.word == FURTHER
    put(mine, own(85.5, seed=7))  # less than one in twenty alone would be, but the farther of two
    put(mine, own(96.5, seed=8))
    assert compared(mine, results)[0].word == AS_SEEDS


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=8, unique=True), st.floats(-40, 40))
def test_one_run_is_judged_by_one_interval(book, last):
    def run(seed, value):
        return SimpleNamespace(seed=seed, cost={"seconds": seed}, curve=seed, value=lambda key: 90 + value)

    sides = [run(seed, value) for seed, value in enumerate(book)]
    found = Reproduction("demo/a", "desk", "snn", (run(20, last),), tuple(sides), "snn.last")
    assert found.each == pytest.approx(found.expected)
    assert (found.word == AS_SEEDS) == (abs(found.difference) <= min(found.each, found.expected))


def test_settings_of_each_run_of_teachers_and_data_are_told(mine, results):
    put(mine, own(seed=7))
    other = own(seed=8, asked="other")
    put(
        mine,
        replace(other, config=other.config | {"recipe": other.config["recipe"] | {"learning_rate": 0.5}}),
    )
    page = receipt(mine, book=results).markdown()
    assert "`demo/a`: recipe.learning_rate is 0.5, the book's 0.001" in page
    assert "so no rerun of the book's: 1 as far apart as seeds are." in page
    (mine / "desk/demo/a/seed8.json").unlink()
    put(mine, own(seed=8, data=made().data | {"fingerprint": "0", "test": 100}))
    told = receipt(mine, book=results).settings()
    assert told == ["`demo/a`: data.fingerprint is '0', the book's 'f'; data.test is 100, the book's 900"]


def test_a_teacher_of_other_settings_is_told(mine, results):
    one = made("demo/b")
    needs = [{"run": "demo/a", "config": one.config, "data": "f", "weights": "w", "needs": []}]
    put(results, replace(one, needs=needs))
    short = one.config | {"recipe": one.config["recipe"] | {"epochs": 1}}
    put(mine, own(run="demo/b", seed=7, needs=[needs[0] | {"config": short}], asked="other"))
    assert "`demo/b`: demo/a: recipe.epochs is 1, the book's 4" in receipt(mine, book=results).settings()
    put(mine, own(run="demo/b", seed=7, needs=[], asked="other"))
    assert "started from no other run, the book's from demo/a" in receipt(mine, book=results).markdown()


def test_a_row_that_the_book_has_not_is_no_row_of_the_books(mine, results):
    for seed in range(3):
        (results / f"desk/demo/b/seed{seed}.json").unlink()
    put(mine, own(run="demo/b"))
    found = receipt(mine, book=results)
    assert found.settings() == ["`demo/b`: nothing to compare with"]


def test_runs_are_called_by_their_row_by_one_that_is_the_same_or_by_their_table(mine, results, put_tables):
    other = TABLE.replace("id: demo", "id: other").partition("rows:")[0]
    put_tables(other=other + "rows:\n  - {id: mine, label: Mine, same: demo/a}\n")
    put(mine, own(seed=7))
    put(mine, own(run="demo/b", seed=7))
    for name, runs in (("demo/a", "a"), ("other/mine", "a"), ("other", "a"), ("demo", "ab")):
        assert [one.run for one in compared(mine, results, runs=[name])] == [f"demo/{run}" for run in runs]


def test_one_record_that_cannot_be_read_hides_no_other(mine, results):
    put(mine, own(seed=7))
    put(mine, own(run="demo/b", seed=7)).write_text("{")
    page = receipt(mine, book=results).markdown()
    assert "## Not read" in page and "demo/b/seed7.json" in page and "| demo/a" in page
    assert len(compared(mine, results, runs=["demo/a"])) == 1
    with pytest.raises(UserError, match="seed7"):
        receipt(mine, ["demo/b"], book=results)


def test_seeds_of_ones_own_in_the_books_folder_are_judged(results, mine):
    put(results, own(91.5, seed=7))
    (found,) = receipt(results, book=results).reproductions
    assert [one.seed for one in found.theirs] == [7] and found.word == AS_SEEDS


def test_a_receipt_needs_records_of_ones_own(mine, results):
    with pytest.raises(UserError, match="the book's own records"):
        receipt(results, book=results)
    with pytest.raises(UserError, match="no records"):
        receipt(mine, book=results)
    put(mine, made())
    with pytest.raises(UserError, match="did you mean 'demo/a'"):
        receipt(mine, ["demo/aa"], book=results)
    assert len(compared(mine, results, runs=["demo/a"], profile="desk")) == 1
    with pytest.raises(UserError, match="no records"):
        receipt(mine, profile="lab", book=results)


# Spreads


def test_spreads_over_seeds_and_with_the_same_seed_elsewhere(results):
    rows(results, a=(90, 91, 92), b=(80, 90, 100))
    (found,) = spread.seeds(results=results)
    assert (found.median, found.least, found.largest) == (5.5, "demo/a", "demo/b")
    others = results / "others"
    put(others / "again", own(90.0))
    more = {**made().environment, "threads": 2}
    for seed, last in enumerate((91.0, 89.0)):
        put(others / "threads", own(last, seed, environment=more))
    put(others / "rewritten", own(88.0, code={**made().code, "commit": "new"}))
    again, rewritten, threads = spread.conditions(results)
    assert rewritten.differs == {"code": ("None", "new")}  # as nothing else can be the cause
    assert (again.identical, again.differs, again.reproduction.apart) == (True, {}, 0.0)
    assert not threads.identical
    assert threads.differs == {"threads": ("1", "2")}
    assert threads.estimate.values == {0: 1.0, 1: -2.0}
    assert threads.reproduction.apart == 2.0


def test_a_network_that_the_books_row_lacks_is_shown_alone(mine, results):
    put(mine, own(metrics={"ann": {"last": 80.0, "best": 80.0, "best_epoch": 1}}))
    (alone,) = compared(mine, results)
    assert (alone.network, alone.word, alone.book) == ("ann", ALONE, ())
