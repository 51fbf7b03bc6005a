"""Claims and their verdicts: differences by seed, intervals, the words for them."""

import math

import pytest

from claim_cases import claim, lay_out, made, put, rows
from snnbook.errors import UserError
from snnbook.experiments.evidence import claims, fidelity, judge, paired, verdicts
from snnbook.experiments.runs import record
from snnbook.experiments.tables import tables


@pytest.fixture
def results(put_tables, monkeypatch):
    return lay_out(put_tables, monkeypatch)


# Differences by seed


def test_an_expression_is_worked_out_within_each_seed_its_runs_share(results):
    rows(results, a=(91, 92, 95), b=(90, 90))
    terms = paired.parse("demo/a:snn.last - 0.5 * demo/b:snn.last + demo/b:snn.last")
    assert [(term.factor, term.run, term.key) for term in terms] == [
        (1.0, "demo/a", "snn.last"),
        (-0.5, "demo/b", "snn.last"),
        (1.0, "demo/b", "snn.last"),
    ]
    found = paired.estimate(terms, "desk", results)
    assert found.values == {0: 91 + 45, 1: 92 + 45}
    assert len(found.records) == 4


def test_the_interval_is_students(results):
    # Differences 1, 2, 3: mean 2, standard deviation 1, and the 97.5 % point of t with 2 degrees is 4.30265.
    rows(results, a=(91, 92, 93), b=(90, 90, 90))
    found = paired.estimate(paired.parse("demo/a:snn.last - demo/b:snn.last"), "desk", results)
    assert found.mean == 2.0
    assert found.half == pytest.approx(4.30265 / math.sqrt(3), rel=1e-5)
    assert found.text() == "+2.0 ± 2.5"


def test_an_entry_of_a_list_goes_by_its_place(results):
    rows(results, a=(90,))
    one = record.of("demo/a", "desk", results)[0]
    assert (one.value("curve.loss.ce.0"), one.value("curve.loss.ce.-1")) == (2.0, 0.5)
    for beyond in ("curve.loss.ce.3", "curve.loss.ce.-4", "curve.loss.ce.x"):
        with pytest.raises(UserError, match="no number"):
            one.value(beyond)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("demo/a", "is no number of a record"),
        ("demo/a:snn.last -", "is no number of a record"),
        ("demo/a:snn.last demo/b:snn.last", "is no number of a record"),
        ("x * demo/a:snn.last", "is no number of a record"),
        ("demo/aa:snn.last", "did you mean 'a'"),
        ("dem/a:snn.last", "did you mean 'demo/a'"),
    ],
)
def test_what_is_no_expression_is_refused(results, text, says):
    with pytest.raises(UserError, match=says):
        paired.parse(text)


def test_the_papers_size_comes_from_its_tables(results):
    assert claim().size == 2.5
    assert claim(size=3.0).size == 3.0
    where = "measure.snn.scalability.moments"
    assert claim(f"demo/a:{where}.2 - demo/b:{where}.2 > 0").size == 20
    assert claim("demo/a:snn.best - demo/b:snn.best > 0").size is None


# Verdicts


@pytest.mark.parametrize(
    ("a", "test", "word"),
    [
        # b is 90 for every seed.  Differences 3, 4, 5: the interval is 4 ± 2.48.
        ((93, 94, 95), "> 0", "holds"),
        ((93, 94, 95), "> 1.5", "holds"),
        ((93, 94, 95), "> 1.6", "cannot be decided here"),
        ((93, 94, 95), "> 6.5", "does not hold"),
        ((93, 94, 95), "< 0", "does not hold"),
        ((93, 94, 95), "< 6.5", "holds"),
        ((93, 94, 95), "< 6.4", "undecided"),
        ((93, 94, 95), "within 1", "does not hold"),
        ((93, 94, 95), "within 3", "undecided"),
        ((93, 94, 95), "within 6.5", "holds"),
        ((85, 86, 87), "within 1", "does not hold"),
        ((85, 86, 87), "within 3", "undecided"),
        ((85, 86, 87), "within 6.5", "holds"),
        ((91, 92, 93), "> 0", "cannot be decided here"),
        ((90, 90, 90), "within 0.1", "undecided"),  # seeds that agree to the image tell nothing of others
        ((90, 90, 90), "> 0", "undecided"),
        ((91, 91, 91), "> 0", "undecided"),
    ],
)
def test_a_verdict_by_hand(results, a, test, word):
    rows(results, a=a, b=(90, 90, 90))
    assert judge.judge(claim(f"demo/a:snn.last - demo/b:snn.last {test}"), results=results).word == word


