"""One place judges: nothing is decided by the rehearsal, by what did not learn, or by a page's own rule."""

import ast
import csv
import dataclasses
import io
import json
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claim_cases import claim, lay_out, made, put, rows, timed
from snnbook import experiments, files
from snnbook.errors import UserError
from snnbook.experiments.evidence import claims, judge, learned, verdicts
from snnbook.experiments.evidence.paired import Estimate, student
from snnbook.experiments.runs import record
from snnbook.experiments.tables import tables


@pytest.fixture
def results(put_tables, monkeypatch):
    return lay_out(put_tables, monkeypatch)


# What decides nothing


def test_the_rehearsal_gives_no_verdicts(results):
    with pytest.raises(UserError, match="'quick' is a rehearsal and gives no verdicts; expected desk or lab"):
        judge.judge(claim(), "quick", results)
    assert tables.REHEARSAL not in tables.EVIDENCE


def test_the_rehearsal_has_one_seed_and_the_others_all():
    for name in tables.names():
        table = tables.load(name)
        for row in table.rows:
            assert table.seeds_in("quick", row) == table.seeds[:1]
            for profile in tables.EVIDENCE:
                assert table.seeds_in(profile, row)[: len(table.seeds)] == table.seeds  # some rows have more


def test_a_network_near_chance_gives_no_verdict(results):
    rows(results, a=(93, 94, 95), b=(31, 90, 90))
    found = judge.judge(claim(), results=results)
    assert found.word == "did not learn"
    assert found.why == "demo/b, seed 0: the SNN has 31.0 % of 10 classes"
    arithmetic = judge.judge(claim(about="arithmetic"), results=results)
    assert arithmetic.word != "did not learn"  # of settings alone, which no training changes


def test_alike_needs_networks_that_learned(results):
    rows(results, a=(10, 10, 10), b=(10, 10, 10))
    assert (
        judge.judge(claim("demo/a:snn.last - demo/b:snn.last within 1"), results=results).word
        == "did not learn"
    )


def test_a_loss_near_that_of_guessing_gives_no_verdict(results):
    rows(results, a=(93, 94, 95), b=(90, 90, 90))
    curve = made("demo/b").curve
    put(results, made("demo/b", 0, 90, curve=curve | {"loss": {"ce": [2.29] * len(curve["loss"]["ce"])}}))
    assert "guessing costs 2.30" in judge.judge(claim(), results=results).why


@given(st.integers(2, 1000), st.floats(0, 100))
def test_chance_never_counts_as_learned_and_the_right_answer_always_does(classes, accuracy):
    one = made_bare(classes, accuracy)
    assert learned.floor(classes) > 100 / classes
    assert (learned.fault(one) is None) == (accuracy >= learned.floor(classes))
    assert learned.fault(made_bare(classes, 100.0)) is None
    assert learned.fault(made_bare(classes, 100 / classes)) is not None
    assert learned.fault(made_bare(classes, 100.0, math.log(classes))) is not None


def made_bare(classes, accuracy, loss=0.0):
    """The parts of a record that tell whether its network learned."""
    return record.Record(
        **dict.fromkeys(("label", "profile", "asked", "created"), ""),
        **dict.fromkeys(("measure", "cost", "environment", "code")),
        config={"method": {"name": "direct"}},
        run="demo/a",
        seed=0,
        data={"classes": classes},
        metrics={"snn": {"last": accuracy}},
        curve={"loss": {"ce": [loss]}},
    )


def test_a_report_marks_what_did_not_learn(results):
    rows(results, a=(12, 94, 95))
    found = experiments.report("demo", "desk", results=results)
    line = found.lines[0]
    assert line.unlearned == 1 and "did not learn: 1 of 3" in line.shown()
    assert all("did not learn: 1 of 3" in shown for shown in (found.text(), found.markdown(), found.latex()))
    sheet, *_ = csv.DictReader(io.StringIO(found.csv()))
    assert [sheet[name] for name in ("profile", "data", "classes", "unlearned")] == [
        "desk",
        "digits",
        "10",
        "1",
    ]


# What a verdict says


def test_a_verdict_names_data_network_steps_and_seeds(results):
    rows(results, a=(93, 94, 95), b=(90, 90, 90))
    found = judge.judge(claim(), results=results)
    assert found.text() == "holds on digits, resnet18, T = 4, 3 seeds: +4.0 ± 2.5 points"
    assert found.inside  # 2.5 in the paper
    assert judge.judge(claim(size=0.1), results=results).inside is False


def test_an_interval_too_wide_for_the_papers_difference_says_so(results):
    rows(results, a=(89, 91, 93), b=(90, 90, 90))
    found = judge.judge(claim(), results=results)
    assert found.word == "cannot be decided here"
    assert "these seeds see differences from 6.5 up, the paper's is 2.5" in found.why


