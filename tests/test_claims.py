"""Claims and their verdicts, details and their effects, receipts, and the look over all that is committed."""

import dataclasses
import json
import math
from io import StringIO
from pathlib import Path

import pytest

from snnbook import cli, files
from snnbook.errors import UserError
from snnbook.experiments.evidence import claims, fidelity, grid, paired, spread
from snnbook.experiments.evidence.check import check
from snnbook.experiments.evidence.receipt import AS_SEEDS, FURTHER, SAME, receipt
from snnbook.experiments.runs import job, record
from snnbook.experiments.runs.record import Record
from snnbook.experiments.tables import settings, tables

TABLE = """\
id: demo
paper: tet
title: A table
source: "Somebody 2020, Table 1"
seeds: [0, 1, 2]
base:
  data: {name: digits}
  recipe: {epochs: 3}
profiles: {quick: {}, lab: {}}
rows:
  - {id: a, label: First, method: {name: direct}, paper: {snn: 92.5, moments: [50, 60]}}
  - {id: b, label: Second, method: {name: direct}, recipe: {epochs: 4}, paper: {snn: 90, moments: [45, 40]}}
  - {id: late, label: Third, method: {name: direct}, waits: {quick: for events}}
"""


def made(run="demo/a", seed=0, last=90.0, epochs=3, **changes):
    """A record as the table asks for it."""
    name, _, row = run.partition("/")
    row = row.partition("+")[0]
    planned = job.plan(f"{name}/{row}", seed)
    content = Record(
        run=run,
        label="First",
        seed=seed,
        profile="quick",
        asked=planned.asked,
        config=json.loads(json.dumps(planned.settings().as_dict())),
        data={"name": "digits", "test": 900, "standard_error_at_90": 1.0, "fingerprint": "f"},
        metrics={"snn": {"last": last, "best": last + 1, "best_epoch": 1}},
        curve={"loss": {"ce": [2.0, 1.0, 0.5]}, "accuracy": {"snn": [10.0, 50.0, last]}},
        measure={"snn": {"energy_uj": 2.0}},
        cost={"seconds": 6.0, "seconds_per_epoch": 2.0},
        environment={"device": "a CPU", "threads": 1, "precision": "float32", "torch": "2"},
        code={"version": "0", "commit": None, "tree": "0"},
        created="2026-01-01T00:00:00+00:00",
    )
    return dataclasses.replace(content, **changes)


@pytest.fixture
def results(tmp_path, monkeypatch):
    folder = tmp_path / "tables"
    (folder / "ledgers").mkdir(parents=True)
    (folder / "demo.yaml").write_text(TABLE)
    (folder / "ledgers/claims.yaml").write_text("claims: []\n")
    (folder / "ledgers/fidelity.yaml").write_text("fidelity: []\n")
    monkeypatch.setenv("SNNBOOK_EXPERIMENTS", str(folder))
    monkeypatch.setattr(files, "root", lambda: tmp_path)
    return tmp_path / "results"


def put(results, content):
    path = results / content.profile / content.run / f"seed{content.seed}.json"
    record.write(content, path)
    return path


def rows(results, **accuracies):
    """Records of rows ``a`` and ``b``, a seed for each accuracy."""
    for row, values in accuracies.items():
        for seed, last in enumerate(values):
            put(results, made(f"demo/{row}", seed, last))


def claim(test="demo/a:snn.last - demo/b:snn.last > 0", **others):
    return claims.Claim(id="c", paper="tet", says="A is better.", source="Table 1", test=test, **others)


# Differences by seed


def test_an_expression_is_worked_out_within_each_seed_its_runs_share(results):
    rows(results, a=(91, 92, 95), b=(90, 90))
    terms = paired.parse("demo/a:snn.last - 0.5 * demo/b:snn.last + demo/b:snn.last")
    assert [(term.factor, term.run, term.key) for term in terms] == [
        (1.0, "demo/a", "snn.last"),
        (-0.5, "demo/b", "snn.last"),
        (1.0, "demo/b", "snn.last"),
    ]
    found = paired.estimate(terms, "quick", results)
    assert found.values == {0: 91 + 45, 1: 92 + 45}
    assert len(found.records) == 4