def test_one_seed_decides_nothing_and_no_record_is_not_run(results):
    rows(results, a=(99,), b=(90,))
    found = judge.judge(claim(), results=results)
    assert (found.word, found.why, found.ours()) == ("undecided", "one seed has no interval", "+9.0")
    found = judge.judge(claim("demo/late:snn.last - demo/a:snn.last > 0"), results=results)
    assert (found.word, found.why) == ("not run", "for events")
    assert judge.judge(claim(), "lab", results).why == "no record of demo/a"
    put(results, made("demo/b", seed=1))
    (results / "desk/demo/b/seed0.json").unlink()
    assert judge.judge(claim(), results=results).why == "its runs have no seed in common"
    assert judge.judge(claim("", waits="a row"), results=results).why == "a row"
    assert (
        judge.judge(claim("demo/a:snn.last > 0"), "paper", results).why == "table demo has no paper profile"
    )


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("test: demo/a:snn.last > high", "cannot be read"),
        ("test: demo/a:snn.last", "cannot be read"),
        ("note: nothing to test", "neither test and waits"),
        ("tests: demo/a:snn.last > 0", "did you mean 'test'"),
        ("digits: many", "expected int"),
    ],
)
def test_a_wrong_claim_is_refused_with_its_place(results, entry, says):
    text = "claims:\n  - id: one\n    paper: tet\n    says: Something.\n    source: Table 1\n"
    ledgers = tables.folder() / "ledgers"
    (ledgers / "claims.yaml").write_text(f"{text}    {entry}\n")
    with pytest.raises(UserError, match=says) as told:
        claims.load()
    assert "ledgers/claims.yaml, line" in str(told.value)


def test_a_ledger_is_read_anew_when_it_or_a_table_has_changed(results):
    ledger, table = tables.folder() / "ledgers/claims.yaml", tables.folder() / "demo.yaml"
    entry = "claims:\n  - {id: %s, paper: tet, says: It is., source: Table 1, test: 'demo/a:snn.last > 0'}\n"
    ledger.write_text(entry % "one")
    claims.load().clear()  # a list of the reader's own
    assert [claim.size for claim in claims.load()] == [92.5]
    ledger.write_text(entry % "another")
    assert [claim.id for claim in claims.load()] == ["another"]
    table.write_text(table.read_text().replace("snn: 92.5", "snn: 91.25"))
    assert [claim.size for claim in claims.load()] == [91.25]
    table.unlink()
    with pytest.raises(UserError, match="no tables in"):
        claims.load()


def test_the_ledger_is_shown_whole(results, capsys):
    rows(results, a=(93, 94, 95), b=(90, 90, 90))
    both = [judge.judge(claim(), results=results), judge.judge(claim("", waits="a row"), results=results)]
    shown = verdicts.text(both)
    assert "holds: c (Table 1)" in shown and "paper +2.50, inside the interval" in shown
    assert "ours +4.0 ± 2.5 points on digits, resnet18, T = 4, 3 seeds (desk)" in shown
    assert "1 hold, 0 do not hold, 0 are undecided, 0 cannot be decided here, 0 are of networks" in shown
    assert "of 1 tests with an interval, 0.1 would be decided by chance" in shown
    assert all(cell for row in verdicts.cells(both) for cell in row)
    with pytest.raises(UserError, match="no claim 'c'"):
        judge.judged(names=["c"])


# The project's own ledger


def test_the_projects_ledgers_are_read_and_cover_the_three_papers():
    for entries in (claims.load(), fidelity.load()):
        assert {entry.paper for entry in entries} - {"snnbook"} == {"tet", "joint-asnn", "sastc"}


def test_the_papers_own_numbers_meet_the_tests_of_their_claims():
    for entry in claims.load():
        if entry.size is not None:
            assert judge.word(entry.size, entry.size, entry.relation, entry.margin) == "holds", entry.id
