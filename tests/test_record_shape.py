"""What is read as a record is one, down to the numbers that commands read; all else is told with its part."""

import copy
import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bad_input import one_line
from claim_cases import lay_out, made, put
from snnbook.errors import UserError
from snnbook.experiments import lookup, report
from snnbook.experiments.evidence import paired
from snnbook.experiments.evidence.check import check
from snnbook.experiments.evidence.receipt import receipt
from snnbook.experiments.matrix.estimate import durations
from snnbook.experiments.runs import record
from snnbook.experiments.runs.job import resolve
from snnbook.experiments.runs.standing import changed, standing

NEED = {"run": "demo/b", "config": {"method": {"name": "direct"}, "recipe": {"epochs": 1}}, "data": "f"}
NEED |= {"weights": None, "needs": []}


@pytest.fixture
def results(put_tables, monkeypatch):
    return lay_out(put_tables, monkeypatch)


def content(**changes):
    return record._content(made(**changes))


def sealed(results, content):
    path = results / "quick/demo/a/seed0.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content)
    canonical = json.loads(text)
    try:
        canonical["checksum"] = record._checksum(canonical)
    except ValueError:  # NaN
        canonical["checksum"] = "0" * 64
    path.write_text(json.dumps(canonical))
    return path


@pytest.mark.parametrize(
    ("part", "value", "says"),
    [
        ("metrics", [], "metrics is []; expected a mapping"),
        ("metrics", {"snn": 90.0}, "metrics.snn is 90.0"),
        ("metrics", {"snn": {"last": "90", "best": 90.0, "best_epoch": 1}}, "metrics.snn.last is '90'"),
        ("metrics", {"snn": {"last": 90.0, "best": 90.0}}, "metrics.snn.best_epoch is missing"),
        ("seed", "0", "seed is '0'; expected a whole number"),
        ("seed", -1, "seed is -1"),
        ("seed", True, "seed is True"),
        ("curve", None, "curve is None"),
        ("curve", {"loss": {}, "tested": []}, "curve.accuracy is missing"),
        ("curve", {"loss": {"ce": [1.0, "2"]}, "accuracy": {}, "tested": []}, "curve.loss.ce.1 is '2'"),
        ("needs", [1], "needs.0 is 1"),
        ("needs", [NEED | {"needs": [NEED | {"run": None}]}], "needs.0.needs.0.run is None"),
        ("config", {"method": {}, "recipe": {"epochs": 1}}, "config.method.name is missing"),
        ("config", {"method": {"name": "direct"}, "recipe": {"epochs": 0}}, "config.recipe.epochs is 0"),
        ("cost", {"seconds": 10**30}, "cost.seconds_per_epoch is missing"),
        ("history", "none", "history is 'none'"),
        ("weights", 3, "weights is 3; expected a text or null"),
        ("label", "\ud800", "label is "),
        ("odd", 1, "odd is not known"),
    ],
)
def test_a_part_of_another_kind_is_named(results, part, value, says):
    path = sealed(results, content() | {part: value})
    one_line(lambda: record.read(path), path, says)
    assert any(says in line for line in check(results).problems)
    lacking = content()
    if lacking.pop(part, None) is not None:
        one_line(lambda: record.read(sealed(results, lacking)), f"{part} is missing")


JUNK = st.none() | st.booleans() | st.integers(-3, 10**20) | st.floats() | st.text(max_size=3)
# Copies, since a second change may fall inside what the first put there.
JUNK |= st.sampled_from([[], {}, [[]], [{}], {"a": 1}, {"a": {}}, {"snn": []}, [NEED]]).map(copy.deepcopy)


def paths(value, prefix=()):
    yield prefix
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*prefix, key))


@given(data=st.data())
@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_record_is_refused_or_can_be_used_by_all(results, data):
    changed_content = copy.deepcopy(content() | {"needs": [copy.deepcopy(NEED)], "history": ["x"]})
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.sampled_from([path for path in paths(changed_content) if path]))
        owner = changed_content
        for key in place[:-1]:
            owner = owner[key]
        if data.draw(st.booleans()):
            owner[place[-1]] = data.draw(JUNK)
        else:
            del owner[place[-1]]
    path = sealed(results, changed_content)
    try:
        record.read(path)
    except UserError as error:
        assert len(str(error)) < 400 and "\n" not in str(error)
    run = resolve("demo/a", results=results)
    for use in (
        lambda: check(results),
        lambda: report("demo", results=results).markdown(),
        lambda: report("demo", results=results).csv(),
        lambda: lookup("demo/a:snn.last", results=results),
        lambda: standing(run),
        lambda: changed(run, record.read(path)),
        lambda: receipt(results, ["demo/a"]).markdown(),
        lambda: durations([], "quick", results),
    ):
        try:
            use()
        except UserError as error:
            assert len(str(error)) < 400 and "\n" not in str(error)


@pytest.mark.parametrize(
    "text", ["", "[]", "[" * 100_000, '{"seed": NaN}', '{"a": 1e999}', "1" * 20_000, "\xff"]
)
def test_what_is_no_record_is_damaged(results, text):
    path = results / "quick/demo/a/seed0.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode("latin-1"))
    one_line(lambda: record.read(path), "is damaged", "restore it from git")


def test_what_cannot_be_read_is_not_called_damaged(results, monkeypatch):
    path = put(results, made())

    def refuse(*_arguments, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(UserError, match=r"cannot read record .* \(Permission denied\)") as caught:
        record.read(path)
    assert "damaged" not in str(caught.value) and "delete" not in str(caught.value)
    assert any("Permission denied" in line for line in check(results).problems)


def test_a_pipe_or_a_folder_is_no_record(results):
    folder = results / "quick/demo/a"
    (folder / "seed1.json").mkdir(parents=True)
    os.mkfifo(folder / "seed2.json")
    problems = check(results).problems
    assert sum("expected the name of a file of a record" in line for line in problems) == 2


@pytest.mark.parametrize("moment", ["0", "3", "99", "-1", "x", "", "1.5", "01", "9" * 5000])
def test_a_moment_that_the_paper_has_not(results, moment):
    text = f"demo/a:measure.snn.scalability.moments.{moment}"
    with pytest.raises(UserError):
        paired.in_paper(paired.parse(text))


def test_moments_of_the_paper(results):
    for moment, value in (("1", 50), ("2", 60)):
        assert paired.in_paper(paired.parse(f"demo/a:measure.snn.scalability.moments.{moment}")) == value
    claim = "claims:\n- {id: c, paper: tet, says: s, source: t, "
    claim += "test: 'demo/a:measure.snn.scalability.moments.0 > 0'}\n"
    (results.parent / "tables/ledgers/claims.yaml").write_text(claim)
    assert any("moments 1 to 2" in line for line in check(results).problems)
