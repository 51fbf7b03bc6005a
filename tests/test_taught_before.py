"""Runs that others start from are looked at before they are trained: kind, network, data, analyses."""

import pytest

from bad_input import one_line
from snnbook import experiments
from snnbook.experiments.runs import training
from snnbook.experiments.runs.job import check_table, resolve
from snnbook.experiments.tables import tables

TABLE = """\
id: demo
paper: somebody
title: A table
source: "Somebody 2020, Table 1"
seeds: [0]
base:
  data: {name: digits, size: 8, train_per_class: 4, test_limit: 50}
  network: {name: resnet18, width: 4, time_steps: 2}
  recipe: {epochs: 1, batch_size: 20, augment: []}
profiles: {quick: {}}
rows:
  - {id: ann, label: ANN, method: {name: direct, train: ann}}
  - {id: snn, label: SNN, method: {name: direct}}
  - {id: joint, label: Joint, method: {name: joint}}
  - {id: rgb, label: RGB, method: {name: direct, train: ann}, data: {name: folder, train_per_class: 1}}
"""
ROW = "  - {{id: late, label: Late, {}}}\n"
PAIR = "method: {{name: feature_distillation, student_layer: {}, teacher_layer: 1}}, needs: [demo/ann]"
KD = "method: {name: distillation}, needs: [demo/ann]"


@pytest.fixture
def here(put_tables, tree, monkeypatch):
    monkeypatch.setattr(training, "fit", lambda *_, **__: pytest.fail("trained"))

    def lay_out(row):
        return put_tables(demo=TABLE + ROW.format(row)), tree

    return lay_out


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (KD.replace("/ann", "/snn"), "the teacher is demo/snn, of method direct"),
        (KD.replace("/ann", "/joint"), "of method joint"),
        (KD.replace("demo/ann", "demo/ann, demo/snn"), "needs 1 trained networks (teacher), got 2"),
        ("method: {name: distillation}", "got 0"),
        ("method: {name: direct}, needs: [demo/ann]", "needs 0 trained networks (none), got 1"),
        (KD.replace("n}", "n, teacher: {name: resnet18, width: 8}}", 1), "method.teacher says"),
        (KD.replace("n}", "n, teacher: {name: vgg11}}", 1), "method.teacher says"),
    ],
)
def test_a_teacher_of_another_kind_is_told_when_tables_are_read(here, row, says):
    here(row)
    for look in (lambda: resolve("demo/late").check(), lambda: check_table(tables.load("demo"))):
        one_line(look, "row 'late'", says)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (KD.replace("/ann", "/rgb"), "has images of 10 classes with 1 channels"),
        (PAIR.format(99), "method.student_layer is 99"),
        (KD + ", analysis: {mismatch: 99}", "analysis.mismatch is 99"),
        ("method: {name: tet}, inherits: demo/joint", "will not fit the network"),
        ("method: {name: tet}, inherits: demo/snn, network: {width: 8}", "will not fit the network"),
    ],
)
def test_what_cannot_be_started_from_is_told_before_it_is_trained(here, row, says):
    place, images = here(row)
    one_line(
        lambda: experiments.run(
            "demo/late", results=place / "r", work=place / "w", data=images, device="cpu", progress=False
        ),
        says,
    )
    assert not list(place.glob("w/**/model*"))


def test_events_of_more_steps_start_from_a_network_of_fewer(put_tables):
    few, many = (f"network: {{time_steps: {t}}}, data: {{name: digit_events, frames: {t}}}" for t in (2, 3))
    start = f"  - {{id: start, label: Start, method: {{name: direct}}, {few}}}\n"
    place = put_tables(
        demo=TABLE + start + ROW.format(f"method: {{name: tet}}, inherits: demo/start, {many}")
    )
    folders = dict(results=place / "r", work=place / "w", device="cpu", progress=False)
    made = experiments.run("demo/late", **folders)
    (need,) = made.needs
    assert (need["config"]["data"]["frames"], made.config["data"]["frames"]) == (2, 3)
    more = resolve("demo/late", 0, overrides=["network.time_steps=4", "data.frames=4"]).inherits
    assert more.settings.as_dict()["data"]["frames"] == 2 and more.id == "demo/start"


def test_what_fits_is_trained(put_tables):
    row = "method: {name: tet}, inherits: demo/snn, network: {time_steps: 3}"
    place = put_tables(demo=TABLE + ROW.format(row))
    made = experiments.run("demo/late", results=place / "r", work=place / "w", device="cpu", progress=False)
    assert [need["run"] for need in made.needs] == ["demo/snn"]
