"""A receipt against the rehearsal, of which the book has one seed."""

import pytest

from claim_cases import lay_out, made, put
from snnbook.experiments.evidence import beside
from snnbook.experiments.evidence import receipt as receipts


@pytest.fixture
def results(put_tables, monkeypatch):
    return lay_out(put_tables, monkeypatch)


def test_one_seed_of_the_books_has_no_spread_and_says_so(results):
    put(results, made("demo/a", 0, 90.0))
    mine = results.parent / "mine"
    curve = made().curve | {"accuracy": {"snn": [10.0, 50.0, 91.0]}}
    put(mine, made("demo/a", 0, 91.0, curve=curve, cost=made().cost | {"seconds": 7.0}))
    (compared,) = receipts.receipt(mine, book=results).reproductions
    assert compared.word == beside.ONE
    assert (compared.difference, compared.expected) == (1.0, None)
