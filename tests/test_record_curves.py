"""Curves of a record are as long as the training it tells of."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bad_input import one_line
from claim_cases import lay_out, made
from snnbook import files
from snnbook.errors import UserError
from snnbook.experiments.runs import record, shape


@pytest.fixture
def content(put_tables, monkeypatch):
    lay_out(put_tables, monkeypatch)
    found = record._content(made())
    found["curve"]["test_loss"] = {"sdt": [3.0, 2.0, 1.0]}
    return found


@pytest.mark.parametrize(
    ("part", "value", "says"),
    [
        (("loss", "ce"), [1.0], "curve.loss.ce has 1 entries; expected 3"),
        (("loss", "ce"), [1.0] * 4, "curve.loss.ce has 4"),
        (("accuracy", "snn"), [1.0, 2.0], "curve.accuracy.snn has 2"),
        (("test_loss", "sdt"), [], "curve.test_loss.sdt has 0"),
        (("test_loss", "sdt"), 3.0, "curve.test_loss.sdt has 3.0"),
        (("tested",), [1, 2], "curve.tested is [1, 2]"),
        (("tested",), [2, 1, 3], "curve.tested is"),
        (("tested",), [0, 1, 3], "curve.tested is"),
        (("tested",), [], "curve.tested is []"),
    ],
)
def test_a_curve_of_another_length_is_named(content, tmp_path, part, value, says):
    owner = content["curve"]
    for key in part[:-1]:
        owner = owner[key]
    shape.check_curves(content)
    owner[part[-1]] = value
    one_line(lambda: shape.check_curves(content), says)
    path = tmp_path / "quick/demo/a/seed0.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content | {"checksum": record._checksum(content)}))
    one_line(lambda: record.read(path), path, says)


@given(data=st.data())
@settings(deadline=None, max_examples=80)
def test_what_passes_fits_together(data):
    epochs, numbers = data.draw(st.integers(1, 5)), st.lists(st.just(1.0), max_size=5)
    curve = {
        "tested": data.draw(st.lists(st.integers(0, 6), max_size=4)),
        "loss": data.draw(st.dictionaries(st.sampled_from("ab"), numbers)),
        "accuracy": data.draw(st.dictionaries(st.sampled_from("ab"), numbers)),
    }
    content = {"config": {"recipe": {"epochs": epochs}}, "curve": curve, "metrics": {"a": {}}}
    try:
        shape.check_curves(copy.deepcopy(content))
    except UserError as error:
        assert len(str(error)) < 400
        return
    assert curve["tested"][-1] == epochs and curve["tested"] == sorted(set(curve["tested"]))
    assert all(len(values) == epochs for values in curve["loss"].values())
    assert all(len(values) == len(curve["tested"]) for values in curve["accuracy"].values())


def test_committed_records_are_so():
    paths = sorted(files.results().rglob("seed*.json"))
    assert paths
    for path in paths:
        record.read(path)
