"""Paired differences with a label each, and their pictures: what is drawn is what the records say."""

from dataclasses import dataclass
from types import SimpleNamespace as Made

import matplotlib

matplotlib.use("Agg")

import pytest

from claim_cases import lay_out, rows
from snnbook import files, plots
from snnbook.errors import UserError
from snnbook.experiments import report
from snnbook.experiments.evidence import claims, comparisons, judge
from snnbook.experiments.evidence.judge import UNLEARNED
from snnbook.experiments.evidence.paired import Estimate, Term
from snnbook.experiments.runs import record
from snnbook.experiments.tables import tables
from snnbook.plots import compared
from snnbook.plots.style import WIDTH

CLAIMS = """\
claims:
  - {id: better, paper: tet, says: "A is better.", source: Table 1, test: "demo/a:snn.last - demo/b:snn.last > 0"}
  - {id: worse, paper: tet, says: "B is worse.", source: Table 1, test: "demo/b:snn.last - demo/a:snn.last < 0"}
  - {id: near, paper: tet, says: "They are near.", source: Table 1,
     test: "demo/a:snn.last - demo/b:snn.last within 9"}
  - {id: cheap, paper: tet, says: "A is cheap.", source: Table 1, about: cost, unit: s,
     test: "demo/a:cost.seconds - demo/b:cost.seconds < 0"}
  - {id: half, paper: tet, says: "A is half.", source: Table 1,
     test: "demo/a:snn.last - 0.5 * demo/b:snn.last > 0"}
"""


@pytest.fixture
def results(put_tables, monkeypatch):
    found = lay_out(put_tables, monkeypatch)
    files.write_text(tables.folder() / "ledgers/claims.yaml", CLAIMS)
    rows(found, a=[92.0, 93.0, 95.0], b=[90.0, 90.5, 91.0])
    return found


def test_claims_are_compared_as_they_are_judged(results):
    assert [claim.id for claim in comparisons.principal()] == ["better", "worse"]
    first, second = comparisons.of_claims(results=results)
    (verdict,) = judge.judged("desk", ["better"], results)
    assert first.label == "First over Second" and second.label == "Second below First"
    assert (first.word, first.estimate.values) == (verdict.word, verdict.estimate.values)
    assert first.size == pytest.approx(2.5) and first.on.endswith("3 seeds, desk profile")
    assert second.estimate.mean == pytest.approx(-first.estimate.mean)
    assert first.text().startswith(f"First over Second: {verdict.ours()} points, {verdict.word} (")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("TET, T = 2", "SDT, T = 2"), "T = 2: TET over SDT"),
        (("VGG, T = 3, SASTC", "VGG, T = 3, KD"), "VGG, T = 3: SASTC over KD"),
        (("SASTC", "SASTC, a constant"), "SASTC over SASTC, a constant"),
        (("Joint", "SNN alone"), "Joint over SNN alone"),
    ],
)
def test_what_both_are_is_said_once(names, said, monkeypatch):
    monkeypatch.setattr(comparisons, "_named", lambda term: names[term.factor < 0])
    assert comparisons.label((Term(-1.0, "b", "snn.last"), Term(1.0, "a", "snn.last"))) == said


def test_a_tables_rows_are_compared_with_one_of_them(results):
    (found,) = comparisons.of_table("demo", "b", "desk", results=results)
    assert (found.label, found.on) == ("First", "digits, resnet18, T = 4, desk profile")
    assert found.estimate.values == comparisons.of_claims(["better"], results)[0].estimate.values
    assert comparisons.of_table("demo", "b", "lab", results=results) == []
    assert comparisons.of_table("demo", "b", "desk", "ann.last", results) == []
    with pytest.raises(UserError, match="no row 'c'"):
        comparisons.of_table("demo", "c", "desk", results=results)


def test_a_row_with_seeds_to_come_says_so(results):
    (results / "desk/demo/a/seed2.json").unlink()
    (found,) = comparisons.of_table("demo", "b", "desk", results=results)
    assert found.label == "First (2 of 3 planned seeds)"


@pytest.mark.parametrize(
    ("a", "word"), [((92, 93, 92), ""), ((87, 88, 87), ""), ((95,), ""), ((11, 10, 12), UNLEARNED)]
)
def test_a_difference_that_nothing_claims_has_no_verdict(put_tables, monkeypatch, a, word):
    results = lay_out(put_tables, monkeypatch)
    rows(results, a=a, b=(90, 90, 90))
    (found,) = comparisons.of_table("demo", "b", "desk", results=results)
    assert found.word == word