def test_a_size_outside_of_the_interval_is_not_beyond_what_can_be_seen(results):
    rows(results, a=(90.1, 89.4, 88.9), b=(90, 90, 90))
    found = judge.judge(claim(size=1.4), results=results)
    assert found.estimate.sees > 1.4 and not found.estimate.decided
    assert found.word == judge.UNDECIDED and "leaves the paper's size out" in found.why


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=20).filter(lambda values: len(set(values)) > 1))
def test_rounding_hides_no_side_of_zero(values):
    estimate = Estimate(dict(enumerate(values)), ())
    mean, half = (float(part) for part in estimate.text().split(" ± "))
    near = abs(abs(estimate.mean) - estimate.half) < 2e-4  # as many digits as are ever shown do not tell
    assert near or (abs(mean) > half) == estimate.decided


def test_an_interval_that_ends_beside_zero_has_more_digits():
    values = {0: -0.58, 1: -1.05, 2: -1.36}
    assert Estimate(values, ()).text() == "-1.00 ± 0.98"
    assert Estimate({0: -0.5, 1: -1.05, 2: -1.36}, ()).text() == "-1.0 ± 1.1"


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=20).filter(lambda values: len(set(values)) > 1))
def test_what_seeds_see_is_more_than_half_their_interval(values):
    estimate = Estimate(dict(enumerate(values)), ())
    assert estimate.sees > estimate.half > 0


def test_seeds_see_what_a_t_test_with_their_power_sees():
    values = [0.0, 0.0, math.sqrt(3), math.sqrt(3)]  # of standard deviation 1
    seen = Estimate(dict(enumerate(values)), ()).sees
    drawn = np.random.default_rng(0).normal(seen, 1, (100_000, len(values)))  # were that the truth
    low = drawn.mean(1) - student(3) * drawn.std(1, ddof=1) / 2
    assert (low > 0).mean() == pytest.approx(0.8, abs=0.005)


def test_the_strongest_profile_speaks(results):
    rows(results, a=(93, 94, 95), b=(90, 90, 90))
    assert judge.best(claim(), results).profile == "desk"
    for row, last in (("a", 80.0), ("b", 90.0)):
        for seed in range(3):
            put(
                results,
                dataclasses.replace(made(f"demo/{row}", seed, last + seed * (row == "a")), profile="lab"),
            )
    found = judge.best(claim(), results)
    assert (found.profile, found.word) == (
        "lab",
        "undecided" if found.estimate.half > 10 else "does not hold",
    )


def test_a_notebook_shows_verdicts_as_a_table():
    shown = experiments.verdicts("tet-beats-sdt-snn5", "tet-first-moment-snn5")
    assert shown._repr_html_().count("<tr>") == 3
    assert repr(shown) == verdicts.text(shown.entries)
    with pytest.raises(UserError, match="no claim 'tet-beats'"):
        experiments.verdicts("tet-beats")


# Nobody else judges

WORDS = re.compile(r"\b(holds|does not hold|undecided|cannot be decided here|not alike|refuted|confirmed)\b")
PAGES = [*sorted(files.root().glob("book/*.md")), files.root() / "README.md"]
DEFINES = {"claims.md", "glossary.md"}  # where the words are explained, in emphasis
JUDGES = {"judge.py", "verdicts.py", "ledgers.py", "compared.py"}  # the last draws them


