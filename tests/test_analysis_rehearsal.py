"""What a run is to measure at its end is tried before it begins."""

import pytest
import torch

from snnbook import analysis, experiments
from snnbook.analysis.config import AnalysisConfig
from snnbook.analysis.measurement import rehearse
from snnbook.backbones import NetworkConfig
from snnbook.errors import UserError
from snnbook.experiments.runs import training
from snnbook.trainers import METHODS, build_method
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.recipe import Recipe

NETWORK = NetworkConfig("convnet", width=4, time_steps=2, neuron="tet")
EVERYTHING = AnalysisConfig(time_steps=(1, 3), moments=2, landscape=7, images=50)

TABLE = """\
id: demo
paper: somebody
title: A table
source: "Somebody 2020, Table 1"
seeds: [0]
base:
  data: {name: digits, size: 8, train_per_class: 5, test_limit: 50}
  network: {name: convnet, width: 4, time_steps: 2, neuron: tet}
  recipe: {epochs: 300, batch_size: 25}
profiles: {quick: {}}
rows:
  - {id: joint, label: Joint, method: {name: joint}, analysis: {landscape: 5}}
  - {id: alone, label: Alone, method: {name: tet}, analysis: {mismatch: 8}}
  - {id: maps, label: Maps, method: {name: direct}, analysis: {activation_maps: 3}}
  - {id: ann, label: ANN, method: {name: direct, train: ann}, analysis: {time_steps: [1]}}
  - {id: snntorch, label: Theirs, method: {name: snntorch}, network: {name: resnet18}, analysis: {landscape: 5}}
"""


def method(name, data, **options):
    torch.manual_seed(0)
    return build_method(name, METHODS[name].Config(**options), NETWORK, data)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("joint", "several readouts; analyses over time need one"),
        ("alone", "TET has no teacher"),
        ("maps", "Direct has no teacher"),
        ("ann", "analysis asks for time_steps, which look at a spiking network, and Direct trains none"),
        ("snntorch", "has 0 spiking networks"),
    ],
)
def test_an_analysis_that_cannot_be_done_is_refused_before_training(put_tables, monkeypatch, row, told):
    here = put_tables(demo=TABLE)
    monkeypatch.setattr(training, "fit", lambda *_, **__: pytest.fail("trained for nothing"))
    with pytest.raises(UserError, match=told) as refused:
        experiments.run(f"demo/{row}", device="cpu", progress=False, results=here / "r", work=here / "w")
    assert "\n" not in str(refused.value)


def test_a_batch_larger_than_the_test_set_is_refused(data):
    with pytest.raises(UserError, match=r"analysis.mismatch is 101, but there are 100 test images"):
        analysis.rehearse(method("tet", data), data, AnalysisConfig(mismatch=101))


def test_a_rehearsal_leaves_no_trace(data):
    """Weights, statistics, random numbers and what is trained then are as without one."""
    recipe = Recipe(epochs=2, batch_size=20, augment=("crop",))
    plain = method("tet", data)
    drawn = torch.rand(3)
    curve = fit(plain, data, recipe, seed=0, progress=False)
    tried = method("tet", data)
    analysis.rehearse(tried, data, EVERYTHING)
    assert torch.equal(torch.rand(3), drawn)
    assert tried.network.time_steps == 2
    again = fit(tried, data, recipe, seed=0, progress=False)
    assert again.losses == curve.losses and again.accuracy == curve.accuracy
    for name, tensor in plain.state_dict().items():
        assert torch.equal(tensor, tried.state_dict()[name]), name


def test_without_analyses_nothing_is_tried(data, monkeypatch):
    monkeypatch.setattr(analysis.measurement, "measure", lambda *_: pytest.fail("measured"))
    analysis.rehearse(method("direct", data, train="ann"), data, AnalysisConfig())


def test_how_an_analysis_is_made_asks_for_none():
    """A teacher's row may keep its table's ``mismatch_epochs`` and leave the score itself out."""
    rehearse(None, None, AnalysisConfig(mismatch=0, mismatch_epochs=10, images=20, radius=0.5))
