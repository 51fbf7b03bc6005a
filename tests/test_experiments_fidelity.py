"""Details that a paper leaves open, and what the alternative does."""

import pytest

from claim_cases import lay_out, made, put, rows
from snnbook.errors import UserError
from snnbook.experiments.evidence import fidelity
from snnbook.experiments.runs.job import resolve


@pytest.fixture
def results(put_tables, monkeypatch):
    return lay_out(put_tables, monkeypatch)


def detail(**changes):
    told = dict(text="Nothing.", code="Three.", choice="Four.", where="recipe.epochs")
    return fidelity.Detail(**dict(id="d", paper="tet", detail="Epochs", kind="unspecified", **told) | changes)


def test_the_effect_of_an_alternative_is_its_number_less_ours(results):
    changed = detail(ours="demo/a", set=("recipe.epochs=4",))
    run = resolve("demo/a", overrides=("recipe.epochs=4",)).id
    assert fidelity.effect(changed, results=results) is None
    rows(results, a=(91, 92, 93), b=(90, 90, 90))
    for seed in range(2):
        put(results, made(run, seed, 95.0))
    assert fidelity.effect(changed, results=results).values == {0: 4.0, 1: 3.0}
    other = detail(ours="demo/a", other="demo/b")
    assert fidelity.effect(other, results=results).values == {0: -1.0, 1: -2.0, 2: -3.0}
    best = detail(ours="demo/a", other_key="snn.best")
    assert fidelity.effect(best, results=results).mean == 1.0
    assert fidelity.effect(detail(), results=results) is None
    assert changed.command() == "snnbook run demo/a --set recipe.epochs=4"


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "unspecifed"},
        {"ours": "demo/a"},
        {"other": "demo/b"},
        {"ours": "demo/a", "other": "demo/b", "other_key": "snn.best"},
        {"ours": "demo/a", "set": ("recipe.epochs",)},
        {"ours": "demo/x", "other": "demo/b"},
    ],
)
def test_a_wrong_detail_is_refused(results, changes):
    with pytest.raises(UserError):
        detail(**changes)
