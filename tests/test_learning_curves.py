"""Curves of a table's rows: bands over seeds, minutes with what a run needs, equal time, rows that are not run."""

import dataclasses

import matplotlib

matplotlib.use("Agg")

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bad_input import one_line
from claim_cases import TABLE, lay_out, made, put, timed
from snnbook import experiments, plots
from snnbook.experiments.evidence.curves import Curve, Curves
from snnbook.plots.style import SERIES


@pytest.fixture
def results(put_tables, monkeypatch):
    return lay_out(put_tables, monkeypatch)


def curves(results, rows=("a", "b"), profile="desk", **options):
    return experiments.curves("demo", rows, profile, results=results, **options)


def minutes(results, **an_epoch):
    """Steps of rows were timed: so many minutes an epoch of 900 images in batches of 128, the last not full."""
    timed(results, **{row: (60 * each / 7,) for row, each in an_epoch.items()})


def trained(row, seed, accuracy, **changes):
    """A record whose tests, after epochs 1, 2 and 3 (of row b: 4), gave ``accuracy``."""
    one = made(f"demo/{row}", seed, accuracy[-1])
    curve = one.curve | {"accuracy": {"snn": list(accuracy)}}
    return dataclasses.replace(one, curve=curve, **changes)


def origin(one):
    return {"run": one.run, "config": one.config, "data": "f", "weights": None, "needs": one.needs}


def test_each_row_has_its_seeds_and_its_minutes(results):
    for seed, accuracy in enumerate([(10, 50, 90), (20, 60, 80), (30, 40, 70)]):
        put(results, trained("a", seed, accuracy))
    minutes(results, a=2)
    found = curves(results)
    (curve,) = found.curves
    assert (curve.row, curve.label, curve.network) == ("a", "First", "snn")
    assert curve.epochs == (1, 2, 3) and curve.minutes == pytest.approx((2, 4, 6))
    assert curve.accuracy == ((10, 50, 90), (20, 60, 80), (30, 40, 70))
    assert found.missing == ("Second",)
    assert found.left_out() == "Not run yet in this profile: Second."


def test_what_a_run_needs_comes_before_it(results):
    first = trained("a", 0, (10, 50, 90))
    needs = [origin(first)]
    put(results, first)
    put(results, trained("b", 0, (10, 50, 95), needs=needs))
    minutes(results, a=1, b=2)
    _, curve = curves(results).curves
    assert curve.minutes == pytest.approx((3 + 2, 3 + 4, 3 + 8))


def test_a_run_that_two_need_is_trained_once(results, put_tables):
    table = TABLE + "  - {id: c, label: Heir, method: {name: direct}}\n"
    put_tables(demo=table)
    base = trained("a", 0, (10, 50, 90))
    middle = trained("b", 0, (10, 50, 95), needs=[origin(base)])
    put(results, base)
    put(results, middle)
    put(results, trained("c", 0, (10, 50, 99), needs=[origin(base), origin(middle)]))
    minutes(results, a=1, b=1, c=1)
    (curve,) = curves(results, ["c"]).curves
    assert curve.minutes == pytest.approx((3 + 4 + 1, 3 + 4 + 2, 3 + 4 + 3))


def test_a_need_without_a_record_has_no_known_time(results):
    put(results, trained("b", 0, (10, 50, 95), needs=[origin(made("demo/a"))]))
    minutes(results, a=1, b=1)
    found = curves(results, ["b"])
    assert not found.curves[0].minutes and found.not_timed().endswith("Second.")


def test_all_at_the_time_of_the_fastest(results):
    for seed, end in enumerate((90, 80)):
        put(results, trained("a", seed, (10, 50, end)))
        put(results, trained("b", seed, (20, 40, 95)))
    minutes(results, a=1, b=2)
    found = curves(results)
    assert found.equal_minutes == pytest.approx(3)
    assert found.curves[1].after(3) == pytest.approx((30, 30))
    head, first, second = found.cells()
    assert head[3:] == ["at the end, %", "less the first's", "after 3.0 minutes, %", "less the first's"]
    assert first == ["First", "2", "3.0", "85.0", "n/a", "85.0", "n/a"]
    # 95 less 90 and 80: the mean of 5 and 15; Student's t of one degree of freedom times their standard error, 5.
    assert second == ["Second", "2", "8.0", "95.0", "+10.0 ± 63.5", "30.0", "-55.0 ± 63.5"]
    assert "First" in repr(found) and "<table>" in found._repr_html_()


