"""Joint A-SNN: its losses by hand, its parameters by count, and who may teach whom."""

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from snnbook import losses
from snnbook.analysis.energy import Constants, energy_of_data_movement
from snnbook.analysis.firing import Observation
from snnbook.backbones import NetworkConfig, build_snn
from snnbook.backbones.batchnorm import StepBatchNorm2d
from snnbook.errors import UserError
from snnbook.experiments.runs.job import resolve
from snnbook.experiments.tables import tables
from snnbook.trainers.joint import JointASNN, JointConfig

TINY = NetworkConfig("resnet18", width=8, time_steps=2)
OFFICIAL = JointConfig(mode="official", exits="bottleneck", readout="sum", share_bias=True)


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def joint(config=None, network=TINY):
    torch.manual_seed(0)
    return JointASNN(config or JointConfig(), network, 10, 3)


def test_kl_divergence_is_zero_for_equal_predictions_and_positive_otherwise():
    logits = torch.randn(6, 10)
    assert losses.kl_divergence(logits, logits + 3, temperature=2.0).item() == pytest.approx(0, abs=1e-6)
    assert losses.kl_divergence(logits, -logits).item() > 0


def test_kl_divergence_by_hand():
    teacher, student = torch.tensor([[0.0, math.log(3.0)]]), torch.zeros(1, 2)
    expected = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    assert losses.kl_divergence(teacher, student).item() == pytest.approx(expected, rel=1e-5)


def test_sdt_is_the_cross_entropy_of_the_mean():
    outputs, labels = torch.randn(4, 6, 10), torch.randint(10, (6,))
    assert torch.equal(losses.sdt(outputs, labels), F.cross_entropy(outputs.mean(0), labels))
    with pytest.raises(UserError, match=r"expected \[T, B, classes\]"):
        losses.sdt(outputs[0], labels)


def test_teachers_get_no_gradient():
    ann = [torch.randn(4, 10, requires_grad=True) for _ in range(4)]
    snn = [torch.randn(4, 10, requires_grad=True) for _ in range(4)]
    (losses.kld_loss(ann, snn) + losses.norm_loss(ann, snn)).backward()
    assert all(a.grad is None for a in ann)
    assert all(s.grad.abs().sum() > 0 for s in snn)


def test_nor_does_the_ann_of_the_public_code_and_its_features_count_by_their_sum():
    exits = [[torch.randn(4, 10, requires_grad=True) for _ in range(2)] for _ in range(4)]
    a, a_features, s, s_features = exits
    terms = losses.be_your_own_teacher((a, a_features), (s, s_features), torch.arange(4), beta=0.5)
    apart = sum((x - y).square().sum() for x, y in zip(a_features, s_features, strict=True))
    torch.testing.assert_close(terms["norm"], 0.5 * apart)
    (terms["kld"] + terms["norm"]).backward()
    assert all(x.grad is None for x in a + a_features)
    assert all(x.grad.abs().sum() > 0 for x in s + s_features)
    terms["self"].backward()
    assert a[-1].grad is None and a[0].grad.abs().sum() > 0


@pytest.mark.parametrize("detach", [True, False])
def test_the_lessons_reach_the_ann_only_if_it_is_not_detached(detach):
    method, images, labels = joint(JointConfig(detach=detach)), torch.rand(4, 3, 16, 16), torch.arange(4)
    terms = method(images, labels)
    (terms["kld"] + terms["norm"]).backward()
    reached = [p.grad is not None and bool(p.grad.any()) for p in method.ann.heads[-1].parameters()]
    assert reached == [not detach] * 2


def test_terms_of_the_paper_add_up():
    method, images, labels = joint(JointConfig(kld=2.0, norm=0.5)), torch.rand(4, 3, 16, 16), torch.arange(4)
    terms = method(images, labels)
    (ann, _), (snn, _) = method.ann(images), method.snn_exits(images)
    ce = sum(F.cross_entropy(x, labels) for x in ann + snn)
    torch.testing.assert_close(terms["ce"], ce)
    torch.testing.assert_close(terms["kld"], 2.0 * losses.kld_loss(ann, snn))
    torch.testing.assert_close(terms["norm"], 0.5 * losses.norm_loss(ann, snn))


def test_the_snn_may_be_asked_for_the_label_at_every_step():
    method, images, labels = joint(JointConfig(label_loss="tet")), torch.rand(4, 3, 16, 16), torch.arange(4)
    terms = method(images, labels)
    (ann, _), (snn, _) = method.ann(images), method.snn_outputs(images)
    assert [tuple(x.shape) for x in snn] == [(2, 4, 10)] * 4
    ce = sum(F.cross_entropy(x, labels) for x in ann) + sum(losses.tet(x, labels, phi=0.5) for x in snn)
    torch.testing.assert_close(terms["ce"], ce)
    with pytest.raises(UserError, match="are for mode 'paper'"):
        JointConfig(mode="official", label_loss="tet")


