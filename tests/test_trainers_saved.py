"""Saving memory changes what is kept, and no number."""

import copy
import pickle
from functools import partial

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from snnbook.backbones import NetworkConfig, build_ann, build_snn
from snnbook.backbones.backbone import Backbone
from snnbook.bench import kept_bytes
from snnbook.data import DataConfig, load
from snnbook.errors import UserError
from snnbook.neurons import LIF
from snnbook.trainers import Direct, JointASNN
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.recipe import Recipe
from snnbook.trainers.loop.saved import save_memory

NETWORKS = ["resnet18", "resnet19", "sew_resnet34", "vggsnn", "sastc_bottleneck16", "wrn16_2", "pyramidnet20"]


def kept(network, images) -> int:
    return kept_bytes(lambda: network(images), list(network.parameters()))


def train_two_steps(network, images):
    for _ in range(2):
        network.zero_grad()
        network(images).square().mean().backward()
    return {**{k: p.grad for k, p in network.named_parameters()}, **dict(network.named_buffers())}


def bits(values):
    return {name: value.clone() for name, value in values.items()}


def assert_same(got, expected):
    assert got.keys() == expected.keys()
    assert not [name for name in expected if not torch.equal(got[name], expected[name])]


CASES = {
    **{name: NetworkConfig(name, width=8, time_steps=2) for name in NETWORKS},
    "smooth": NetworkConfig("convnet", width=8, time_steps=2, neuron_options={"smooth": True}),
    "sew_and": NetworkConfig("sew_resnet34", width=4, options={"connect": "and"}, neuron="tet", time_steps=2),
}


@pytest.mark.parametrize("way", ["bytes", "recompute"])
@pytest.mark.parametrize("name", CASES)
def test_gradients_and_statistics_are_the_same_to_the_last_bit(name, way):
    torch.manual_seed(0)
    plain = build_snn(CASES[name], 10)
    saving = copy.deepcopy(plain)
    images = torch.randn(4, 3, 32, 32)
    with save_memory(saving.backbone, way):
        if name != "smooth" or way == "recompute":
            assert kept(copy.deepcopy(saving), images) < kept(copy.deepcopy(plain), images)
        got = bits(train_two_steps(saving, images))
    assert_same(got, bits(train_two_steps(plain, images)))
    assert saving.state_dict().keys() == plain.state_dict().keys()
    assert kept(saving, images) == kept(plain, images)


@pytest.mark.parametrize("way", ["bytes", "recompute"])
@pytest.mark.parametrize("build", [build_snn, build_ann])
def test_the_same_in_bfloat16_and_channels_last(build, way):
    torch.manual_seed(0)
    plain = build(NetworkConfig("resnet18", width=8, time_steps=2), 10).to(memory_format=torch.channels_last)
    saving = copy.deepcopy(plain)
    images = torch.randn(4, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16), save_memory(saving, way):
        assert_same(bits(train_two_steps(saving, images)), bits(train_two_steps(plain, images)))


def test_spikes_take_a_byte_in_any_precision():
    torch.manual_seed(0)
    network = build_snn(NetworkConfig("resnet18", width=8, time_steps=2), 10)
    saving = copy.deepcopy(network)
    save_memory(saving.backbone, "bytes")
    images = torch.randn(4, 3, 32, 32)
    for dtype, share in ((torch.float32, 0.76), (torch.bfloat16, 0.87)):
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            assert kept(saving, images) < share * kept(network, images)


@pytest.mark.parametrize("way", ["bytes", "recompute"])
def test_the_same_for_layers_whose_weights_are_composed(way):
    torch.manual_seed(0)
    method = JointASNN(JointASNN.Config(), NetworkConfig("resnet18", width=4, time_steps=2), 10)
    saving = copy.deepcopy(method)
    for network in saving.backbones().values():
        save_memory(network, way)
    images, labels = torch.randn(4, 3, 32, 32), torch.arange(4)
    for m in (method, saving):
        sum(m(images, labels).values()).backward()
    assert_same(*({name: p.grad for name, p in m.named_parameters()} for m in (saving, method)))


class Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class Foreign(nn.Module):
    """Spikes of someone else's neurons, read by three layers, and pooled."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.layers = nn.ModuleList([nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1), nn.AvgPool2d(1)])
        self.pool, self.head = nn.MaxPool2d(2), nn.Conv2d(8, 2, 1)

    def forward(self, x):
        spikes = Step.apply(self.norm(self.stem(x)))
        return self.head(self.pool(Step.apply(sum(layer(spikes) for layer in self.layers))))


def test_spikes_of_any_network_are_found_and_packed_once():
    torch.manual_seed(0)
    network, images = Foreign(), torch.randn(4, 3, 16, 16)
    spikes = 4 * 8 * 16 * 16  # of each of two layers; a quarter of them behind the pool
    full = kept(network, images)
    expected = bits(train_two_steps(copy.deepcopy(network), images))
    with save_memory(network, "bytes"):
        saved = full - kept(copy.deepcopy(network), images)
        assert_same(bits(train_two_steps(network, images)), expected)
    assert saved == 3 * (spikes + spikes + spikes // 4)


def test_what_is_no_number_of_bytes_is_kept_as_it_is():
    layer = nn.Linear(4, 1, bias=False)
    with save_memory(layer, "bytes"):
        for value in (0.5, -1.0, 256.0, float("inf"), float("nan"), -0.0, 255.0, 1.0):
            x = torch.ones(2, 300, 4)
            x[1, 299, 3] = value
            layer.weight.grad = None
            layer(x).sum().backward()
            expected = x.sum((0, 1))[None]
            assert torch.equal(layer.weight.grad.nan_to_num(7), expected.nan_to_num(7)), value


@pytest.mark.parametrize("value", [0.5, 1.0])
def test_a_change_in_place_is_noticed_or_does_no_harm(value):
    layer = nn.Conv2d(1, 1, 1, bias=False)
    with save_memory(layer, "bytes"):
        x = torch.full((1, 1, 2, 2), value)
        y = layer(x).sum()
        x.add_(1)
        if value == 1.0:  # kept as bytes: as it was
            y.backward()
            assert layer.weight.grad.item() == 4
        else:
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                y.backward()


def test_spikes_that_were_changed_are_spikes_no_more():
    neuron, layer = LIF(), nn.Conv2d(1, 1, 1, bias=False)
    network = nn.Sequential(neuron, layer)
    with save_memory(network, "bytes"), torch.no_grad():
        spikes = neuron(torch.full((1, 1, 2, 2), 2.0))
        spikes.mul_(0.5)
        with torch.enable_grad():
            layer(spikes).sum().backward()
    assert layer.weight.grad.item() == 2


def test_second_derivatives_and_a_second_backward_pass():
    torch.manual_seed(0)
    layer, found = nn.Conv2d(2, 3, 3).double(), []
    spikes = (torch.rand(2, 2, 5, 5) > 0.5).double().requires_grad_()
    for way in ("full", "bytes"):
        with save_memory(layer, way):
            y = layer(spikes).tanh().square().sum()
        inputs = (spikes, layer.weight)
        first = torch.autograd.grad(y, inputs, create_graph=True)
        again = torch.autograd.grad(y, inputs, create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in again), inputs)
        found.append([*first, *again, *second])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


class Noisy(Backbone):
    """Blocks that draw numbers, count their calls in a buffer, and normalize without affine or momentum."""

    def __init__(self):
        super().__init__()
        self.stem, self.encode = nn.Conv2d(3, 4, 1), nn.ReLU()
        norm = nn.BatchNorm2d(4, affine=False, momentum=None)
        self.stages = nn.ModuleList([nn.Sequential(nn.Conv2d(4, 4, 3), norm, nn.Dropout(0.5), nn.Tanh())])
        self.pool, self.head = nn.Flatten(), nn.LazyLinear(2)


def test_what_is_recomputed_draws_the_same_numbers_and_runs_hooks():
    torch.manual_seed(0)
    network, images, calls = Noisy(), torch.randn(4, 3, 6, 6), []
    network(images)
    network.stages[0][0].register_forward_hook(lambda m, i, o: calls.append(1) or 2 * o)
    found = []
    for way in ("full", "recompute"):
        copied = copy.deepcopy(network)
        torch.manual_seed(1)
        with save_memory(copied, way):
            found.append(bits(train_two_steps(copied, images)))
    assert_same(*found)
    assert len(calls) == 2 + 2 * 2


@pytest.mark.parametrize("ways", [("bytes", "bytes"), ("recompute", "recompute"), ("recompute", "bytes")])
def test_ways_apply_twice_and_are_undone_in_any_order(ways):
    torch.manual_seed(0)
    network = build_snn(NetworkConfig("convnet", width=4, time_steps=2), 10)
    images = torch.randn(4, 3, 16, 16)
    expected = bits(train_two_steps(copy.deepcopy(network), images))
    first, second = (save_memory(network, way) for way in ways)
    assert_same(bits(train_two_steps(copy.deepcopy(network), images)), expected)
    first.close()
    assert any("forward" in vars(m) for m in network.modules())
    assert_same(bits(train_two_steps(copy.deepcopy(network), images)), expected)
    second.close()
    assert not any("forward" in vars(m) for m in network.modules())


@pytest.mark.parametrize("way", ["bytes", "recompute"])
def test_a_graph_is_used_twice_and_derived_twice(way):
    torch.manual_seed(0)
    config = NetworkConfig("convnet", width=4, time_steps=2, neuron_options={"smooth": True})
    network, found = build_snn(config, 10).double(), []
    images = torch.randn(3, 3, 8, 8, dtype=torch.float64)
    for each in ("full", way):
        copied = copy.deepcopy(network)
        with save_memory(copied, each):
            loss, leaves = copied(images).square().mean(), list(copied.parameters())
            torch.autograd.grad(loss, leaves, retain_graph=True)
            first = torch.autograd.grad(loss, leaves, create_graph=True)
            second = torch.autograd.grad(sum(g.square().sum() for g in first), leaves)
        found.append(dict(enumerate([*first, *second, *copied.buffers()])))
    assert_same(*found)


@pytest.mark.parametrize("way", ["bytes", "recompute"])
def test_compiled_code_goes_its_own_way(way):
    torch.manual_seed(0)
    network, found = build_snn(NetworkConfig("convnet", width=4, time_steps=2), 10), []
    for each in ("full", way):
        copied = copy.deepcopy(network)
        with save_memory(copied, each):
            compiled = torch.compile(copied, backend="aot_eager")
            torch.manual_seed(1)
            found.append(bits(train_two_steps(compiled, torch.randn(4, 3, 16, 16))))
    assert_same(*found)


def test_a_checkpoint_around_packed_layers():
    torch.manual_seed(0)
    network, images = Foreign(), torch.randn(4, 3, 16, 16)
    plain = copy.deepcopy(network)
    plain(images).square().mean().backward()
    with save_memory(network, "bytes"):
        checkpoint(network, images, use_reentrant=False).square().mean().backward()
    assert_same(*({name: p.grad for name, p in m.named_parameters()} for m in (network, plain)))


@pytest.mark.parametrize("way", ["bytes", "recompute"])
def test_a_network_is_copied_and_pickled_while_it_saves_and_after(way):
    torch.manual_seed(0)
    network = build_snn(NetworkConfig("convnet", width=4, time_steps=2), 10)
    before, images = pickle.dumps(network), torch.randn(4, 3, 16, 16)
    with save_memory(network, way):
        copies = [copy.deepcopy(network), pickle.loads(pickle.dumps(network))]
    assert pickle.dumps(network) == before
    copies += [copy.deepcopy(network), network]
    found = [bits(train_two_steps(c, images)) for c in copies]
    for got in found[1:]:
        assert_same(got, found[0])
    assert copies[0].backbone.stem[0].weight.grad is not copies[1].backbone.stem[0].weight.grad


def test_unknown_way():
    with pytest.raises(UserError, match="memory is 'bits'; expected one of full, bytes, recompute"):
        save_memory(build_ann(NetworkConfig("resnet18", width=4), 10), "bits")


def test_a_recipe_asks_for_it():
    data = load(DataConfig(size=8, train_per_class=4, test_limit=20))
    curves = {}
    for way in ("full", "bytes", "recompute"):
        torch.manual_seed(0)
        method = Direct(Direct.Config(), NetworkConfig("resnet18", width=4, time_steps=2), 10, 1)
        recipe = Recipe(epochs=2, batch_size=20, augment=(), memory=way)
        curves[way] = fit(method, data, recipe, seed=0, progress=False).losses["ce"]
        assert curves[way] == curves["full"]
        assert not any("forward" in vars(m) for m in method.modules())
    with pytest.raises(UserError, match=r"'recompute', which needs the stages of .* a Sequential has none"):
        save_memory(nn.Sequential(), "recompute")
    with pytest.raises(UserError, match="in modules of torch, not in list"):
        save_memory([], "bytes")
    with pytest.raises(UserError, match=r"'bytes' and recipe\.compile is on"):
        Recipe(memory="bytes", compile=True)


def test_a_compiled_method_learns_the_same(monkeypatch):
    """The backend is one that needs no C++ compiler; a whole method must be one graph."""
    data = load(DataConfig(size=8, train_per_class=4, test_limit=20))
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager", fullgraph=True))
    losses = []
    for compiled in (False, True):
        torch.manual_seed(0)
        method = JointASNN(JointASNN.Config(), NetworkConfig("resnet18", width=4, time_steps=2), 10, 1)
        recipe = Recipe(epochs=1, batch_size=20, augment=(), learning_rate=1e-4, compile=compiled)
        losses.append(fit(method, data, recipe, seed=0, progress=False).losses)
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-4, atol=1e-5)
