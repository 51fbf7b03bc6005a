"""Time as a quantity of its own: other lengths, single moments, smooth neurons, losses that change over epochs."""

import statistics

import pytest
import torch
from torch.autograd import gradcheck

from snnbook import analysis, losses, neurons
from snnbook.analysis.config import AnalysisConfig
from snnbook.backbones import NetworkConfig, build_snn
from snnbook.data import DataConfig, load, test_batches
from snnbook.errors import UserError
from snnbook.experiments.tables import tables
from snnbook.folding import set_time_steps
from snnbook.trainers import TET, Switch
from snnbook.trainers.loop import evaluation
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.recipe import Recipe
from snnbook.trainers.switch import SwitchConfig
from snnbook.trainers.tet import TETConfig

NETWORK = NetworkConfig("convnet", width=4, time_steps=3, neuron="tet")


@pytest.fixture(scope="module")
def data():
    return load(DataConfig(size=8, train_per_class=10, test_limit=100))


@pytest.fixture(scope="module")
def trained(data):
    torch.manual_seed(0)
    method = TET(TETConfig(), NETWORK, 10, 1)
    fit(method, data, Recipe(epochs=3, batch_size=20, augment=()), seed=0, progress=False)
    return method


def test_scalability_equals_running_each_length(trained, data):
    network = trained.network.train()  # from which it is taken
    found = analysis.scalability(network, data, (1, 2, 5, 9), moments=4, batch_size=32)
    images, labels = next(iter(test_batches(data, 100)))
    for t, accuracy in found["integrated"].items():
        outputs = set_time_steps(network, t)(images)
        assert accuracy == pytest.approx(100 * (outputs.mean(0).argmax(1) == labels).float().mean().item())
    moments = set_time_steps(network, 4)(images)
    expected = 100 * (moments.argmax(-1) == labels).float().mean(1)
    assert list(found["moments"].values()) == pytest.approx(expected.tolist())
    assert len(set(found["moments"].values())) > 1


def test_moments_end_with_the_longest_time_by_default(trained, data):
    assert list(analysis.scalability(trained.network, data, (2, 3))["moments"]) == [1, 2, 3]


def test_scalability_leaves_the_length_as_it_was(trained, data):
    set_time_steps(trained.network, 3)
    analysis.scalability(trained.network, data, (8,))
    assert trained.network.time_steps == len(trained.network(torch.zeros(1, 1, 8, 8))) == 3


def test_variances_of_the_papers_text_come_from_its_table():
    """Deng et al. 2022, A.5: 3.81 and 4.04 for SDT, 1.41 and 0.08 for TET, trained at T = 3 and 4."""
    rows = {"sdt-t3": 3.81, "sdt-t4": 4.04, "tet-t3": 1.41, "tet-t4": 0.08}
    for name, printed in rows.items():
        moments = tables.load("tet-table4").row(name).paper.moments
        found = analysis.variance_beyond(dict(enumerate(moments, 1)), int(name[-1]))
        assert found == pytest.approx(printed, abs=0.011)
    assert analysis.variance_beyond({"1": 9.0, "2": 1.0, "3": 4.0}, 1) == pytest.approx(
        statistics.variance([1, 4])
    )


def test_smooth_neurons_have_a_true_gradient():
    lif = neurons.preset("tet", smooth=True, surrogate={"name": "sigmoid", "k": 2.0}, time_steps=4)
    current = torch.randn(4, 6, dtype=torch.float64).requires_grad_()
    out = lif(current)
    assert ((out > 0) & (out < 1)).all()
    assert gradcheck(lif, (current,))


def test_a_steep_smooth_neuron_is_nearly_a_spiking_one():
    steep = neurons.preset("tet", smooth=True, surrogate={"name": "sigmoid", "k": 1e9}, time_steps=5)
    spiking = neurons.preset("tet", time_steps=5)
    current = torch.rand(5, 50, dtype=torch.float64)
    torch.testing.assert_close(steep(current), spiking(current), atol=1e-2, rtol=0)