def test_official_loss_differs_from_cross_entropies_by_a_constant_only():
    """With soft targets fixed, KL and cross-entropy have one gradient; the public code uses the latter."""
    torch.manual_seed(0)
    target, student = torch.randn(5, 10), torch.randn(5, 10, requires_grad=True)
    (ours,) = torch.autograd.grad(losses.kl_divergence(target, student, 3.0), student)
    soft = -(F.softmax(target / 3, -1) * F.log_softmax(student / 3, -1)).sum(-1).mean() * 9
    (theirs,) = torch.autograd.grad(soft, student)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("name", "classes", "config", "expected"),
    [
        ("resnet18", 10, JointConfig(), 21_557_143),
        ("resnet18", 100, JointConfig(), 21_730_663),
        ("resnet18", 10, JointConfig(factorize_stem=False), 21_557_008),
        ("resnet18", 100, JointConfig(factorize_stem=False), 21_730_528),
        ("resnet18", 10, OFFICIAL, 24_703_471),
    ],
)
def test_parameter_counts(name, classes, config, expected, monkeypatch):
    # Counting needs shapes, not singular vectors: the true decomposition of these sizes takes seconds.
    monkeypatch.setattr(torch.linalg, "svd", _shapes_of_svd)
    assert parameters(JointASNN(config, NetworkConfig(name), classes, 3)) == expected


@pytest.mark.parametrize(
    ("config", "expected"), [(JointConfig(), 41_840_279), (OFFICIAL, 44_986_607)], ids=["paper", "official"]
)
def test_parameter_counts_of_resnet34(config, expected, monkeypatch):
    monkeypatch.setattr(torch.linalg, "svd", _shapes_of_svd)
    assert parameters(JointASNN(config, NetworkConfig("resnet34"), 10, 3)) == expected


def _shapes_of_svd(a, full_matrices=True):
    *batch, m, n = a.shape
    r = min(m, n)
    u, v = ((m, m), (n, n)) if full_matrices else ((m, r), (r, n))
    return torch.zeros(*batch, *u), torch.zeros(*batch, r), torch.zeros(*batch, *v)


def test_every_parameter_learns():
    method = joint()
    sum(method(torch.rand(8, 3, 16, 16), torch.arange(8)).values()).backward()
    assert [n for n, p in method.named_parameters() if p.grad is None or p.grad.abs().sum() == 0] == []


