"""Records: sealed, read back whole, and summed up over seeds."""

import csv
import dataclasses
import io
import json
import math
from functools import partial

import pytest

from snnbook import experiments
from snnbook.errors import UserError
from snnbook.experiments import Record
from snnbook.experiments.runs import record

TABLE = """\
id: demo
paper: somebody
title: A table
source: "Somebody 2020, Table 1"
seeds: [0, 1, 2]
base: {}
profiles: {quick: {}, desk: {}}
rows:
  - {id: one, label: First, method: {name: direct}, baseline: demo/rival,
     paper: {snn: 90.25, seconds_per_epoch: 1.5}}
  - {id: two, label: "Second | both", method: {name: joint}, paper: {snn: 91, snn_std: 0.2, ann: 95}}
  - {id: rival, label: Rival, method: {name: snntorch}}
"""


# The rehearsal reads one seed, so the tests have their records in desk.
report = partial(experiments.report, profile="desk")
lookup = partial(experiments.lookup, profile="desk")


def made(run="demo/one", seed=0, snn=(80.0, 90.0, 88.0), **changes):
    best = max(snn)
    content = Record(
        run=run,
        label="First",
        seed=seed,
        profile="desk",
        asked="0",
        config={"method": {"name": "direct"}, "recipe": {"epochs": len(snn)}},
        data={
            "name": "digits",
            "classes": 10,
            "train": 900,
            "test": 900,
            "standard_error_at_90": 1.0,
            "fingerprint": "f",
        },
        metrics={"snn": {"last": snn[-1], "best": best, "best_epoch": snn.index(best) + 1}},
        curve={
            "loss": {"ce": [2.0, 1.5, 1 / 3][: len(snn)]},
            "accuracy": {"snn": list(snn)},
            "tested": [*range(1, len(snn) + 1)],
        },
        measure={"snn": {"firing_rate": 0.125, "energy_uj": 1.25}},
        cost={"seconds": 6.0, "seconds_per_epoch": 2.0, "images_per_second": 50.0, "parameters": 10},
        environment={"device": "a CPU", "device_type": "cpu", "threads": 2},
        code={"version": "0", "commit": None, "tree": "0"},
        created="2026-01-01T00:00:00+00:00",
    )
    return dataclasses.replace(content, **changes)


@pytest.fixture
def results(put_tables):
    return put_tables(demo=TABLE) / "results"


def put(results, content):
    path = results / content.profile / content.run / f"seed{content.seed}.json"
    record.write(content, path)
    return path


def test_a_record_is_read_back_whole(results):
    content = made()
    assert record.read(put(results, content)) == content


def test_a_curve_stands_on_one_line(results):
    assert '"snn": [ 80.0, 90.0, 88.0 ]' in put(results, made()).read_text()


@pytest.mark.parametrize("label", ["SNN [T  = 4]", "SNN [T\u00a0= 4]", "open [", 'said "[ a,\n b ]"'])
def test_texts_with_brackets_and_odd_spaces_are_read_back_whole(results, label):
    content = made(label=label)
    assert record.read(put(results, content)) == content


def test_a_layer_with_dots_in_its_name_is_found():
    content = made(measure={"snn": {"firing_rates": {"stages.0.2": 0.5, "encode": 0.25}}})
    assert content.value("measure.snn.firing_rates.stages.0.2") == 0.5
    assert content.value("measure.snn.firing_rates.encode") == 0.25
    assert content.value("curve.accuracy.snn.-1") == content.value("snn.last") == 88.0
    for key in ("measure.snn.firing_rates.stages.0", "curve.accuracy.snn.3", "snn.last.", "snn.last.0"):
        assert not content.has(key)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("88.0", "98.0"),
        lambda text: "[]",
        lambda text: "",
        lambda text: json.dumps({key: value for key, value in json.loads(text).items() if key != "checksum"}),
    ],
)
def test_a_damaged_record_is_refused_and_kept(results, damage):
    path = put(results, made())
    damaged = damage(path.read_text())
    path.write_text(damaged)
    with pytest.raises(UserError, match=r"seed0\.json is damaged"):
        record.read(path)
    assert path.read_text() == damaged


def test_a_record_of_another_schema_is_refused(results):
    with pytest.raises(UserError, match="schema 3; expected 2"):
        record.read(put(results, made(schema=3)))
    with pytest.raises(UserError, match="schema 1; 'snnbook check --migrate"):
        record.read(put(results, made(schema=1)))


def test_a_number_that_is_not_finite_is_not_written(results):
    with pytest.raises(ValueError, match="not JSON compliant"):
        put(results, made(measure={"snn": {"firing_rate": math.nan}}))
    assert not list(results.rglob("*.json"))


