"""A reader's own numbers beside the book's: receipts, and spreads over seeds and conditions."""

import json
import re

import pytest

from claim_cases import lay_out, made, put, rows
from snnbook.errors import UserError
from snnbook.experiments.evidence import spread
from snnbook.experiments.evidence.receipt import ALONE, AS_SEEDS, COPIED, FURTHER, SAME, receipt
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


def own(last=90.0, **changes):
    """A record that somebody made: it took a time of its own."""
    return made(last=last, cost={"seconds": 7.25, "seconds_per_epoch": 2.0, "parameters": 10}, **changes)


def compared(mine, results, **options):
    return receipt(mine, book=results, **options).comparisons


def test_a_receipt_of_equal_runs_says_so(mine, results):
    put(mine, own())
    (found,) = compared(mine, results)
    assert (found.word, found.apart, found.difference) == (SAME, 0.0, -1.0)
    page = receipt(mine, book=results).markdown()
    assert "1 the same, digit for digit." in page and "All as the book's." in page
    plain = re.sub(" +", " ", page)
    assert "| demo/a | SNN | 90.0 | 1 | 91.0 ± 1.0 | 3 | -1.0 | -1.0 | 0.0 | 7.2 |" in plain
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
    assert found.deviations == pytest.approx(last - 91)
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
    put(others / "again", made("demo/a", 0, 90.0))
    more = {**made().environment, "threads": 2}
    for seed, last in enumerate((91.0, 89.0)):
        put(others / "threads", made("demo/a", seed, last, environment=more))
    put(others / "rewritten", made("demo/a", 0, 88.0, code={**made().code, "commit": "new"}))
    again, rewritten, threads = spread.conditions(results)
    assert rewritten.differs == {"code": ("None", "new")}  # as nothing else can be the cause
    assert (again.identical, again.differs, again.comparison.apart) == (True, {}, 0.0)
    assert not threads.identical
    assert threads.differs == {"threads": ("1", "2")}
    assert threads.estimate.values == {0: 1.0, 1: -2.0}
    assert threads.comparison.apart == 2.0


def test_a_network_that_the_books_row_lacks_is_shown_alone(mine, results):
    put(mine, own(metrics={"ann": {"last": 80.0, "best": 80.0, "best_epoch": 1}}))
    (alone,) = compared(mine, results)
    assert (alone.network, alone.word, alone.book) == ("ann", ALONE, ())