def test_the_switch_changes_the_loss_at_its_epoch(data):
    torch.manual_seed(0)
    method = Switch(SwitchConfig(lam=0.1, at=2), NETWORK, 10, 1).eval()
    images, labels = next(iter(test_batches(data, 20)))
    outputs = method.network(images)
    for epoch, expected in ((0, losses.sdt), (1, losses.sdt), (2, losses.every_moment)):
        method.begin_epoch(epoch)
        terms = method(images, labels)
        share = 1 if epoch < 2 else 0.9
        torch.testing.assert_close(terms["tet"], share * expected(outputs, labels))
        assert set(terms) == {"tet", "mse"}
        assert (terms["mse"].item() > 0) == (epoch >= 2)


def test_test_losses_are_followed(data):
    torch.manual_seed(0)
    method = Switch(SwitchConfig(lam=0.0, at=1), NETWORK, 10, 1)
    history = fit(method, data, Recipe(epochs=2, batch_size=20, augment=()), seed=0, progress=False)
    images, labels = next(iter(test_batches(data, 100)))
    with torch.no_grad():
        outputs = method.network(images)
    assert set(history.test_losses) == {"sdt", "tet"}
    assert history.test_losses["sdt"][-1] == pytest.approx(losses.sdt(outputs, labels).item(), rel=1e-4)
    assert all(a <= b for a, b in zip(*history.test_losses.values(), strict=True))  # Lemma 4.1


def test_a_test_weighs_images_and_not_batches(data, monkeypatch):
    torch.manual_seed(0)
    method, recipe = Switch(SwitchConfig(), NETWORK, 10, 1), Recipe()
    whole = evaluation.test_losses(method, data, recipe), evaluation.evaluate(method, data)
    monkeypatch.setattr(evaluation, "TEST_BATCH", 70)  # and a last one of 30
    assert evaluation.test_losses(method, data, recipe) == pytest.approx(whole[0], rel=1e-5)
    assert evaluation.evaluate(method, data) == whole[1]


def test_measure_adds_what_the_section_asks_for(trained, data):
    analyses = AnalysisConfig(time_steps=(1, 3), moments=2, landscape=5, images=30)
    snn = analysis.measure(trained, data, analyses, seed=1)["snn"]
    assert list(snn["scalability"]["integrated"]) == [1, 3]
    assert list(snn["scalability"]["moments"]) == [1, 2]
    assert snn["landscape"]["images"] == 30
    z = snn["landscape"]["tet"]  # within half of the radius lie the four neighbours of the middle
    assert snn["landscape"]["rise"]["tet"] == pytest.approx(
        (z[1][2] + z[3][2] + z[2][1] + z[2][3]) / 4 - z[2][2], abs=1e-4
    )
    assert "scalability" not in analysis.measure(trained, data)["snn"]


def test_a_seed_draws_the_plane_of_a_landscape(trained, data):
    first, again, other = (
        analysis.measure(trained, data, AnalysisConfig(landscape=5, images=20), seed)["snn"]["landscape"]
        for seed in (1, 1, 2)
    )
    assert first == again and first["minimum"] == other["minimum"]
    assert first["sdt"] != other["sdt"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AnalysisConfig(time_steps=(0, 2)), "at least 1"),
        (lambda: AnalysisConfig(landscape=4), "odd number"),
        (lambda: AnalysisConfig(radius=0.0), "above 0"),
        (lambda: SwitchConfig(at=-1), "at least 0"),
        (lambda: analysis.variance_beyond({1: 3.0, 2: 4.0}, 1), "a variance needs two"),
        (lambda: analysis.scalability(build_snn(NETWORK, 10, 1), None, ()), "at least 1"),
        (lambda: analysis.scalability(build_snn(NETWORK, 10, 1), None, (1.5,)), "time_steps is 1.5"),
        (lambda: analysis.scalability(torch.nn.Linear(2, 2), None, (1,)), "expected a SpikingNetwork"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(UserError, match=message):
        make()
