"""What a measurement counts, and what not: silence behind an end, pictures for spikes, a loader's batches."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import snnbook
from snnbook.analysis import energy_of_computation, measure, observe
from snnbook.data import dataset_of
from snnbook.data.batching import in_batches
from snnbook.errors import UserError

COUNTED = ("energy_uj", "accumulates", "movement_mb")


def spiking(time_steps, channels=1, weight=1.0):
    """A convolution, a neuron and a linear layer; ``weight`` scales the convolution's."""
    torch.manual_seed(0)
    stem = nn.Conv2d(channels, 4, 3, padding=1)
    with torch.no_grad():
        stem.weight.mul_(weight)
    layers = [stem, snnbook.LIF(decay=0.9, threshold=0.2), nn.Flatten(), nn.Linear(4 * 36, 2)]
    network = snnbook.SpikingNetwork(nn.Sequential(*layers), time_steps)
    return snnbook.Direct(snnbook.DirectConfig(train="snn"), network)


def own(images, labels, batch_size=100):
    """Images as they are, by a loader."""
    half = TensorDataset(images, labels)
    return dataset_of((DataLoader(half, batch_size), DataLoader(half, batch_size)))


def seen(frames, lengths=None):
    network = spiking(len(frames), 2).network
    return observe(network.backbone, lambda: network(frames), frames.shape[1], lengths)