def test_what_was_not_tested_by_then_says_so(results):
    put(results, trained("a", 0, (10, 50, 90)))
    put(results, trained("b", 0, (10, 50, 90)))
    minutes(results, a=0.02, b=1)
    assert curves(results).cells()[2][-2:] == ["not tested yet", "n/a"]
    turned = curves(results, ["b", "a"]).cells()  # the first row is that which was not tested
    assert turned[1][-2:] == ["not tested yet", "n/a"] and turned[2][-2:] == ["90.0", "n/a"]


def test_differences_are_taken_within_a_seed(results):
    for seed, end in enumerate((90, 80)):
        put(results, trained("a", seed, (10, 50, end)))
    put(results, trained("b", 1, (10, 50, 83)))
    put(results, trained("b", 2, (10, 50, 20)))
    head, first, second = curves(results).cells()  # no steps were timed
    assert head == ["row", "seeds", "minutes", "at the end, %", "less the first's"]
    assert first[2] == second[2] == "not timed" and second[4] == "+3.0 (1 of its seeds)"  # seed 1 alone
    (results / "desk/demo/b/seed1.json").unlink()
    assert curves(results).cells()[2][4] == "no seed in common"


@given(st.lists(st.floats(0.1, 9), min_size=1, max_size=6), st.data())
@settings(deadline=None, max_examples=30)
def test_between_tests_accuracy_lies_between_theirs(steps, data):
    minutes = tuple(sum(steps[: i + 1]) for i in range(len(steps)))
    runs = st.lists(st.floats(0, 100), min_size=len(steps), max_size=len(steps)).map(tuple)
    curve = Curve("a", "A", "snn", (), tuple(range(1, len(steps) + 1)), minutes, (data.draw(runs),))
    for at, accuracy in zip(minutes, curve.accuracy[0], strict=True):
        assert curve.after(at) == pytest.approx((accuracy,))
    for low, high, a, b in zip(minutes, minutes[1:], curve.accuracy[0], curve.accuracy[0][1:], strict=False):
        (found,) = curve.after((low + high) / 2)
        assert min(a, b) - 1e-6 <= found <= max(a, b) + 1e-6
    assert curve.after(minutes[-1] + 100) == (curve.accuracy[0][-1],)
    assert curve.after(minutes[0] / 2) is None


def test_a_figure_has_a_band_for_each_row_of_several_seeds(results):
    for seed, accuracy in enumerate([(10, 50, 90), (20, 60, 80)]):
        put(results, trained("a", seed, accuracy))
    put(results, trained("b", 0, (30, 40, 70)))
    minutes(results, a=1, b=1)
    found = curves(results, ["a", "b", "late"])
    for against, x in (("epochs", [1, 2, 3]), ("minutes", [1, 2, 3])):
        (axes,) = plots.learning_curves(found, against).axes
        first, second = axes.lines
        assert list(first.get_xdata()) == pytest.approx(x) and list(first.get_ydata()) == [15, 55, 85]
        assert list(second.get_ydata()) == [30, 40, 70]
        (band,) = axes.collections
        low, high = band.get_datalim(axes.transData).intervaly
        assert (low, high) == (10, 90)
        assert "least to greatest seed" in axes.get_ylabel()
        assert "Not run yet in this profile: Third." in axes.get_xlabel()
        legend = [text.get_text() for text in axes.get_legend().get_texts()]
        assert legend == ["First (2 seeds)", "Second (1 seed)"]


@pytest.mark.parametrize(("slow", "scale"), [(2, "linear"), (8, "log")])
def test_minutes_that_lie_far_apart_have_a_logarithmic_axis(results, slow, scale):
    for row in "ab":
        put(results, trained(row, 0, (10, 50, 90)))
    minutes(results, a=1, b=slow)
    (axes,) = plots.learning_curves(curves(results), "minutes").axes
    assert axes.get_xscale() == scale and "timed on a CPU, AVX2, 1 thread" in axes.get_xlabel()
    assert plots.learning_curves(curves(results)).axes[0].get_xscale() == "linear"


@pytest.mark.parametrize(
    ("rows", "low"),
    [
        ([(20, 62, 70, 75, 80)], 60),
        ([(20, 62, 80)], 0),
        ([(20, 62, 58, 75, 80)], 55),
        ([(20, 62, 30, 75, 80)], 0),
        ([(20, 62, 70, 75, 80), (20, 40, 41)], 0),
    ],
)
def test_the_axis_leaves_out_first_tests_alone_where_there_are_many(rows, low):
    rows = [
        Curve(name, name, "snn", (), tuple(range(1, len(tests) + 1)), (), (tests,))
        for name, tests in zip("ab", rows, strict=False)
    ]
    (axes,) = plots.learning_curves(Curves("demo", "desk", tuple(rows), ())).axes
    assert axes.get_ylim()[0] == low and (f"begins at {low}" in axes.get_ylabel()) == (low > 0)


