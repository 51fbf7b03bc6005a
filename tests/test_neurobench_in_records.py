"""NeuroBench's numbers in a run's record, beside ours; asked for, they change nothing else."""

import sys

import pytest

from bad_input import one_line
from snnbook.analysis import measurement
from snnbook.analysis.harness import Harness
from snnbook.experiments.runs.job import resolve
from snnbook.experiments.runs.standing import standing
from test_experiments_identity import TABLE, run

ASKED = {"overrides": ["analysis.neurobench=true"]}


@pytest.fixture
def here(put_tables):
    return put_tables(demo=TABLE)


def test_a_record_has_both_counts_of_the_same_images(here, monkeypatch):
    seen = []

    def harness(network, images, labels):
        seen.append((network.training, images.shape[-4], len(labels)))
        return Harness({"accumulates": 5.0}, {"accumulates": 6.0}, "2.3")

    monkeypatch.setattr(measurement, "by_neurobench", harness)
    plain = run(here, "start")
    (here / "results/quick/demo/start/seed0.json").unlink()
    made = run(here, "start", **ASKED)
    found = made.measure["snn"].pop("neurobench")
    assert found == {"neurobench": {"accumulates": 5.0}, "ours": {"accumulates": 6.0}, "version": "2.3"}
    assert made.measure == plain.measure and made.config == plain.config and made.asked == plain.asked
    assert seen[-1][1] == seen[-1][2] and not seen[-1][0]
    assert standing(resolve("demo/start", results=here / "results")) is not None  # asked for or not


def test_without_the_harness_it_is_told_before_the_training(here, monkeypatch):
    monkeypatch.setitem(sys.modules, "neurobench", None)
    one_line(lambda: run(here, "start", **ASKED), "neurobench", "pip install -e '.[neurobench]'")
    assert not list((here / "results").glob("**/*.json"))


def test_the_harness_itself(here):
    pytest.importorskip("neurobench", reason="needs the extra neurobench")
    found = run(here, "start", **ASKED).measure["snn"]
    theirs, ours = found["neurobench"]["neurobench"], found["neurobench"]["ours"]
    assert theirs == pytest.approx(ours, rel=1e-6)
    assert ours["accumulates"] == found["accumulates"]
    assert ours["activation_sparsity"] == pytest.approx(1 - found["firing_rate"])