def test_silence_behind_an_end_counts_nothing():
    """Three recordings of two steps and one of seven: each adds what it takes by itself."""
    frames = (torch.rand(7, 4, 2, 6, 6, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    lengths = torch.tensor([2, 2, 2, 7])
    for image, end in enumerate(lengths):
        frames[end:, image] = 0
    padded = seen(frames, lengths)
    alone = [seen(frames[:end, image : image + 1]) for image, end in enumerate(lengths)]
    for layer, activity in padded.layers.items():
        for count in ("dense", "effective", "padded"):
            expected = sum(getattr(each.layers[layer], count) for each in alone) / 4
            assert getattr(activity, count) == pytest.approx(expected)
    spikes, entries = sum(x.spikes for x in alone), sum(x.activations * x.time_steps for x in alone)
    assert padded.spikes == spikes / 4
    assert padded.activations * padded.time_steps == entries / 4
    assert padded.mean_rate == pytest.approx(spikes / entries)


@given(cuts=st.sets(st.integers(1, 5)), lengths=st.lists(st.integers(1, 4), min_size=6, max_size=6))
@settings(max_examples=12, deadline=None)
def test_recordings_may_pass_in_several_batches(cuts, lengths):
    # Sums depend on the batch by rounding: in float32 a spike may, too.
    frames, lengths = torch.rand(4, 6, 2, 6, 6, dtype=torch.float64), torch.tensor(lengths)
    network, parts = spiking(4, 2).network.double(), frames.tensor_split(sorted(cuts), dim=1)
    together = observe(network.backbone, lambda: network(frames), 6, lengths)
    apart = observe(network.backbone, lambda: [network(part) for part in parts], 6, lengths)
    assert apart.rates == together.rates and apart.spikes == together.spikes
    assert apart.activations == together.activations
    for name, activity in together.layers.items():
        assert apart.layers[name].dense == pytest.approx(activity.dense)
        assert apart.layers[name].effective == pytest.approx(activity.effective)
    with pytest.raises(UserError, match="has 5 entries and run"):
        observe(network.backbone, lambda: network(frames), 6, lengths[:5])


@pytest.mark.parametrize("part", ["network", "wrapped", "backbone"])
def test_what_was_compiled_before_is_seen(part):
    """Compiled code does not look at hooks that come later."""
    network, images = spiking(3).network.eval(), torch.rand(5, 1, 6, 6)
    expected = observe(network.backbone, lambda: network(images), 5)
    called = network
    if part == "network":
        network.compile(backend="eager")
    elif part == "wrapped":
        called = torch.compile(network, backend="eager")
    else:
        network.backbone = torch.compile(network.backbone, backend="eager")
    with torch.no_grad():
        called(images)
        found = observe(network.backbone, lambda: called(images), 5)
    assert list(found.layers.values()) == list(expected.layers.values())
    assert found.spikes == expected.spikes > 0 and found.time_steps == 3


def test_a_run_that_passes_the_network_by_is_refused():
    network, other = spiking(3).network, spiking(3).network
    with pytest.raises(UserError, match="passed nothing through this Sequential"):
        observe(network.backbone, lambda: other(torch.rand(5, 1, 6, 6)), 5)
    with pytest.raises(UserError, match="images is 0"):
        observe(network.backbone, lambda: network(torch.rand(5, 1, 6, 6)), 0)


class Twice(nn.Module):
    """A neuron in two places, outside a SpikingNetwork."""

    def __init__(self):
        super().__init__()
        self.linear, self.neuron = nn.Linear(4, 4), snnbook.LIF(time_steps=4, threshold=0.1)

    def forward(self, x):
        return self.neuron(self.linear(self.neuron(x)))


def test_a_neuron_in_two_places_has_the_time_it_has():
    network, x = Twice(), torch.rand(8, 4)  # [T*B, C]: two images
    seen = observe(network, lambda: network(x), 2)
    assert (seen.time_steps, seen.activations) == (4, 8)


def test_measure_leaves_the_silence_out():
    frames = torch.randint(0, 2, (8, 3, 2, 6, 6), dtype=torch.uint8) * 255  # [N, T, C, H, W]
    longer = torch.cat([frames, torch.zeros(8, 5, 2, 6, 6, dtype=torch.uint8)], 1)
    labels, lengths = torch.arange(8) % 2, torch.tensor([3] * 7 + [8])  # the last frames are some recording's

    def counted(images, lengths):
        data = snnbook.Dataset.from_tensors(images, labels, images, labels, lengths=(lengths, lengths))
        return measure(spiking(8, 2), data)["snn"]

    found, bound = counted(longer, lengths), counted(longer, torch.full((8,), 8))
    assert found["time_steps"] == 8
    assert all(found[key] < bound[key] for key in ("energy_uj", "movement_mb"))
    assert found["movement_mb"] == pytest.approx(bound["movement_mb"] * 29 / 64, rel=0.01)


@pytest.mark.parametrize("time_steps", [1, 4])
def test_a_picture_is_no_sum_of_spikes(time_steps):
    """The same currents cost the same, whatever the images' unit: whole numbers, sixteenths or any."""
    images = torch.randint(0, 17, (20, 1, 6, 6), generator=torch.Generator().manual_seed(0)).float()
    labels = torch.arange(20) % 2
    found = [
        measure(spiking(time_steps, weight=1 / unit), own(images * unit, labels))["snn"]
        for unit in (1.0, 1 / 16, 0.9371 / 16)
    ]
    for one in found:
        assert one["multiply_accumulates"] == found[-1]["multiply_accumulates"] > 0
        assert one["energy_folded_uj"] == one["energy_uj"] == pytest.approx(found[-1]["energy_uj"])


def test_a_picture_of_zeros_and_ones_is_added():
    images, labels = torch.randint(0, 2, (20, 1, 6, 6)).float(), torch.arange(20) % 2
    assert measure(spiking(4), own(images, labels))["snn"]["multiply_accumulates"] == 0


@pytest.mark.parametrize("batch_size", [1, 7, 300])
def test_a_loaders_batch_size_does_not_matter(batch_size):
    images, labels = torch.rand(300, 1, 6, 6), torch.arange(300) % 2
    found, expected = (measure(spiking(2), own(images, labels, size))["snn"] for size in (batch_size, 256))
    assert found["firing_rate"] == expected["firing_rate"] > 0
    assert all(found[key] == pytest.approx(expected[key]) for key in COUNTED)


@pytest.mark.parametrize("shape", [(3, 4, 4), (2, 3, 4, 4)])
@pytest.mark.parametrize("wanted", [1, 4, 5, 100])
def test_batches_are_cut_anew(shape, wanted):
    """Images ``[B, C, H, W]`` and frames ``[T, B, C, H, W]``: all of them, in order, the last batch smaller."""
    parts = [(torch.rand(*shape[:-3], n, *shape[-3:]), torch.arange(n), torch.ones(n)) for n in (3, 1, 8, 2)]
    images, *known = (torch.cat(x, -4 if x[0].dim() > 1 else 0) for x in zip(*parts, strict=True))
    found = list(in_batches(parts, wanted))
    assert [len(labels) for _, labels, _ in found[:-1]] == [wanted] * (len(found) - 1)
    assert 0 < len(found[-1][1]) <= wanted
    again, *others = zip(*found, strict=True)
    assert torch.equal(torch.cat(again, -4), images)
    assert all(torch.equal(torch.cat(x), y) for x, y in zip(others, known, strict=True))


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.head = nn.Conv2d(1, 4, 3), nn.Linear(64, 2)

    def forward(self, x):
        return self.head(F.relu(self.stem(x)).flatten(1))


def test_activations_that_are_modules_move_data_and_others_are_not_told_as_none():
    data = own(torch.rand(20, 1, 6, 6), torch.arange(20) % 2)

    def moved(network):
        return measure(snnbook.Direct(snnbook.DirectConfig(train="ann"), network), data)["ann"]

    def plain(activation):
        return nn.Sequential(nn.Conv2d(1, 4, 3), activation, nn.Flatten(), nn.Linear(64, 2))

    volumes = {moved(plain(kind()))["movement_mb"] for kind in (nn.ReLU, nn.GELU, nn.LeakyReLU, nn.ReLU6)}
    assert volumes == {2 * 4 * 64 / 1e6}
    assert not [key for key in moved(Functional()) if key.startswith("movement")]


class Shared(nn.Module):
    """One convolution before time begins and again behind the first neuron."""

    def __init__(self):
        super().__init__()
        self.conv, self.first, self.second = nn.Conv2d(2, 2, 3, padding=1), snnbook.LIF(), snnbook.LIF()
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(72, 3))

    def forward(self, x):
        return self.head(self.second(self.conv(self.first(self.conv(x)))))


def test_a_layer_in_two_places_is_repeated_in_the_first_alone():
    network, images = snnbook.SpikingNetwork(Shared(), 4), torch.rand(3, 2, 6, 6)
    seen = observe(network.backbone, lambda: network(images), 3)
    still, moving = seen.layers["conv, still"], seen.layers["conv"]
    assert (still.still, moving.still) == (True, False) and moving.dense == 4 * still.dense
    again = seen.every_step().layers
    assert again["conv, still"].dense == again["conv"].dense == moving.dense
    assert energy_of_computation(seen).multiply_accumulates == still.effective  # the other adds spikes