def test_lookup_over_seeds(results):
    assert lookup("demo/one:snn.last", results=results) is None
    put(results, made(seed=0))
    alone = lookup("demo/one:snn.last", results=results)
    assert (alone.mean, alone.std, alone.n, alone.text()) == (88.0, None, 1, "88.0")
    put(results, made(seed=2, snn=(80.0, 90.0)))
    put(results, made(seed=7, snn=(0.0, 1.0)))  # not a seed of the table
    both = lookup("demo/one:snn.last", results=results)
    assert (both.mean, both.n, both.text()) == (89.0, 2, "89.0 ± 1.4")
    assert both.std == pytest.approx(math.sqrt(2))
    assert [one.seed for one in both.records] == [0, 2]
    assert lookup("demo/one:cost.seconds_per_epoch", results=results).mean == 2.0
    assert lookup("demo/one:measure.snn.firing_rate", results=results).mean == 0.125


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("demo/one", "names no number"),
        ("demo/oen:snn.last", "did you mean 'one'"),
        ("demo/one:snn.lats", "did you mean 'snn.last'"),
        ("demo/one:snn", "no number"),
        ("demo/one:cost.second", "did you mean 'cost.seconds'"),
    ],
)
def test_a_wrong_reference_is_refused(results, reference, says):
    put(results, made())
    with pytest.raises(UserError, match=says):
        lookup(reference, results=results)
    with pytest.raises(UserError, match="did you mean 'quick'"):
        lookup("demo/one:snn.last", profile="quikc", results=results)


def test_a_report_sets_ours_beside_the_paper(results):
    both = {
        "snn": {"last": 92.0, "best": 93.0, "best_epoch": 1},
        "ann": {"last": 94.0, "best": 94.0, "best_epoch": 2},
    }
    put(results, made(seed=0))
    put(results, made(seed=1, snn=(90.0, 91.0)))
    put(results, made("demo/two", metrics=both))
    put(results, made("demo/rival", snn=(70.0, 71.5)))
    found = report("demo", results=results)
    heads, *rows = found.cells()
    assert heads == [
        "row",
        "network",
        "paper",
        "ours",
        "snnTorch",
        "n",
        "µJ",
        "seconds",
        "s/epoch",
        "paper s/epoch",
        "device",
    ]
    assert rows == [
        ["First", "SNN", "90.25", "89.5 ± 2.1", "71.5", "2", "1.25 ± 0.00", "6.0", "2.0", "1.5", "a CPU"],
        ["Second | both", "SNN", "91 ± 0.2", "92.0", "n/a", "1", "1.25", "6.0", "2.0", "n/a", "a CPU"],
        ["Second | both", "ANN", "95", "94.0", "n/a", "1", "n/a", "6.0", "2.0", "n/a", "a CPU"],
        ["Rival", "SNN", "n/a", "71.5", "n/a", "1", "1.25", "6.0", "2.0", "n/a", "a CPU"],
    ]
    assert report("demo", results=results, which="best").lines[1].ours.mean == 93.0
    assert (
        "desk profile, digits (900 test images), sampling error 0.8 to 1.5 points at these accuracies"
        in found.caption()
    )
    assert "not the paper's numbers" in found.caption()
    assert "Second \\| both" in found.markdown()
    assert len({line.count("|") - line.count("\\|") for line in found.markdown().splitlines()}) == 1
    assert r"Second \textbar{} both & SNN & 91 $\pm$ 0.2 & 92.0 & n/a & 1 &" in found.latex()
    parsed = list(csv.DictReader(io.StringIO(found.csv())))
    assert float(parsed[0]["ours"]) == 89.5
    assert parsed[0]["difference"] == ""  # of other networks than the paper's
    assert parsed[3]["paper"] == ""
    assert [row["energy_uj"] for row in parsed] == ["1.25", "1.25", "", "1.25"]
    assert {row["device"] for row in parsed} == {"a CPU"}


def test_only_the_papers_data_are_compared_with_its_numbers(results):
    heads, *_ = report("demo", results=results).cells()
    assert "difference" not in heads
    found = dataclasses.replace(report("demo", results=results), profile="paper")
    line = dataclasses.replace(found.lines[0], paper=90.25, ours=record.statistic([made()], "snn.last"))
    assert found.columns()["difference"](line) == "-2.2"


def test_a_report_without_records_says_so(results):
    rows = report("demo", results=results).cells()[1:]
    assert [row[3] for row in rows] == ["not run"] * 4
    assert all(cell for row in rows for cell in row)


def test_a_report_of_the_public_codes_mode_reads_its_own_records(results):
    put(results, made())
    put(results, made("demo/one+official", snn=(50.0, 60.0)))
    assert report("demo", results=results).lines[0].ours.mean == 88.0
    assert report("demo", recipe="official", results=results).lines[0].ours.mean == 60.0


@pytest.mark.parametrize("options", [{"profile": "quik"}, {"recipe": "offical"}, {"which": "lats"}])
def test_a_report_of_something_unknown_is_refused(results, options):
    with pytest.raises(UserError, match="did you mean"):
        report("demo", **{"results": results, **options})
