"""A chip's whole numbers: equal to hand computations and to the float network where bits suffice."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from export_cases import Branches, images, layers, network
from snnbook import LIF, NetworkConfig, SpikingNetwork, UserError, analysis, build_snn
from snnbook.deploy import Chip, lif_fixed_point, round_weights, to_fixed_point
from snnbook.kernels import Dynamics, lif


def by_hand(current, threshold, factor, bits, strict, most=None):
    """The recurrence in Python's own whole numbers; with ``most`` the reset is soft, spike after spike."""
    u, spikes = 0, []
    for c in current:
        u, n = ((u * factor) >> bits) + c, 0
        while n < (most or 1) and (u > threshold if strict else u >= threshold):
            u, n = u - threshold if most else 0, n + 1
        spikes.append(n)
    return spikes


@settings(deadline=None, max_examples=30, derandomize=True)
@given(
    current=st.lists(st.integers(-300, 300), min_size=1, max_size=12),
    threshold=st.integers(1, 400),
    factor=st.integers(1, 4095),
    strict=st.booleans(),
)
def test_whole_numbers_as_by_hand(current, threshold, factor, strict):
    x = torch.tensor(current, dtype=torch.float32)[:, None]
    found = lif_fixed_point(x, Dynamics(float(threshold), strict=strict), factor / 4096)
    assert found.flatten().tolist() == by_hand(current, threshold, factor, 12, strict)


def test_a_shift_instead_of_a_factor():
    shift = Chip(decay_bits=0)
    assert shift.decay(0.9512) == 0.9375 and Chip().decay(0.9512) == pytest.approx(0.9512, abs=2**-13)
    assert shift.decay(1.0) == 1.0 and shift.decay(0.5) == 0.5
    assert shift.decay(0.25) == 0.5  # 0 is as near, and remembers nothing
    # 100 - (100 >> 4) = 94, and -1 - (-1 >> 4) = 0: a shift rounds towards minus infinity.
    quiet = Dynamics(95.0)
    assert lif_fixed_point(torch.tensor([[95.0], [7.0]]), quiet, 0.9512, shift).flatten().tolist() == [0, 1]
    assert lif_fixed_point(torch.tensor([[-1.0], [96.0]]), quiet, 0.9512, shift).flatten().tolist() == [0, 1]


@given(decay=st.floats(0, 1, exclude_max=True))
def test_no_other_shift_is_nearer(decay):
    stored = Chip(decay_bits=0).decay(decay)
    assert stored in (possible := [1 - 2.0**-k for k in range(55)])
    assert abs(stored - decay) == min(abs(other - decay) for other in possible)


def test_several_spikes_a_step_up_to_a_limit():
    soft = Dynamics(10.0, strict=False, hard_reset=False)
    x = torch.tensor([[45.0], [0.0], [0.0], [0.0], [0.0]])
    counts = {n: lif_fixed_point(x, soft, 1.0, Chip(most_spikes=n)).flatten().tolist() for n in (1, 3, 31)}
    assert counts == {1: [1, 1, 1, 1, 0], 3: [3, 1, 0, 0, 0], 31: [4, 0, 0, 0, 0]}
    strict = Dynamics(10.0, hard_reset=False)
    assert lif_fixed_point(torch.tensor([[20.0]]), strict, 1.0, Chip(most_spikes=3)).item() == 1


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("most", [1, 3])
@pytest.mark.parametrize("scaled", [False, True])
def test_a_network_that_resets_softly_as_by_hand(strict, most, scaled):
    def neuron():
        return LIF(0.8, 0.1 if scaled else 0.5, strict=strict, reset="soft", scale_input=scaled)

    torch.manual_seed(0)
    made = network(nn.Sequential(nn.Flatten(), nn.Linear(6, 5), neuron(), nn.Linear(5, 4), neuron()), 8)
    frames = torch.randint(-1, 2, (8, 2, 6, 1, 1), generator=torch.Generator().manual_seed(0)).float()
    found = to_fixed_point(made, frames, Chip(most_spikes=most))
    values = frames.flatten(2).long()
    for layer in (made.backbone[1], made.backbone[3]):
        unit = layer.weight.detach().abs().max().item() / 127
        weight, bias = (torch.round(x.detach().double() / unit).long() for x in (layer.weight, layer.bias))
        currents = values @ weight.T + bias
        neurons = [currents[:, b, i].tolist() for b in range(2) for i in range(len(weight))]
        fired = [by_hand(c, round(0.5 / unit), round(0.8 * 4096), 12, strict, most) for c in neurons]
        values = torch.tensor(fired).T.unflatten(1, (2, -1))
    assert torch.equal(found.network(frames), values.float())
    assert values.max() == most and found.spikes > 0


