"""Records made before a number was counted: they load, and read "not run" where that number is asked for."""

import pytest

from claim_cases import lay_out, made, put
from snnbook.errors import UserError
from snnbook.experiments import lookup
from snnbook.experiments.evidence import fidelity

OLD = {"ann": {"energy_uj": 12.0}}
NEW = {"ann": {"energy_uj": 4.6, "energy_paper_uj": 5.5, "accumulates": 0.0}}


@pytest.fixture
def results(put_tables, monkeypatch):
    return lay_out(put_tables, monkeypatch)


def test_a_record_may_be_older_than_a_number(results):
    told = dict(
        paper="joint-asnn", detail="A price", kind="contradiction", text="4.6", code="None", choice="4.6"
    )
    keys = dict(key="measure.ann.energy_uj", other_key="measure.ann.energy_paper_uj")
    detail = fidelity.Detail("d", where="energy", ours="demo/a", **told, **keys)
    put(results, made(seed=0, measure=OLD))
    assert lookup("demo/a:measure.ann.energy_uj", "desk", results).mean == 12.0
    assert lookup("demo/a:measure.ann.accumulates", "desk", results) is None
    assert fidelity.effect(detail, "desk", results) is None
    put(results, made(seed=1, measure=NEW))
    assert lookup("demo/a:measure.ann.accumulates", "desk", results).n == 1
    assert fidelity.effect(detail, "desk", results) is None  # not of some seeds alone
    put(results, made(seed=0, measure=NEW))
    assert fidelity.effect(detail, "desk", results).mean == pytest.approx(0.9)
    with pytest.raises(UserError, match="no number"):
        lookup("demo/a:measure.ann.energy_papr_uj", "desk", results)


def test_the_price_of_a_multiply_accumulate_is_in_the_ledger():
    (detail,) = [d for d in fidelity.load() if d.id == "joint-energy-multiply-accumulate"]
    assert [term.key for term in detail.terms] == ["measure.ann.energy_paper_uj", "measure.ann.energy_uj"]
