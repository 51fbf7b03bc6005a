"""BatchNorm over one process is torch's own; over two, see ``test_trainers_distributed``."""

import copy
import pickle

import pytest
import torch
import torch.distributed as dist
from torch import nn

from snnbook.backbones.batchnorm import StepBatchNorm2d
from snnbook.errors import UserError
from snnbook.folding import SpikingNetwork
from snnbook.trainers.loop.batchnorm import synchronized


@pytest.fixture(scope="module", autouse=True)
def group():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


SHAPES = {nn.BatchNorm1d: (5, 3), nn.BatchNorm2d: (5, 3, 4, 4), nn.BatchNorm3d: (2, 3, 2, 4, 4)}
OPTIONS = [
    {},
    {"affine": False},
    {"momentum": None},
    {"track_running_stats": False},
    {"momentum": 0.3, "eps": 0.1},
]


def derivatives(norm, x, wish):
    """Output, gradients, what the gradients' own loss gives, and running statistics, of two steps."""
    found = []
    for _ in range(2):
        x = x.clone().requires_grad_()
        leaves = [x, *norm.parameters()]
        y = norm(x)
        first = torch.autograd.grad((y * wish).tanh().sum(), leaves, create_graph=True)
        second = torch.autograd.grad(sum((g * g).sum() for g in first), leaves, allow_unused=True)
        found += [y, *first, *second]
    return [*found, *norm.buffers()]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", SHAPES)
def test_one_process_is_torchs(kind, dtype, options):
    torch.manual_seed(0)
    norm = kind(3, dtype=dtype, **options)
    for p in norm.parameters():
        nn.init.uniform_(p, 0.5, 2)
    x, wish = 3 + 2 * torch.randn(2, *SHAPES[kind], dtype=dtype)
    expected = derivatives(copy.deepcopy(norm), x, wish)
    with synchronized(norm):
        found = derivatives(norm, x, wish)
        norm.eval()
        inside = norm(x)
    assert torch.equal(inside, norm(x))
    tolerance = 1e-2 if dtype == torch.float32 else 1e-10  # second derivatives cancel
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def test_three_axes():
    norm = nn.BatchNorm1d(3)
    x = torch.randn(4, 3, 7)
    expected = copy.deepcopy(norm)(x)
    with synchronized(norm):
        torch.testing.assert_close(norm(x), expected)
        with pytest.raises(ValueError, match="expected 2D or 3D input"):
            norm(torch.randn(4, 3, 7, 7))


def test_one_value_has_no_variance():
    norm = nn.BatchNorm2d(3)
    with synchronized(norm), pytest.raises(UserError, match="one value a channel to train on"):
        norm(torch.randn(1, 3, 1, 1))
    assert norm.num_batches_tracked == 0


def test_layers_are_as_they_were_even_after_an_error():
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Sequential(nn.BatchNorm1d(3)))
    before = pickle.dumps(network)
    with pytest.raises(KeyError), synchronized(network), synchronized(network):
        assert all("forward" in vars(m) for m in network.modules() if isinstance(m, nn.BatchNorm1d))
        pickle.loads(pickle.dumps(network))
        raise KeyError
    assert pickle.dumps(network) == before


@pytest.mark.parametrize("train", [True, False])
def test_statistics_of_each_step_go_over_processes_step_by_step(train):
    torch.manual_seed(0)
    norm = StepBatchNorm2d(3).train(train)
    expected = copy.deepcopy(norm)
    x = torch.randn(4, 6, 3, 5, 5) * torch.arange(1.0, 5).view(4, 1, 1, 1, 1)
    apart = SpikingNetwork(nn.Sequential(expected), 4)(x)
    with synchronized(norm):
        torch.testing.assert_close(SpikingNetwork(nn.Sequential(norm), 4)(x), apart)
    torch.testing.assert_close(norm.state_dict(), expected.state_dict())