def test_potentials_stay_at_their_ends():
    x = torch.tensor([[-200.0], [-200.0], [128.0], [100.0]])
    small, large = (lif_fixed_point(x, Dynamics(99.0), 1.0, Chip(potential_bits=n)) for n in (8, 16))
    assert small.flatten().tolist() == [0, 0, 0, 1] and not large.any()
    x[-1] = 99  # from -128, the lowest, and not from -127
    assert not lif_fixed_point(x, Dynamics(99.0), 1.0, Chip(potential_bits=8)).any()


def test_with_enough_bits_it_is_the_float_neuron():
    torch.manual_seed(0)
    x = torch.randn(20, 500)
    fine = lif_fixed_point(x, Dynamics(1.0), 0.8, Chip(decay_bits=24, potential_bits=32), 2.0**-20)
    assert (fine != lif(x, Dynamics(1.0), 0.8)).sum() <= 2


def whole_numbers(made):
    """Each neuron with the unit of what it reads, and the weights in it."""
    return {name: m for name, m in made.network.backbone.layers.items() if hasattr(m, "unit")}


@pytest.mark.parametrize("make", [lambda n: layers(n), Branches], ids=["layers", "branches"])
def test_layers_that_meet_share_a_unit(make):
    made = to_fixed_point(network(make(lambda: LIF(0.8))), images())
    wired = made.network.backbone
    for name, neuron in whole_numbers(made).items():
        for source in wired.sources[name]:
            layer = wired.layers[source]
            if isinstance(layer, nn.Conv2d | nn.Linear):
                q = layer.weight.double() / neuron.unit
                assert (q - q.round()).abs().max() < 1e-4 and q.abs().max() <= 127.001
                assert q.abs().max() > 126 or len(wired.sources[name]) > 1


def test_a_shortcut_of_spikes_leaves_each_layer_its_own_unit():
    made = network(Branches(lambda: LIF(0.8)))
    for scale, name in ((1, "stem"), (8, "conv"), (64, "after")):
        made.backbone.get_submodule(name).weight.data *= scale
    found = whole_numbers(to_fixed_point(made, images()))
    for neuron, layer in (("encode", "stem"), ("act", "conv"), ("sewn", "after")):
        largest = made.backbone.get_submodule(layer).weight.abs().max().item()
        assert found[neuron].unit == pytest.approx(largest / 127)


def test_a_neuron_that_reads_images_has_as_fine_a_unit_as_weights_up_to_one():
    made = network(nn.Sequential(LIF(0.8, 0.25), nn.Flatten()))
    levels = torch.randint(0, 128, (5, 2, 6, 1, 1), generator=torch.Generator().manual_seed(0))
    found = to_fixed_point(made, levels / 127).network(levels / 127)
    for pixel, spikes in zip(levels.flatten(1).T.tolist(), found.flatten(1).T.tolist(), strict=True):
        assert spikes == by_hand(pixel, 32, round(0.8 * 4096), 12, True)  # 0.25 is 32 of 127