def test_the_interval_is_students(results):
    # Differences 1, 2, 3: mean 2, standard deviation 1, and the 97.5 % point of t with 2 degrees is 4.30265.
    rows(results, a=(91, 92, 93), b=(90, 90, 90))
    found = paired.estimate(paired.parse("demo/a:snn.last - demo/b:snn.last"), "quick", results)
    assert found.mean == 2.0
    assert found.half == pytest.approx(4.30265 / math.sqrt(3), rel=1e-5)
    assert found.text() == "+2.0 ± 2.5"


def test_an_entry_of_a_list_goes_by_its_place(results):
    rows(results, a=(90,))
    one = record.of("demo/a", "quick", results)[0]
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
        ((93, 94, 95), "> 1.6", "undecided"),
        ((93, 94, 95), "> 6.5", "does not hold"),
        ((93, 94, 95), "< 0", "does not hold"),
        ((93, 94, 95), "< 6.5", "holds"),
        ((93, 94, 95), "< 6.4", "undecided"),
        ((93, 94, 95), "within 1", "does not hold"),
        ((93, 94, 95), "within 3", "undecided"),
        ((93, 94, 95), "within 6.5", "holds"),
        ((85, 86, 87), "within 1", "does not hold"),
        ((91, 92, 93), "> 0", "undecided"),
        ((90, 90, 90), "within 0.1", "holds"),
        ((90, 90, 90), "> 0", "undecided"),
    ],
)
def test_a_verdict_by_hand(results, a, test, word):
    rows(results, a=a, b=(90, 90, 90))
    assert claims.judge(claim(f"demo/a:snn.last - demo/b:snn.last {test}"), results=results).word == word