def test_one_seed_has_no_band_and_no_word_of_one(results):
    put(results, trained("a", 0, (10, 50, 90)))
    (axes,) = plots.learning_curves(curves(results, ["a"])).axes
    assert not axes.collections and axes.get_ylabel() == "test accuracy, %"


def test_who_did_not_learn_is_marked(results):
    put(results, trained("a", 0, (10, 12, 11)))
    put(results, trained("a", 1, (10, 50, 90)))
    (curve,) = curves(results, ["a"]).curves
    assert curve.name() == "First (2 seeds, 1 did not learn)"


def test_nothing_is_more_accurate_than_a_first_row_that_did_not_learn(results):
    put(results, trained("a", 0, (10, 12, 11)))
    put(results, trained("b", 0, (10, 50, 90)))
    assert curves(results).cells()[2][4] == "did not learn"


def test_without_records_a_sentence_stands_in_the_figure_s_place(results):
    found = curves(results)
    for against in ("epochs", "minutes"):
        shown = plots.learning_curves(found, against)
        assert repr(shown) == str(shown) == found.left_out()
        assert shown._repr_html_() == f"<p>{found.left_out()}</p>"  # no letter of it is HTML's
        assert "Not run yet in the desk profile: First; and Second" in shown and "\n" not in shown
    assert found.cells()[1:] == [["First", "0", "not run", "not run"], ["Second", "0", "not run", "not run"]]
    assert "not run" in repr(found)


def test_a_row_of_another_table_is_found_there(results, put_tables):
    other = TABLE.replace("id: demo", "id: other").partition("rows:")[0]
    put_tables(other=other + "rows:\n  - {id: mine, label: Mine, same: demo/a}\n")
    put(results, trained("a", 0, (10, 50, 90)))
    (curve,) = experiments.curves("other", ["mine"], results=results).curves
    assert curve.label == "Mine" and curve.accuracy == ((10, 50, 90),)


def test_the_other_network_is_shown_of_rows_that_have_it(results):
    one = trained("a", 0, (10, 50, 90))
    both = one.curve | {"accuracy": {"snn": [10, 50, 90], "ann": [20, 70, 95]}}
    number = {"best": 95.0, "best_epoch": 3, "last": 95.0}
    put(results, dataclasses.replace(one, curve=both, metrics=one.metrics | {"ann": number}))
    put(results, trained("b", 0, (30, 40, 70)))
    first, second = curves(results, network="ann").curves
    assert (first.network, first.accuracy) == ("ann", ((20, 70, 95),))
    assert (second.network, second.accuracy) == ("snn", ((30, 40, 70),))


def test_bad_input(results):
    one_line(lambda: curves(results, ["c"]), "no row 'c'")
    one_line(lambda: curves(results, "a"), "list of rows")
    one_line(lambda: curves(results, []), "list of rows")
    one_line(lambda: curves(results, ["a", "a"]), "each once")
    one_line(lambda: curves(results, profile="desc"), "desk")
    one_line(lambda: curves(results, network="cnn"), "snn")
    one_line(lambda: experiments.curves("dem", ["a"], results=results), "demo")
    one_line(lambda: plots.learning_curves(curves(results), "hours"), "minutes")


def test_seeds_of_different_trainings_share_no_curve(results):
    put(results, trained("a", 0, (10, 50, 90)))
    other = trained("a", 1, (50, 90))
    put(results, dataclasses.replace(other, curve=other.curve | {"tested": [2, 3]}))
    one_line(lambda: curves(results, ["a"]), "demo/a", "different epochs")


def test_more_curves_than_can_be_told_apart(results, put_tables):
    names = [f"r{i}" for i in range(len(SERIES) + 1)]
    head = TABLE.partition("rows:")[0]
    rows = "".join(f"  - {{id: {name}, label: {name}, method: {{name: direct}}}}\n" for name in names)
    put_tables(demo=f"{head}rows:\n{rows}")
    for name in names:
        put(results, trained(name, 0, (10, 50, 90)))
    one_line(lambda: plots.learning_curves(curves(results, names)), len(SERIES))
    plots.learning_curves(curves(results, names[1:]))
