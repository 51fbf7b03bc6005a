"""A claim may be judged by another run in the desk profile, if that is the same run but for network and budget."""

import pytest

from claim_cases import claim, lay_out
from snnbook.errors import UserError
from snnbook.experiments.evidence import claims
from snnbook.experiments.runs.job import resolve


@pytest.mark.parametrize(
    "found", [claim for claim in claims.load() if claim.desk], ids=lambda claim: claim.id
)
def test_a_run_that_stands_for_another_in_desk_is_it(found):
    (run,) = {term.run for term in found.terms}
    there, here = resolve(run, profile="paper").settings, resolve(found.desk, profile="desk").settings
    assert there.method == here.method and there.data.name == here.data.name
    assert there.network.time_steps == here.network.time_steps
    assert {term.run for term in found.terms_in("desk")} == {found.desk}
    assert found.terms_in("lab") == found.terms


def test_only_a_test_of_one_run_has_another_in_desk(put_tables, monkeypatch):
    lay_out(put_tables, monkeypatch)
    with pytest.raises(UserError, match="expected a test of one run"):
        claim(desk="demo/b")
    with pytest.raises(UserError, match="no row 'c'"):
        claim("demo/a:snn.last > 80", desk="demo/c")