def test_no_cell_of_a_chapter_has_a_rule_of_its_own():
    for path in sorted(files.root().glob("notebooks/*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                for text in strings("".join(cell["source"])):
                    assert not re.fullmatch(f"{WORDS.pattern}|helps|hurts|alike", text.strip()), (
                        path.name,
                        text,
                    )


def test_no_code_but_the_judges_has_the_words():
    for path in sorted([*files.root().glob("src/snnbook/**/*.py"), *files.root().glob("book/**/*.py")]):
        if path.name not in JUDGES:
            said = [text for text in strings(path.read_text(encoding="utf-8")) if text in judge.WORDS[:4]]
            assert not said, (path.name, said)


def test_prose_of_a_chapter_gives_verdicts_by_their_role_alone():
    said = r"\bclaims? (?:\w+ )?(?:holds?|does not hold|is (?:confirmed|refuted|undecided))\b"
    claimed = re.compile(said + r"|\*(?:holds|does not hold|undecided)\*")
    for path in sorted(files.root().glob("notebooks/*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                found = claimed.search(" ".join("".join(cell["source"]).split()))
                assert not found, (path.name, found[0])
    for path in PAGES:
        if path.name not in DEFINES:
            found = claimed.search(" ".join(path.read_text(encoding="utf-8").split()))
            assert not found, (path.name, found[0])


def strings(code):
    """The texts that a program holds and a reader may see: docstrings aside."""
    tree = ast.parse(re.sub(r"(?m)^( *)[%!].*", r"\1pass", code))
    hidden = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in hidden
    ]


def test_another_machines_seconds_are_no_measure_of_ours(results):
    rows(results, a=(93, 94, 95), b=(90, 90, 90))
    timed(results, a=(1, 2), b=(2, 1))
    seconds = claim(test="demo/a:cost.seconds_per_epoch - demo/b:cost.seconds_per_epoch > 0", size=0.0)
    assert judge.judge(seconds, results=results).inside is None
    found = judge.judge(dataclasses.replace(seconds, size=1e-9), results=results)
    assert found.word == "undecided"  # none of the two is slower, and no size says what could be seen


def test_the_books_own_questions_are_counted_apart(results):
    rows(results, a=(93, 94, 95), b=(90, 90, 90))
    found = [judge.judge(claim(paper=paper), results=results) for paper in ("tet", "sastc", "snnbook")]
    theirs, own = verdicts.counted(found)
    assert theirs.startswith("the papers' claims: 2 hold") and own.startswith(
        "this book's own questions: 1 hold"
    )
    assert len(re.findall(r": \d hold, ", verdicts.text(found))) == 2


def test_what_was_asked_after_its_records_had_been_seen_says_so(results):
    rows(results, a=(93, 94, 95), b=(90, 90, 90))
    before, after = (judge.judge(claim(exploratory=seen), results=results) for seen in (False, True))
    assert before.word == after.word == "holds"  # judged alike, and told
    assert after.text() == before.text().replace("holds", "holds, exploratory", 1)
    shown = verdicts.text([before, after]), repr(verdicts.Verdicts((before, after)).cells())
    assert all(each.count("holds, exploratory") == 1 for each in shown)
    assert verdicts.by_chance([before, before]).startswith("of 2 tests with an interval, 0.1 would")
    assert verdicts.by_chance([before, after]).startswith("of 1 tests with an interval, 0.1 would")
    assert "1 more are exploratory" in verdicts.by_chance([before, after])
    many = [before] * 20 + [after] * 20
    assert verdicts.by_chance(many).startswith("of 20 tests with an interval, 1.0 would")


def test_a_note_on_what_had_been_seen_makes_a_claim_exploratory():
    for entry in claims.load():
        assert entry.exploratory == ("had been seen when it was written down" in entry.note), entry.id


@pytest.mark.parametrize(
    "settings", [{"test": "demo/a:snn.last - demo/b:snn.last within 9"}, {"about": "arithmetic"}]
)
def test_chance_is_counted_where_it_decides(results, settings):
    rows(results, a=(93, 94, 95), b=(90, 90, 90))
    found = [judge.judge(claim(**more), results=results) for more in ({}, settings)]
    assert verdicts.by_chance(found).startswith("of 1 tests")


def test_a_look_before_all_planned_seeds_are_run_says_so(results):
    table = tables.folder() / "demo.yaml"
    rows(results, a=(93, 94, 95), b=(90, 90, 90))
    assert "planned" not in judge.judge(claim(), results=results).text()
    table.write_text(table.read_text().replace("seeds: [0, 1, 2]", "seeds: [0, 1, 2, 3, 4]"))
    found = judge.judge(claim(), results=results)
    assert found.text().startswith("holds on digits, resnet18, T = 4, 3 of 5 planned seeds: +4.0")
    assert "; 1 are looked at before all their planned seeds are run" in verdicts.by_chance([found])


def test_a_seed_that_one_row_alone_is_to_have_is_not_planned(results):
    table = tables.folder() / "demo.yaml"
    rows(results, a=(93, 94, 95), b=(90, 90, 90))
    table.write_text(table.read_text().replace("{id: b, ", "{id: b, seeds: {desk: [0, 1, 2, 3, 4]}, "))
    assert ", 3 seeds: +4.0" in judge.judge(claim(), results=results).text()


def test_two_looks_are_misled_by_chance_once_in_about_twelve_times():
    """As the page of claims says of verdicts after three and again after five seeds."""
    seeds = np.random.default_rng(0).standard_normal((100_000, 5))
    wrong = [
        np.abs(some.mean(1)) > student(n - 1) * some.std(1, ddof=1) / n**0.5
        for n, some in ((3, seeds[:, :3]), (5, seeds))
    ]
    assert all(abs(look.mean() - 0.05) < 0.003 for look in wrong)
    assert 1 / 12.5 < (wrong[0] | wrong[1]).mean() < 1 / 11


def test_the_first_pages_say_which_profiles_have_been_run():
    beyond = any((record.folder() / profile).is_dir() for profile in ("lab", "paper"))
    index, readme = (
        " ".join((files.root() / page).read_text(encoding="utf-8").split())
        for page in ("book/index.md", "README.md")
    )
    assert ("Nothing of the profiles *lab* and *paper*" in index) == (not beyond)
    assert ("All that has been run so far is desk" in readme) == (not beyond)


def test_a_sentence_has_one_claim():
    with pytest.raises(UserError, match="no claim"):
        claims.find("tet-beats-sdt-snn5 tet-beats-sdt-cifar100-t4")