def test_one_seed_decides_nothing_and_no_record_is_not_run(results):
    rows(results, a=(99,), b=(90,))
    found = claims.judge(claim(), results=results)
    assert (found.word, found.why, found.ours()) == ("undecided", "one seed has no interval", "+9.0")
    found = claims.judge(claim("demo/late:snn.last - demo/a:snn.last > 0"), results=results)
    assert (found.word, found.why) == ("not run", "for events")
    assert claims.judge(claim(), "lab", results).why == "no record of demo/a"
    assert claims.judge(claim("", waits="a row"), results=results).why == "a row"
    assert (
        claims.judge(claim("demo/a:snn.last > 0"), "paper", results).why == "table demo has no paper profile"
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


def test_the_ledger_is_shown_whole(results, capsys):
    rows(results, a=(93, 94, 95), b=(90, 90, 90))
    both = [claims.judge(claim(), results=results), claims.judge(claim("", waits="a row"), results=results)]
    shown = claims.text(both)
    assert "holds: c (Table 1)" in shown and "ours +4.0 ± 2.5 points, n = 3; paper +2.50" in shown
    assert shown.endswith("1 hold, 0 do not hold, 0 are undecided, 1 are not run")
    assert all(cell for row in claims.cells(both) for cell in row)
    with pytest.raises(UserError, match="no claim 'c'"):
        claims.judged(names=["c"])


# Details


def detail(**changes):
    told = dict(text="Nothing.", code="Three.", choice="Four.", where="recipe.epochs")
    return fidelity.Detail(**dict(id="d", paper="tet", detail="Epochs", kind="unspecified", **told) | changes)


def test_the_effect_of_an_alternative_is_its_number_less_ours(results):
    changed = detail(ours="demo/a", set=("recipe.epochs=4",))
    run = job.plan("demo/a", overrides=("recipe.epochs=4",)).run_id
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


# Receipts


@pytest.fixture
def mine(tmp_path, results):
    rows(results, a=(90, 91, 92), b=(90, 90, 90))
    return tmp_path / "mine"


def compared(mine, results, **options):
    return receipt(mine, book=results, **options).comparisons


def test_a_receipt_of_equal_runs_says_so(mine, results):
    put(mine, made(last=90.0))
    (found,) = compared(mine, results)
    assert (found.word, found.apart, found.difference) == (SAME, 0.0, -1.0)
    page = receipt(mine, book=results).markdown()
    assert "1 the same, digit for digit." in page and "All as the book's." in page
    assert "| demo/a | SNN | 90.0 | 1 | 91.0 ± 1.0 | 3 | -1.0 | -1.0 | 0.0 | 6.0 |" in page
    assert f"checksum {record.checksum(made(last=90.0))[:16]}" in page


@pytest.mark.parametrize(
    ("last", "word"),
    # The book's seeds have mean 91 and standard deviation 1: one more is within 4.30265 * sqrt(1 + 1/3) = 4.97.
    [(93.0, AS_SEEDS), (95.9, AS_SEEDS), (96.0, FURTHER), (86.1, AS_SEEDS), (86.0, FURTHER)],
)
def test_a_receipt_of_a_differing_run_judges_by_the_books_seeds(mine, results, last, word):
    put(mine, made(last=last))
    (found,) = compared(mine, results)
    assert found.word == word
    assert found.deviations == pytest.approx(last - 91)
    assert found.apart == pytest.approx(abs(last - 90))


def test_a_receipt_tells_settings_and_devices_that_differ(mine, results):
    run = job.plan("demo/a", overrides=("recipe.precision=bfloat16",)).run_id
    changed = json.loads(json.dumps(made().config))
    changed["recipe"]["precision"] = "bfloat16"
    del changed["analysis"]["mismatch"]  # a setting the library gained since is at its default
    elsewhere = {**made().environment, "device": "a GPU"}
    put(mine, made(run, last=50.0, config=changed, asked="other", environment=elsewhere))
    page = receipt(mine, book=results).markdown()
    assert f"- `{run}`: recipe.precision is 'bfloat16', the book's 'float32'\n" in page
    assert "mismatch" not in page
    assert "| device | a GPU | a CPU |" in page


def test_a_receipt_needs_records_of_ones_own(mine, results):
    with pytest.raises(UserError, match="the book's own records"):
        receipt(results, book=results)
    with pytest.raises(UserError, match="no records in"):
        receipt(mine, book=results)
    put(mine, made())
    with pytest.raises(UserError, match="did you mean 'demo/a'"):
        receipt(mine, ["demo/aa"], book=results)
    assert len(compared(mine, results, runs=["demo/a"], profile="quick")) == 1
    with pytest.raises(UserError, match="no records in"):
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


# The look over everything


def test_everything_in_order(results):
    rows(results, a=(90, 91, 92), b=(80, 90, 100))
    checked = check(results)
    assert checked.problems == ()
    assert checked.counts == {"records": 6, "tables": 1, "claims": 0, "details": 0}


def test_a_changed_metric_is_caught_by_its_checksum(results, capsys):
    path = put(results, made(last=90.0))
    path.write_text(path.read_text().replace('"last": 90.0', '"last": 99.0'))
    (problem,) = check(results).problems
    assert "demo/a/seed0.json is damaged (its checksum does not match)" in problem
    assert cli.main(["claims", "--results", str(results)]) == 0  # no claim asks for it
    with pytest.raises(SystemExit, match="1"):
        cli.main(["check", "--results", str(results)])
    assert ": 1 problem\n" in capsys.readouterr().out


def test_records_of_other_settings_and_in_wrong_places_are_found(results):
    put(results, made())
    put(results, made(seed=1, asked="old"))  # another text, the same settings
    older = json.loads(json.dumps(made().config))
    older["recipe"]["epochs"] = 9
    put(results, made(seed=2, asked="old", config=older))
    moved = put(results, made("demo/b"))
    moved.rename(moved.with_name("seed2.json"))
    unknown = put(results, made("demo/b", seed=1))
    unknown.parent.rename(unknown.parents[1] / "gone")
    problems = check(results).problems
    told = " ".join(problems)
    assert len(problems) == 3
    assert "record quick/demo/a/seed2.json was made with other settings (recipe.epochs: 9, now 3)" in told
    assert "demo/gone/seed2.json says that it is quick/demo/b/seed0.json" in told
    assert "demo/gone/seed1.json says that it is quick/demo/b/seed1.json" in told


def test_wrong_ledgers_and_tables_are_found(results):
    ledgers = tables.folder() / "ledgers"
    (ledgers / "claims.yaml").write_text("claims:\n  - {id: one}\n")
    (ledgers / "fidelity.yaml").write_text("details: []\n")
    (tables.folder() / "demo.yaml").write_text(TABLE.replace("epochs: 4", "epoch: 4"))
    problems = " ".join(check(results).problems)
    assert "lacks 'paper'" in problems and "unknown key 'details'" in problems
    assert "did you mean 'epochs'" in problems


def test_settings_gained_since_count_at_their_default(results):
    now = made().config
    before = json.loads(json.dumps(now))
    del before["recipe"]["milestones"]
    assert settings.changes(before, now) == []
    before["recipe"]["epochs"] = 1
    assert settings.changes(before, now) == [("recipe.epochs", 1, 3)]
    other = {**before, "method": {"name": "tet"}}
    assert settings.changes(other, now) == [("method.name", "tet", "direct")]


# LaTeX


def test_latex_prints_what_stands_there():
    cells = [["row & head", "50 %"], ["a_b ~ #1 {x} \\y", "1.0 ± 0.2"], ["λ = $0^2 < 1", "µJ"]]
    lines = grid.latex(cells, "A 95 % caption", "name", left=1).splitlines()
    assert r"  \caption{A 95 \% caption}" in lines and r"  \label{tab:name}" in lines
    assert r"  \begin{tabular}{lr}" in lines
    assert r"    row \& head & 50 \% \\" in lines
    assert r"    a\_b \textasciitilde{} \#1 \{x\} \textbackslash{}y & 1.0 $\pm$ 0.2 \\" in lines
    assert r"    $\lambda$ = \$0\textasciicircum{}2 \textless{} 1 & $\mu$J \\" in lines
    assert [line.strip() for line in lines if "rule" in line] == [r"\toprule", r"\midrule", r"\bottomrule"]


# The project's own ledgers, and their pages


def test_the_projects_ledgers_are_read_and_cover_the_three_papers():
    for entries in (claims.load(), fidelity.load()):
        assert {entry.paper for entry in entries} == {"tet", "joint-asnn", "sastc"}


def test_the_papers_own_numbers_meet_the_tests_of_their_claims():
    for entry in claims.load():
        if entry.size is not None:
            assert claims.word(entry.size, entry.size, entry.relation, entry.margin) == "holds", entry.id


PAGE = """\
# Page

## Claims

```{claims}
```

## Details

```{fidelity}
```

## Spreads

```{spread} seeds
```

```{spread} conditions
```
"""

CLAIMS = """\
claims:
  - {id: better, paper: tet, says: "A is `better`.", source: Table 1,
     test: "demo/a:snn.last - demo/b:snn.last > 0"}
  - {id: later, paper: sastc, says: Not yet., source: Table 2, waits: a row to come}
"""

DETAILS = """\
fidelity:
  - {id: epochs, paper: tet, detail: Epochs, kind: unspecified, text: Nothing., code: Four., choice: Three.,
     where: recipe.epochs, ours: demo/a, other: demo/b}
"""


def test_pages_show_verdicts_effects_and_spreads_from_the_records(results, monkeypatch):
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace

    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "book" / "_ext"))
    import ledgers
    import records

    for module in (record, records, ledgers):
        monkeypatch.setattr(module, "folder", lambda: results)
    rows(results, a=(93, 94, 95), b=(90, 90, 90))
    put(
        results / "others" / "more", made("demo/a", 0, 90.0, environment={**made().environment, "threads": 2})
    )
    (tables.folder() / "ledgers/claims.yaml").write_text(CLAIMS)
    (tables.folder() / "ledgers/fidelity.yaml").write_text(DETAILS)
    home = results.parent
    files.write_text(home / "source" / "index.md", PAGE)
    warnings = StringIO()
    with docutils_namespace():
        app = Sphinx(
            home / "source",
            None,
            home / "html",
            home / "trees",
            "html",
            confoverrides={"extensions": ["myst_parser", "records", "ledgers"], "html_theme": "basic"},
            status=None,
            warning=warnings,
        )
        app.build()
    page = (home / "html" / "index.html").read_text()
    assert warnings.getvalue() == ""
    assert 'class="verdict holds">holds' in page and "+4.0 ± 2.5 points, n = 3" in page
    assert "demo/a:snn.last - demo/b:snn.last &gt; 0; demo/a, quick profile, seeds 0, 1, 2" in page
    assert "quick profile: 1 hold, 0 do not hold, 0 are undecided, 1 are not run." in page
    assert 'title="a row to come"' in page and "lab profile: nothing run yet." in page
    assert "-4.0 ± 2.5 points, n = 3" in page
    assert "threads: 2 instead of 1" in page and "-3.0" in page
    assert "Not measured yet: another device, precision, torch." in page
    watched = {Path(name).name for name in app.env.dependencies["index"]}
    assert {"claims.yaml", "fidelity.yaml", "demo.yaml", "seed0.json", "others"} <= watched