@dataclass
class Line:
    """As a comparison has it."""

    values: tuple
    word: str = ""
    size: float | None = None
    on: str = "digits"
    label: str = "A over B"

    @property
    def estimate(self):
        return Estimate(dict(enumerate(self.values)), ())


def drawn(axes, name):
    return [line for line in axes.lines if line.get_label() == name]


def test_a_forest_shows_each_seed_the_interval_and_the_papers_difference():
    lines = [Line((1.0, 2.0, 3.0), "holds", 2.5), Line((0.5,), "did not learn", on="photographs")]
    figure = plots.forest(lines)
    figure.canvas.draw()
    (axes,) = figure.axes
    assert figure.get_figwidth() == WIDTH
    assert [list(dots.get_xdata()) for dots in drawn(axes, "one seed")] == [[1, 2, 3], [0.5]]
    (mean,), (size,) = drawn(axes, "holds"), drawn(axes, "the paper's, on its data")
    assert (list(mean.get_xdata()), list(size.get_xdata())) == ([2.0], [2.5])
    half = lines[0].estimate.half
    assert [2 - half, 2 + half] in [list(line.get_xdata()) for line in axes.lines]
    words = [text.get_text() for text in axes.texts]
    assert words[:3] == ["A over B", "+2.0 ± 2.5, holds", "digits"] and "photographs" in words


@pytest.mark.parametrize("word", compared.LOOKS)
def test_a_label_ends_before_its_numbers_begin(word):
    label = "SNN taught by a trained ANN over one SNN alone"
    figure = plots.forest([Line((-10.5, -12.0, -13.5), word, label=label, on=on) for on in ("a", "b")])
    figure.canvas.draw()
    (axes,) = figure.axes
    left, right = (text.get_window_extent() for text in axes.texts[:2])
    assert left.x1 < right.x0


def test_what_all_were_found_on_is_said_once():
    (axes,) = plots.forest([Line((1.0, 2.0)), Line((2.0, 2.5))]).axes
    assert axes.get_title(loc="left") == "digits"
    assert "digits" not in [text.get_text() for text in axes.texts]


def test_verdicts_differ_in_more_than_colour():
    assert len({marker for _, marker in compared.LOOKS.values()}) == len(compared.LOOKS)
    assert set(compared.LOOKS) == {*judge.WORDS} - {judge.NOT_RUN}


def test_accuracy_stands_over_cost(results, monkeypatch):
    monkeypatch.setattr(record, "folder", lambda: results)
    found = report("demo", "desk")
    dearest = compared.points(found, "energy")
    assert [cost for cost, _ in dearest] == [2.0, 2.0]
    assert [line.label for _, line in dearest] == ["First", "Second"]  # the most accurate first
    axes, names = plots.price(found, "energy").axes
    assert [text.get_text() for text in names.texts] == ["First", "Second"]
    assert axes.get_xlim()[0] == 0 and "µJ" in axes.get_xlabel()


@pytest.mark.parametrize(
    ("draw", "told"),
    [
        (lambda: plots.forest([]), "nothing to draw"),
        (lambda: plots.price(Made(lines=[]), "money"), "no cost 'money'; expected time or energy"),
        (lambda: plots.price(Made(told=list)), "no row of this table"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, told):
    with pytest.raises(UserError, match=told):
        draw()


def test_the_line_at_zero_lies_above_the_grid_and_below_the_words():
    figure = plots.forest([Line((1.0, 2.0), on="here"), Line((-2.0, 2.5), on="there")])
    (axes,) = figure.axes
    zero = next(line for line in axes.lines if list(line.get_xdata()) == [0, 0])
    assert zero.get_zorder() > 0.5  # where matplotlib draws the grid behind all else
    assert all(words.get_bbox_patch() and words.get_zorder() > zero.get_zorder() for words in axes.texts)


def test_an_ann_is_called_one_unless_it_is_all_that_its_row_trains():
    both, one = (claims.find(f"joint-{name}-ann").terms for name in ("detached", "exits-help"))
    assert comparisons.label(both).count("(ANN)") == 2
    assert comparisons.label(one).endswith("(ANN) over ANN alone")
