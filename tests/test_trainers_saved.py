"""Saving memory changes what is kept, and no number."""

import copy
from functools import partial

import pytest
import torch

from snnbook.backbones import NetworkConfig, build_ann, build_snn
from snnbook.bench import kept_bytes
from snnbook.data import DataConfig, load
from snnbook.deploy import fold_batchnorm
from snnbook.errors import UserError
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


@pytest.mark.parametrize("way", ["bytes", "recompute"])
@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_and_statistics_are_the_same(name, way):
    torch.manual_seed(0)
    plain = build_snn(NetworkConfig(name, width=8, time_steps=2), 10)
    saving = copy.deepcopy(plain)
    save_memory(saving.backbone, way)
    images = torch.randn(4, 3, 32, 32)
    assert kept(saving, images) < kept(plain, images)
    expected = train_two_steps(plain, images)
    got = train_two_steps(saving, images)
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(
            got[key], value, rtol=1e-4, atol=1e-5, msg=lambda m, key=key: f"{key}: {m}"
        )
    assert saving.state_dict().keys() == plain.state_dict().keys()
    folded = fold_batchnorm if name == "resnet18" else lambda x: x.eval()
    torch.testing.assert_close(folded(saving)(images), plain.eval()(images), rtol=1e-4, atol=1e-4)


def test_spikes_take_a_byte_in_any_precision():
    torch.manual_seed(0)
    network = build_snn(NetworkConfig("resnet18", width=8, time_steps=2), 10)
    saving = copy.deepcopy(network)
    save_memory(saving.backbone, "bytes")
    images = torch.randn(4, 3, 32, 32)
    for dtype, share in ((torch.float32, 0.87), (torch.bfloat16, 0.87)):
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            assert kept(saving, images) < share * kept(network, images)


def test_bytes_reach_the_layers_whose_weights_are_composed():
    torch.manual_seed(0)
    method = JointASNN(JointASNN.Config(), NetworkConfig("resnet18", width=4, time_steps=2), 10)
    saving = copy.deepcopy(method)
    for network in saving.backbones().values():
        save_memory(network, "bytes")
    images, labels = torch.randn(4, 3, 32, 32), torch.arange(4)
    for m in (method, saving):
        sum(m(images, labels).values()).backward()
    for (name, p), q in zip(method.named_parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(
            q.grad, p.grad, rtol=1e-4, atol=1e-5, msg=lambda m, name=name: f"{name}: {m}"
        )


def test_an_ann_has_no_spikes_to_pack():
    ann = build_ann(NetworkConfig("resnet18", width=4), 10)
    kinds = [type(m) for m in ann.modules()]
    save_memory(ann, "bytes")
    assert [type(m) for m in ann.modules()] == kinds


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
        torch.testing.assert_close(curves[way], curves["full"], rtol=1e-4, atol=1e-5)
    with pytest.raises(UserError, match="memory is 'bytes', which a Sequential does not know"):
        save_memory(torch.nn.Sequential(), "bytes")


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
