"""Whether a step fits into memory is found out before it is tried, and never denied where it would have fitted."""

import pytest
import torch
from torch import nn

from bad_input import one_line
from snnbook import room
from snnbook.backbones import NetworkConfig
from snnbook.data import Dataset
from snnbook.folding import SpikingNetwork
from snnbook.neurons import LIF
from snnbook.trainers import METHODS, Direct
from snnbook.trainers.direct import DirectConfig
from snnbook.trainers.loop import fits
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.recipe import Recipe
from snnbook.trainers.loop.saved import save_memory

CPU = torch.device("cpu")


def built(method, **changes):
    torch.manual_seed(0)
    network = NetworkConfig(**{"name": "resnet18", "width": 4, "time_steps": 3} | changes)
    return METHODS[method](METHODS[method].Config(), network, 4, 3)


def images(count=12):
    torch.manual_seed(0)
    pixels, labels = torch.rand(count, 3, 16, 16), torch.arange(count) % 4
    return Dataset.from_tensors(pixels, labels, pixels[:8], labels[:8])


def asked(method, recipe, batch, monkeypatch):
    """The most that was asked for while two images were tried."""
    most = []
    monkeypatch.setattr(fits.room, "check", lambda needed, *_: most.append(needed))
    with fits.step_fits(method, recipe, CPU, 2, batch), torch.no_grad():
        method.eval().predict(torch.rand(2, 3, 16, 16))
    return max(most)


def kept(method, batch, memory):
    """Bytes that a step really keeps for its backward pass, weights apart."""
    found = {}

    def pack(x):
        found[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    own = {p.untyped_storage().data_ptr() for p in method.parameters()}
    method.train()
    saving = save_memory(next(iter(method.backbones().values())), memory)
    with saving, torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        method(torch.rand(batch, 3, 16, 16), torch.arange(batch) % 4)
    return sum(size for place, size in found.items() if place not in own)


@pytest.mark.parametrize("name", ["direct", "tet", "joint"])
@pytest.mark.parametrize("network", [{}, {"name": "vgg11"}, {"name": "snn5", "time_steps": 5}])
def test_no_more_is_asked_for_than_a_step_keeps(name, network, monkeypatch):
    method, recipe = built(name, **network), Recipe(batch_size=6, optimizer="sgd")
    counted, states = asked(method, recipe, 6, monkeypatch), sum(p.nbytes for p in method.parameters())
    real = kept(method, 6, "full")
    assert counted - states <= real
    if name != "joint":  # whose exits and other network come on top
        assert counted - states > real / 20  # and it is no empty promise


@pytest.mark.parametrize("recipe", [Recipe(memory="recompute"), Recipe(compile=True)])
def test_what_does_not_stay_is_not_added_up(recipe, monkeypatch):
    method = built("direct")
    assert asked(method, recipe, 64, monkeypatch) < asked(method, Recipe(), 64, monkeypatch)


def test_a_network_of_ones_own_may_recompute(monkeypatch):
    layers = [
        nn.Conv2d(3, 8, 3, 1, 1),
        LIF(),
        nn.Conv2d(8, 8, 3, 1, 1),
        LIF(),
        nn.Flatten(),
        nn.Linear(2048, 4),
    ]
    method = Direct(DirectConfig(), SpikingNetwork(nn.Sequential(*layers), 2))
    states = 3 * sum(p.nbytes for p in method.parameters())
    assert (
        asked(method, Recipe(), 6, monkeypatch) == states + 4 * 2 * 6 * 8 * 16 * 16
    )  # its largest map alone


def test_what_does_not_fit_is_refused_before_it_trains(monkeypatch, tmp_path):
    method, recipe = built("direct"), Recipe(epochs=1, batch_size=6, augment=())
    before = [p.clone() for p in method.parameters()]
    monkeypatch.setattr(room, "at_hand", lambda: 300_000)
    place = tmp_path / "checkpoint"
    one_line(
        lambda: fit(method, images(), recipe, seed=0, progress=False, checkpoint=place),
        "a step of 6 images",
        "recipe.batch_size",
    )
    assert all(torch.equal(a, b) for a, b in zip(before, method.parameters(), strict=True))
    assert not place.exists() and not any(
        m._forward_hooks for m in method.modules() if isinstance(m, fits.LAYERS)
    )
    monkeypatch.setattr(room, "at_hand", lambda: 2**33)
    fit(method, images(), recipe, seed=0, progress=False)


def test_a_batch_is_no_larger_than_the_data(monkeypatch):
    monkeypatch.setattr(room, "at_hand", lambda: 2**28)
    recipe = Recipe(epochs=1, batch_size=10**9, augment=(), drop_last=False)
    fit(built("direct"), images(), recipe, seed=0, progress=False)


class View(nn.Module):
    def forward(self, x):
        return x.view(len(x), -1)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([nn.Conv2d(3, 4, 3), View(), nn.Linear(784, 4)], "recipe.channels_last"),
        ([nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(4)], "has no shape yet"),
        ([nn.MaxPool2d(32), nn.Flatten(), nn.Linear(3, 4)], "too small"),
        ([nn.Conv2d(3, 4, 32), nn.Flatten(), nn.Linear(4, 4)], "too small"),
    ],
)
def test_a_network_that_cannot_take_the_images_is_told(layers, words):
    method = Direct(DirectConfig(), SpikingNetwork(nn.Sequential(*layers), 2))
    one_line(lambda: fit(method, images(), Recipe(batch_size=6, augment=()), seed=0, progress=False), words)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("full"), RuntimeError("can't allocate memory")])
def test_memory_that_torch_did_not_get_is_told(error):
    def full():
        with fits.explain_torch_errors():
            raise error

    one_line(full, "memory is full", "recipe.batch_size")
    with pytest.raises(RuntimeError, match="other"), fits.explain_torch_errors():
        raise RuntimeError("other")
