"""What a training costs beside another is told by steps timed in turn: to verdicts, tables, curves and figures."""

import dataclasses

import matplotlib

matplotlib.use("Agg")

import pytest
import torch

from bad_input import one_line
from claim_cases import claim, lay_out, made, put, timed
from snnbook import experiments, plots, precision
from snnbook.bench import rows
from snnbook.experiments.evidence import judge, prices
from snnbook.experiments.runs import provenance
from snnbook.experiments.runs.job import resolve

TIMED = "demo/a:cost.seconds_per_epoch - demo/b:cost.seconds_per_epoch < 0"
STEPS = 7  # of an epoch of 900 images in batches of 128, the last of which is not full


@pytest.fixture
def results(put_tables, monkeypatch):
    return lay_out(put_tables, monkeypatch)


def both(results, **changes):
    """Three seeds of rows ``a``, of three epochs, and ``b``, of four."""
    for row in "ab":
        for seed in range(3):
            put(results, made(f"demo/{row}", seed, 90 + seed, **changes))


def verdict(results):
    return judge.judge(claim(TIMED, about="cost", unit="s"), results=results)


@pytest.mark.parametrize(
    ("a", "b", "word"),
    [
        ((1, 2, 3), (2, 3.1, 4.2), judge.HOLDS),  # slower in each round, though the rounds were unlike
        ((2, 3.1, 4.2), (1, 2, 3), judge.FAILS),
        ((1, 2, 3), (2, 1, 4), judge.UNDECIDED),
    ],
)
def test_a_verdict_on_seconds_is_over_rounds(results, a, b, word):
    both(results)
    timed(results, a=a, b=b)
    found = verdict(results)
    assert found.word == word and found.text().startswith(f"{word} on digits, ") and "3 rounds" in found.on()
    assert found.estimate.values[0] == pytest.approx(STEPS * (a[0] - b[0]))


def test_no_verdict_on_the_seconds_of_records(results):
    for seed in range(3):
        for row, seconds in (("a", 1.0), ("b", 9.0)):
            one = made(f"demo/{row}", seed)
            put(
                results, dataclasses.replace(one, cost=one.cost | {"seconds_per_epoch": seconds + 0.1 * seed})
            )
    found = verdict(results)
    assert found.word == judge.NOT_RUN and "snnbook bench rows" in found.why
    timed(results, a=(1, 2))  # the other is not
    assert verdict(results).word == judge.NOT_RUN
    timed(results, a=(1, 2, 3), b=(2, 3, 4), asked={"demo/b": "other settings"})
    assert verdict(results).word == judge.NOT_RUN


def test_a_test_of_seconds_has_no_other_number(results):
    both(results)
    timed(results, a=(1, 2), b=(1, 2))
    mixed = claim("demo/a:cost.seconds_per_epoch - demo/b:snn.last < 0", about="cost")
    one_line(lambda: judge.judge(mixed, results=results), "demo/b:snn.last", prices.KEY)


def needing(one, other):
    """The record ``one``, as if ``other`` had been its teacher."""
    need = {"run": other.run, "config": other.config, "data": "f", "weights": "w", "needs": []}
    return dataclasses.replace(one, needs=[need])


def test_a_price_has_the_minutes_of_what_was_needed_before(results):
    both(results)
    timed(results, a=(50, 60, 90), b=(110, 120, 170))  # the median round counts
    for seed in range(3):
        put(results, needing(made("demo/b", seed, 80), made("demo/a", seed)))
    found = experiments.report("demo", "desk", results=results)
    assert experiments.report("demo", "desk", results=str(results)).lines == found.lines
    first, second, third = found.lines
    assert first.minutes == pytest.approx(3 * STEPS)
    assert second.minutes == pytest.approx(3 * STEPS + 4 * STEPS * 2)
    assert third.minutes is None
    assert "timed in turn on a CPU, AVX2, 1 thread" in found.caption()
    heads, *cells = found.cells()
    assert [row[heads.index("minutes")] for row in cells] == ["21.0", "77.0", "waits"]
    assert [line.label for _, line in plots.compared.points(found, "time")] == ["First", "Second"]
    curves = experiments.curves("demo", ["a", "b"], "desk", results=results).curves
    assert [curve.minutes[-1] for curve in curves] == pytest.approx([21, 77])
    assert "77.0" in found.csv().splitlines()[2].split(",")


def test_minutes_compare_steps_of_one_round(results):
    """A whole round that is slow, or a busy moment of one step, makes no difference between rows of equal work."""
    both(results)
    timed(results, a=(60, 60, 180, 60, 60), b=(60, 180, 180, 60, 60))
    known = prices.load("desk", results)
    assert known.minutes(made("demo/a")) == pytest.approx(3 * STEPS)
    assert known.minutes(made("demo/b")) == pytest.approx(4 * STEPS)
    timed(results, a=(60, 120, 180), b=(66, 132, 198))  # a tenth more in each round
    known = prices.load("desk", results)
    assert known.minutes(made("demo/b")) / known.minutes(made("demo/a")) == pytest.approx(1.1 * 4 / 3)