class Joined(nn.Module):
    """Two convolutions whose currents meet, one of them pooled; the other is called again alone."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(2, 2, 3, padding=1, stride=2), nn.Conv2d(2, 2, 3, padding=1)
        self.pool, self.act, self.last = nn.AvgPool2d(2), LIF(0.8, 0.5), LIF(0.8, 0.5)

    def forward(self, x):
        return self.last(self.two(self.act(self.one(x) + self.pool(self.two(x)))))


def test_currents_that_meet_behind_a_pooling_share_a_unit_and_a_second_call_has_its_own():
    made = network(Joined())
    made.backbone.one.weight.data *= 8
    found = to_fixed_point(made, images()).network.backbone.layers
    one, two = (getattr(made.backbone, name).weight.abs().max().item() / 127 for name in ("one", "two"))
    assert found["act"].unit == pytest.approx(one) and found["last"].unit == pytest.approx(two)
    twice = [m for name, m in found.items() if name.startswith("two")]
    for layer, unit in zip(twice, (one, two), strict=True):
        levels = layer.weight.double() / unit
        assert (levels - levels.round()).abs().max() < 1e-4
    assert (levels.abs().max() - 127).abs() < 1e-4


@pytest.mark.parametrize("between", [[], [nn.AvgPool2d(2)], [nn.AvgPool2d(2), nn.Flatten()]], ids=len)
@settings(deadline=None, max_examples=10, derandomize=True)
@given(power=st.integers(-12, 12), seed=st.integers(0, 99))
def test_a_threshold_in_proportion_to_the_weights_changes_nothing(between, power, seed):
    def moved(scale):
        torch.manual_seed(seed)
        neuron = LIF(0.8, 0.4 * scale)
        made = network(nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), *between, neuron), seed=seed)
        with torch.no_grad():
            for x in made.parameters():
                x.mul_(scale)
        return to_fixed_point(made, images()).network(images())

    assert torch.equal(moved(2.0**power), moved(1.0)) and moved(1.0).any()


def test_bits_buy_closeness():
    made, x = network(Branches(lambda: LIF(0.8))), images()
    fine, usual, coarse = (to_fixed_point(made, x, chip) for chip in (Chip(16, 20), Chip(), Chip(3)))
    assert fine.differing <= 3 and fine.differing <= usual.differing < coarse.differing
    assert fine.spikes == usual.spikes and fine.outputs < coarse.outputs
    assert torch.equal(fine.network(x).argmax(-1), made(x).argmax(-1))


class Around(nn.Module):
    """A branch that goes around the first neuron."""

    def __init__(self):
        super().__init__()
        self.stem, self.conv, self.side = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.first, self.last, self.flat, self.head = LIF(), LIF(), nn.Flatten(), nn.Linear(64, 5)

    def forward(self, x):
        x = self.stem(x)
        return self.head(self.flat(self.last(self.conv(self.first(x)) + self.side(x))))


def test_where_images_are_repeated_is_kept():
    torch.manual_seed(0)
    made, x = SpikingNetwork(Around(), 3, encode="stem").eval(), torch.rand(4, 2, 6, 6)
    torch.testing.assert_close(to_fixed_point(made, x, Chip(16, 20)).network(x), made(x), rtol=0.1, atol=0.1)


def test_energy_of_whole_numbers_can_be_counted():
    made = to_fixed_point(network(layers(LIF)), images()).network
    seen = analysis.observe(made, lambda: made(images()), 4)
    assert seen.time_steps == 5 and 0 < seen.mean_rate < 1


def test_the_network_stays_as_it_was_and_the_copy_runs_for_any_length():
    made = build_snn(NetworkConfig("resnet18", width=4, time_steps=2), 10, 3)
    before = {name: x.clone() for name, x in made.state_dict().items()}
    copy = to_fixed_point(made, torch.rand(2, 3, 16, 16)).network
    assert all(torch.equal(x, before[name]) for name, x in made.state_dict().items())
    copy.time_steps = 5
    assert copy(torch.rand(2, 3, 16, 16)).shape == (5, 2, 10)


@pytest.mark.parametrize(
    "settings",
    [
        {"weight_bits": 1},
        {"weight_bits": 8.5},
        {"decay_bits": -1},
        {"potential_bits": 64},
        {"most_spikes": 0},
    ],
)
def test_chips_that_are_none(settings):
    with pytest.raises(UserError):
        Chip(**settings)


def test_a_threshold_out_of_reach_is_told():
    with pytest.raises(UserError, match="raise potential_bits"):
        to_fixed_point(network(layers(lambda: LIF(threshold=3.0))), images(), Chip(potential_bits=8))
    with pytest.raises(UserError):
        to_fixed_point(network(layers(LIF)), images(), {"weight_bits": 8})


@pytest.mark.parametrize("bits", [2, 8, 16])
def test_rounded_weights_are_few_numbers_an_output(bits):
    made = network(layers(LIF))
    again = round_weights(made, bits)
    most = 2 ** (bits - 1) - 1
    for name in ("0", "5", "7"):
        weight = again.backbone.get_submodule(name).weight.flatten(1)
        q = weight / (weight.abs().amax(1, keepdim=True) / most)
        assert (q - q.round()).abs().max() < 1e-2 and q.abs().max() <= most + 1e-2
    assert not any(isinstance(m, nn.BatchNorm2d) for m in again.modules())


def test_rounding_a_silent_output_and_bad_bits():
    made = network(layers(LIF))
    with torch.no_grad():
        made.backbone[0].weight[1] = 0
    assert not round_weights(made).backbone[0].weight[1].any()
    for bits in (1, 17, "8"):
        with pytest.raises(UserError, match="bits"):
            round_weights(made, bits)
    with pytest.raises(UserError, match="SpikingNetwork"):
        round_weights(nn.Linear(2, 2))
    assert isinstance(round_weights(made), SpikingNetwork)