@pytest.mark.parametrize(
    "config",
    [
        JointConfig(norm=0.0),
        JointConfig(exits="last", kld=0.0, norm=0.0),
        JointConfig(factorize="none"),
        JointConfig(factorize="full"),
        OFFICIAL,
    ],
)
@pytest.mark.parametrize("name", ["resnet18", "vgg16"])
def test_every_setting_trains_and_predicts(config, name):
    method = joint(config, NetworkConfig(name, width=8, time_steps=2))
    images, labels = torch.rand(8, 3, 32, 32), torch.arange(8)
    optimizer = torch.optim.Adam(method.parameters(), 1e-3)
    values = []
    for _ in range(6):
        loss = sum(method(images, labels).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[-1] < values[0]
    method.eval()
    assert {n: x.shape for n, x in method.predict(images).items()} == {"snn": (8, 10), "ann": (8, 10)}


def test_shared_biases_are_one_parameter():
    method = joint(OFFICIAL)
    for ann, snn in zip(method.ann.heads, method.snn.backbone.heads, strict=True):
        assert ann.bias is snn.bias
        assert ann.weight is not snn.weight


def test_prediction_uses_the_newest_factors():
    method, images = joint(), torch.rand(4, 3, 16, 16)
    method.eval()
    before = method.predict(images)["ann"]
    method.train()
    with torch.no_grad():
        for factors in method.factors.layers.values():
            factors.spectrum_ann.zero_()
    method.eval()
    assert not torch.equal(method.predict(images)["ann"], before)


def test_unknown_settings_are_refused():
    with pytest.raises(UserError, match="expected one of paper, official"):
        JointConfig(mode="offical")


def test_a_sum_is_the_mean_times_the_time_steps():
    network, images = NetworkConfig("vgg16", width=4, time_steps=1), torch.rand(4, 3, 16, 16)
    mean, total = (joint(JointConfig(readout=r), network).eval().predict(images) for r in ("mean", "sum"))
    torch.testing.assert_close(mean["snn"], total["snn"])
    network = dataclasses.replace(network, time_steps=3)
    mean, total = (joint(JointConfig(readout=r), network).eval().predict(images) for r in ("mean", "sum"))
    torch.testing.assert_close(3 * mean["snn"], total["snn"])


def test_the_last_exit_predicts():
    """What the two networks say without their exits, as they are deployed."""
    method, images = joint().eval(), torch.rand(4, 3, 16, 16)
    said, alone = method.predict(images), method.backbones()
    torch.testing.assert_close(said["snn"], method.snn.run(alone["snn"], images).mean(0))
    torch.testing.assert_close(said["ann"], alone["ann"](images))


@pytest.mark.parametrize(
    "name", ["joint-table1-cifar10", "joint-table1-cifar100", "joint-table2", "joint-table3"]
)
@pytest.mark.parametrize("profile", ["quick", "lab", "paper"])
def test_rows_beside_each_other_differ_in_the_method_alone(name, profile):
    rows = {row.id: row for row in tables.load(name).rows}
    pairs = [(row, alone) for row in rows for alone in (f"{row}-snn", f"{row}-snntorch") if alone in rows]
    assert len(pairs) >= 2
    for pair in pairs:
        if any(rows[row].barred(profile) for row in pair):
            continue
        ours, alone = (resolve(f"{name}/{row}", profile=profile).settings for row in pair)
        assert ours.method.kld == 1.0 and ours.method.norm == 0.3  # Sec. 5.1
        for section in ("network", "recipe"):
            assert getattr(ours, section) == getattr(alone, section), pair
        assert dataclasses.replace(ours.data, test_limit=None) == dataclasses.replace(
            alone.data, test_limit=None
        )


def test_the_papers_energies_favour_the_snn_even_with_the_units_put_right():
    """Sec. 5.4 adds arithmetic (Table 5) and data movement (Table 6), and its conclusion outlives their slips."""

    def costs(accumulates, multiply_accumulates, mebibytes):
        moved = Observation({}, activations=mebibytes * 2**20 / 8, rates={}, spikes=0, time_steps=1)
        return Constants().joules(accumulates, multiply_accumulates), energy_of_data_movement(moved)

    (ann, ann_moved), (snn, snn_moved) = costs(0, 187e6, 6.234), costs(73.4e6, 3.52e6, 12.506)
    assert ann / snn == pytest.approx(10.5, abs=0.05)
    # Its SNN's energy is 0.6 % above what its own volume gives.
    assert snn_moved.least / ann_moved.least == pytest.approx(2.062 / 1.022, rel=7e-3)
    assert snn + snn_moved.most < ann + ann_moved.least


def test_step_batchnorm_reaches_the_exits():
    config = JointConfig(mode="official", exits="bottleneck")
    method = joint(config, dataclasses.replace(TINY, options={"batchnorm": "step"}))
    norms = [m for m in method.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms and {type(m) for m in norms} == {StepBatchNorm2d}


@pytest.mark.parametrize("mode", ["paper", "official"])
def test_both_networks_classifiers_start_alike(mode):
    method = joint(JointConfig(mode=mode))
    for ann, snn in zip(method.ann.heads, method.snn.backbone.heads, strict=True):
        assert torch.equal(ann.weight, snn.weight)


def test_classifiers_of_the_public_code_begin_by_their_fan_out():
    for head in joint(JointConfig(mode="official")).ann.heads:
        assert head.weight.std().item() == pytest.approx((2 / 10) ** 0.5, rel=0.2)


@pytest.mark.parametrize("mode", ["paper", "official"])
def test_terms_that_grow_with_the_batch_are_named(mode):
    """Or the loss of several processes would not be that of one."""
    method, images, labels = joint(JointConfig(mode=mode)).eval(), torch.rand(8, 3, 16, 16), torch.arange(8)
    with torch.no_grad():
        whole, *halves = (method(images[part], labels[part]) for part in (slice(8), slice(4), slice(4, 8)))
    for name, term in whole.items():
        share = 1 if name in method.summed else 0.5
        torch.testing.assert_close(term, share * sum(half[name] for half in halves), rtol=1e-4, atol=0)
        assert term > 0


@pytest.mark.parametrize("factorize", ["thin", "full"])
def test_recurrent_weights_which_the_ann_lacks_stay_the_snns(factorize):
    def method(name):
        torch.manual_seed(0)
        network = NetworkConfig(name, width=8, time_steps=3, neuron_options={"threshold": 0.1})
        return JointASNN(JointConfig(factorize=factorize), network, 3, 2), network

    (made, network), (dense, _) = method("recurrent"), method("dense")
    images = torch.rand(4, 2, 8, 8)
    sum(made(images, torch.tensor([0, 1, 2, 0])).values()).backward()
    own = made.backbones()["snn"].stages[0][2].recurrence
    assert type(own) is nn.Conv2d and own.weight.grad.any()
    assert list(made.factors.layers) == list(dense.factors.layers)
    assert parameters(made) == parameters(dense) + own.weight.numel()
    expected = made.eval().predict(images)["snn"]
    made.factors.release()
    torch.testing.assert_close(made.predict(images)["snn"], expected)
    alone = build_snn(network, 3, 2).eval()
    alone.backbone.load_state_dict(made.backbones()["snn"].state_dict())
    torch.testing.assert_close(alone(images).mean(0), expected)
