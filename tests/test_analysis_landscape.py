"""Loss landscapes: directions, the value in the middle, a bowl known in closed form, weights untouched."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import snnbook
from bad_input import one_line
from snnbook import losses
from snnbook.analysis import filter_normalized_direction, landscape, measure
from snnbook.analysis.config import AnalysisConfig
from snnbook.backbones import NetworkConfig, build_snn
from snnbook.errors import UserError


def small():
    torch.manual_seed(0)
    return build_snn(NetworkConfig("convnet", width=4, time_steps=2, neuron="tet"), 10, 1)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_filters_of_a_direction_are_as_long_as_the_networks(seed):
    network = small()
    direction = filter_normalized_direction(network, torch.Generator().manual_seed(seed))
    for p, d in zip(network.parameters(), direction, strict=True):
        if p.dim() < 2:
            assert not d.any()
        else:
            torch.testing.assert_close(d.flatten(1).norm(dim=1), p.detach().flatten(1).norm(dim=1))


def test_directions_differ():
    draw = torch.Generator().manual_seed(0)
    first, second = (filter_normalized_direction(small(), draw)[0].flatten() for _ in range(2))
    assert abs(torch.cosine_similarity(first, second, dim=0)) < 0.6


def test_middle_is_the_networks_loss_and_weights_come_back():
    network, before = small(), small().state_dict()
    images, labels = 5 * torch.randn(30, 1, 8, 8), torch.randint(10, (30,))
    chosen = {"sdt": losses.sdt, "tet": losses.every_moment}
    found = landscape(network, images, labels, chosen, points=5, radius=0.5, batch_size=7)
    with torch.no_grad():
        outputs = network(images)
    for name, loss in chosen.items():
        assert found.losses[name].shape == (5, 5)
        assert found.losses[name][2, 2].item() == pytest.approx(loss(outputs, labels).item(), rel=1e-5)
    assert (found.losses["sdt"] <= found.losses["tet"] + 1e-6).all()  # Lemma 4.1, everywhere
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert found.steps.tolist() == pytest.approx([-0.5, -0.25, 0, 0.25, 0.5])


def test_weights_come_back_after_a_failure():
    network = small()
    with pytest.raises(ZeroDivisionError):
        landscape(
            network, torch.rand(4, 1, 8, 8), torch.zeros(4).long(), {"bad": lambda o, y: 1 / 0}, points=3
        )
    assert all(torch.equal(v, w) for v, w in zip(network.parameters(), small().parameters(), strict=True))


def test_a_bowl():
    """For a single weight w of norm 2 the directions are +-2, and the loss w^2 is (2 + 2a + 2b)^2, up to signs."""
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, 2.0)
    found = landscape(
        network, torch.ones(1, 1), torch.zeros(1), {"square": lambda o, y: o.square().mean()}, points=3
    )
    assert sorted(found.losses["square"].flatten().tolist()) == sorted([4, 0, 16, 0, 16, 36, 4, 4, 4])
    # Within a radius of 1 lie the four neighbours: two zeros and two sixteens, less the middle's 4.
    assert found.rise("square", 1.0) == pytest.approx(4.0)


def test_the_plane_has_two_directions():
    torch.manual_seed(0)
    found = landscape(
        nn.Linear(9, 1),
        torch.ones(1, 9),
        torch.zeros(1),
        {"square": lambda o, y: o.square().mean()},
        points=3,
    )
    corner, middle, other = (found.losses["square"][i, 2 - i].item() for i in range(3))
    assert len({round(x, 3) for x in (corner, middle, other)}) == 3  # along one direction they would be alike


def test_same_seed_same_landscape():
    images, labels = 5 * torch.randn(10, 1, 8, 8), torch.randint(10, (10,))
    draw = lambda seed: landscape(small(), images, labels, {"sdt": losses.sdt}, points=3, seed=seed)  # noqa: E731
    assert torch.equal(draw(1).losses["sdt"], draw(1).losses["sdt"])
    assert not torch.equal(draw(1).losses["sdt"], draw(2).losses["sdt"])


def test_a_loss_that_overflows_is_null_in_a_record():
    torch.manual_seed(0)
    images = torch.rand(20, 1, 8, 8)
    half = images, torch.arange(20) % 10
    data = snnbook.Dataset.from_tensors(*half, *half)
    method = snnbook.TET(snnbook.TETConfig(), small())
    asked = AnalysisConfig(landscape=5, radius=1e38, images=20)
    found = measure(method, data, asked)["snn"]["landscape"]
    assert None in [x for row in found["sdt"] for x in row]
    assert found["sdt"][2][2] == pytest.approx(found["minimum"]["sdt"], abs=1e-4)
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("points", [1, 4])
def test_a_grid_without_a_middle_is_refused(points):
    with pytest.raises(UserError, match="odd number"):
        landscape(small(), torch.rand(1, 1, 8, 8), torch.zeros(1).long(), {"sdt": losses.sdt}, points=points)


def test_a_seed_that_is_none_is_refused():
    args = small(), torch.rand(1, 1, 8, 8), torch.zeros(1).long(), {"sdt": losses.sdt}
    one_line(lambda: landscape(*args, seed=-1), "seed is -1")


def test_a_radius_between_grid_points_is_refused():
    found = landscape(small(), torch.rand(2, 1, 8, 8), torch.zeros(2).long(), {"sdt": losses.sdt}, points=3)
    with pytest.raises(UserError, match="no grid point"):
        found.rise("sdt", 0.5)
