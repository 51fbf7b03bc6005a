"""Seconds are compared among runs on one kind of machine alone: by verdicts, tables, curves and figures."""

import dataclasses

import matplotlib

matplotlib.use("Agg")

import pytest
import torch

from claim_cases import claim, lay_out, made, put
from snnbook import experiments, plots
from snnbook.errors import UserError
from snnbook.experiments.evidence import claims, judge, machines
from snnbook.experiments.runs import provenance
from snnbook.experiments.runs.job import resolve

TIMED = "demo/a:cost.seconds_per_epoch - demo/b:cost.seconds_per_epoch < 0"


@pytest.fixture
def results(put_tables, monkeypatch):
    return lay_out(put_tables, monkeypatch)


def both(results, instructions=(None, None), threads=(1, 1), device=("a CPU", "a CPU")):
    """Three seeds of rows ``a`` and ``b``, each row on its own machine."""
    for place, row in enumerate("ab"):
        for seed in range(3):
            one = made(f"demo/{row}", seed, 90 + seed)
            on = one.environment | {"threads": threads[place], "device": device[place]}
            on |= {"instructions": instructions[place]} if instructions[place] else {}
            seconds = one.cost | {"seconds_per_epoch": 2.0 + place + 0.01 * seed, "total_seconds": 6.0}
            put(results, dataclasses.replace(one, environment=on, cost=seconds))


UNLIKE = [
    {"instructions": ("AVX2", "AVX512")},
    {"instructions": (None, "AVX2")},
    {"threads": (1, 2)},
    {"device": ("a CPU", "a GPU")},
]


@pytest.mark.parametrize("unlike", UNLIKE)
def test_no_verdict_on_seconds_of_unlike_machines(results, unlike):
    both(results, **unlike)
    found = judge.judge(claim(TIMED, about="cost", unit="s"), results=results)
    assert (found.word, found.why) == (judge.UNDECIDED, "its runs were timed on unlike machines")
    assert (
        judge.judge(claim(), results=results).why == "the interval reaches both sides"
    )  # accuracies compare


def test_a_verdict_on_one_machine(results):
    both(results)
    assert judge.judge(claim(TIMED, about="cost", unit="s"), results=results).word == judge.HOLDS


def test_curves_over_minutes_leave_out_what_was_timed_elsewhere(results):
    both(results, instructions=(None, "AVX2"))
    found = experiments.curves("demo", ["a", "b"], "desk", results=results)
    first, second = found.curves
    assert first.minutes and not second.minutes
    head, *_, row = found.cells()
    assert row[head.index("minutes")] == row[head.index("after 0.1 minutes, %")] == "another machine"
    assert row[head.index("at the end, %")] == "91.0"
    assert found.timed_elsewhere() == "Timed on another kind of machine: Second."
    for against, lines in (("epochs", 2), ("minutes", 1)):
        (axes,) = plots.learning_curves(found, against).axes
        assert len(axes.get_lines()) == lines
        assert ("Timed on another" in axes.get_xlabel()) == (against == "minutes")


def test_tables_name_the_machine_and_prices_are_those_of_most(results):
    both(results, instructions=("AVX512", "AVX2"))
    put(
        results,
        dataclasses.replace(
            made("demo/b", 0, 90), environment=made().environment | {"instructions": "AVX512"}
        ),
    )
    found = experiments.report("demo", "desk", results=results)
    lines = {line.label: line for line in found.lines}
    assert lines["First"].device == "a CPU, AVX512"
    assert lines["Second"].device == "a CPU, AVX512 and a CPU, AVX2"
    assert [len(lines[label].minutes) for label in ("First", "Second", "Third")] == [3, 1, 0]
    assert [line.label for _, line in plots.compared.points(found.lines, "time")] == ["First", "Second"]


def test_a_record_names_the_cpus_instructions():
    here = provenance.environment(torch.device("cpu"), "float32")
    assert here["instructions"] == torch.backends.cpu.get_cpu_capability()
    assert machines.commonest([]) is None


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


def test_only_a_test_of_one_run_has_another_in_desk(results):
    with pytest.raises(UserError, match="expected a test of one run"):
        claim(desk="demo/b")
    with pytest.raises(UserError, match="no row 'c'"):
        claim("demo/a:snn.last > 80", desk="demo/c")


def needing(one, other):
    """The record ``one``, as if ``other`` had been its teacher."""
    need = {"run": other.run, "config": other.config, "data": "f", "weights": "w", "needs": []}
    return dataclasses.replace(one, needs=[need])


def test_a_price_has_the_minutes_of_what_was_needed_before(results):
    both(results)
    for seed in range(3):
        one = needing(made("demo/b", seed, 80), made("demo/a", seed))
        put(results, dataclasses.replace(one, cost=one.cost | {"seconds_per_epoch": 6.0}))
    lines = {line.label: line for line in experiments.report("demo", "desk", results=results).lines}
    alone, taught = lines["First"].minutes, lines["Second"].minutes
    assert taught == pytest.approx([4 * 6.0 / 60 + each for each in alone]) and min(alone) > 0
    found = experiments.curves("demo", ["a", "b"], "desk", results=results)
    assert [curve.minutes[-1] for curve in found.curves] == pytest.approx([alone[1], taught[1]])


def test_a_teacher_of_another_machine_times_nobody(results):
    both(results, device=("a GPU", "a CPU"))
    for seed in range(3):
        put(results, needing(made("demo/b", seed, 80), made("demo/a", seed)))
    lines = {line.label: line for line in experiments.report("demo", "desk", results=results).lines}
    assert [len(lines[label].minutes) for label in ("First", "Second")] == [3, 0]
    first, second = experiments.curves("demo", ["a", "b"], "desk", results=results).curves
    assert first.minutes and not second.minutes