def test_a_teacher_that_was_not_timed_times_nobody(results):
    both(results)
    put(results, needing(made("demo/b", 0, 80), made("demo/a", 0)))
    timed(results, b=(1, 2))
    assert [line.minutes for line in experiments.report("demo", "desk", results=results).lines] == [None] * 3
    timed(results, a=(1, 2), b=(1, 2))
    (results / "desk/demo/a/seed0.json").unlink()
    assert prices.load("desk", results).whole(made("demo/b"), results) is not None
    assert prices.load("desk", results).whole(needing(made("demo/b"), made("demo/a")), results) is None


def test_curves_over_minutes_leave_out_what_was_not_timed(results):
    both(results)
    timed(results, a=(60, 60))
    found = experiments.curves("demo", ["a", "b"], "desk", results=results)
    first, second = found.curves
    assert first.minutes and not second.minutes
    head, *_, row = found.cells()
    assert row[head.index("minutes")] == row[head.index("after 21.0 minutes, %")] == "not timed"
    assert row[head.index("at the end, %")] == "91.0"
    for against, lines in (("epochs", 2), ("minutes", 1)):
        (axes,) = plots.learning_curves(found, against).axes
        assert len(axes.get_lines()) == lines
        assert ("not timed" in axes.get_xlabel()) == (against == "minutes")


def test_what_a_teacher_needed_is_paid_for_too(results):
    timed(results, a=(60,), b=(60,))
    first, second = made("demo/a"), needing(made("demo/b"), made("demo/a"))
    put(results, first)
    put(results, second)
    third = needing(made("demo/a", 0), second)
    known = prices.load("desk", results)
    assert known.before(third, results) == pytest.approx((3 + 4) * STEPS)
    assert known.whole(third, results) == pytest.approx((3 + 4 + 3) * STEPS)


def test_a_last_batch_that_is_not_full_counts_where_it_is_trained_on(results):
    timed(results, a=(1, 1))
    one, known = made("demo/a"), prices.load("desk", results)
    whole = dataclasses.replace(
        one, config=one.config | {"recipe": one.config["recipe"] | {"drop_last": False}}
    )
    assert known.epoch(one) == (STEPS, STEPS) and known.epoch(whole) == (STEPS + 1, STEPS + 1)


DAMAGED = [
    *("{", "[]", "{}", '{"measurements": []}', '{"measurements": {}}'),
    '{"measurements": {"TITLE": {"demo/a": {"each": [1]}}}}',
    '{"measurements": {"TITLE": {"demo/a": {"each": ["x"], "asked": "y"}}}}',
    '{"measurements": {"TITLE": {"demo/a": {"each": [0], "asked": "y"}}}, "environment": {}}',
    '{"measurements": {"TITLE": {"demo/a": {"each": [], "asked": "y"}}}, "environment": {}}',
    '{"measurements": {"TITLE": {"a": {"each": [1], "asked": "y"}, "b": {"each": [1, 1], "asked": "y"}}},'
    ' "environment": {}}',
]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_measurement_is_named(results, text):
    timed(results, a=(1, 1)).write_text(text.replace("TITLE", prices.title("desk")))
    one_line(lambda: prices.load("desk", results), "rows.json", "damaged")


def test_another_profiles_prices_are_none_of_this_one(results):
    timed(results, a=(1, 1))
    assert prices.load("desk", results).steps and not prices.load("lab", results).steps


def test_tables_name_each_machine(results):
    both(results)
    for seed, instructions in enumerate(("AVX512", "AVX2")):
        one = made("demo/a", seed)
        put(results, dataclasses.replace(one, environment=one.environment | {"instructions": instructions}))
    (results / "desk/demo/a/seed2.json").unlink()
    first, *_ = experiments.report("demo", "desk", results=results).lines
    assert first.device == "a CPU, AVX512 and a CPU, AVX2"


@pytest.mark.parametrize(
    ("kind", "native", "told"),
    [
        ("AVX512", True, "AVX512"),
        ("AVX512", False, "AVX512 without bfloat16"),
        ("AVX2", False, "AVX2"),
    ],
)
def test_a_record_names_the_cpus_instructions(kind, native, told, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: kind)
    monkeypatch.setattr(precision, "native", lambda dtype: native)
    assert provenance.environment(torch.device("cpu"), "float32")["instructions"] == told


def test_a_step_is_the_rows_own():
    measured = rows._rows(("joint-table4",), "desk", torch.device("cpu"), rows.ALONE, width=2)
    assert measured.base == (rows.ALONE,) and measured.images == 128
    assert set(measured.variants) == set(measured.asked)
    assert not {"joint-table4/square", "joint-table4/official"} & set(measured.variants)  # which wait there
    planned = resolve(rows.ALONE, profile="desk", overrides=["network.width=2"])
    assert measured.asked[rows.ALONE] == planned.asked
    taught, alone = (measured.variants[f"joint-table4/{row}"] for row in ("distillation", "snn"))
    assert type(taught.method).__name__ == "Distillation" and alone.dtype == torch.bfloat16
    before = [p.clone() for p in taught.method.parameters()]
    taught()
    changed = [not torch.equal(p, q) for p, q in zip(before, taught.method.parameters(), strict=True)]
    assert any(changed)


def test_the_books_prices_are_of_its_rows():
    """Each row of the two tables that has a record was timed with the settings of today."""
    known = prices.load("desk")
    for table in rows.TABLES:
        for line in experiments.report(table, "desk").lines:
            assert not line.ours or known.epoch(line.records()[0]), line.run
