"""BatchNorm over processes computes what torch's own computes of the whole batch, and differentiates like it."""

import copy
import itertools
import multiprocessing
from contextlib import nullcontext

import pytest
import torch
import torch.distributed as dist
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from snnbook.trainers.loop import batchnorm
from snnbook.trainers.loop.batchnorm import synchronized

LAST = torch.channels_last
TOLERANCES = {torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 3e-2}


def drawn(shape, dtype, last):
    x = (1 + 2 * torch.randn(shape)).to(dtype)
    return x.contiguous(memory_format=LAST) if last and x.dim() == 4 else x


def derivatives(norm, x, wish, second):
    """Output, gradients, the gradients' own, and statistics."""
    leaves = [x.requires_grad_(), *norm.parameters()]
    y = norm(x)
    first = torch.autograd.grad(y, leaves, wish, create_graph=second)
    if second:
        first += torch.autograd.grad(first[0].square().sum(), [x])
    return [y, *first, *norm.buffers()]


def assert_close(found, expected, dtype):
    for a, b in zip(found, expected, strict=True):
        scale = max(1.0, b.abs().max().item()) if b.numel() else 1.0
        torch.testing.assert_close(a, b, rtol=TOLERANCES[dtype], atol=TOLERANCES[dtype] * scale)


@pytest.fixture(scope="module")
def alone():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("alone")
@settings(deadline=None, max_examples=60)
@given(
    steps=st.sampled_from([1, 2, 4]),
    batch=st.integers(1, 4),
    channels=st.sampled_from([1, 3, 16, 17]),
    size=st.sampled_from([(2, 2), (1, 3), (5, 4)]),
    dtype=st.sampled_from([*TOLERANCES]),
    layouts=st.tuples(st.booleans(), st.booleans()),
    options=st.sampled_from([{}, {"affine": False}, {"momentum": None}, {"track_running_stats": False}]),
    second=st.booleans(),
)
def test_one_process_is_torchs(steps, batch, channels, size, dtype, layouts, options, second):
    torch.manual_seed(0)
    shape = (steps * batch, channels, *size)
    x, wish = (drawn(shape, dtype, last) for last in layouts)
    norm = nn.BatchNorm2d(channels, dtype=torch.promote_types(dtype, torch.float32), **options)
    for p in norm.parameters():
        nn.init.uniform_(p, 0.5, 2)
    second = second and dtype == torch.float64
    expected = derivatives(copy.deepcopy(norm), x.clone(), wish, second)
    with synchronized(norm):
        found = derivatives(norm, x.clone(), wish, second)
    assert found[0].stride() == expected[0].stride() and found[0].dtype == dtype
    assert_close(found, expected, dtype)


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("affine", [True, False])
def test_its_gradient_is_true(affine):
    torch.manual_seed(0)
    x = torch.randn(3, 2, 2, 2, dtype=torch.float64).contiguous(memory_format=LAST).requires_grad_()
    own = [torch.rand(2, dtype=torch.float64, requires_grad=True) for _ in range(2)] if affine else []

    def function(x, weight=None, bias=None):
        return batchnorm.batch_norm(x, weight, bias, 1e-5)[0]

    assert torch.autograd.gradcheck(function, (x, *own))
    assert torch.autograd.gradgradcheck(function, (x, *own))


@pytest.mark.usefixtures("alone")
def test_frozen_weights_get_no_gradient():
    norm = nn.BatchNorm2d(3).requires_grad_(False)
    x = torch.randn(4, 3, 2, 2, requires_grad=True)
    with synchronized(norm):
        norm(x).square().sum().backward()
    assert x.grad.abs().sum() > 0 and norm.weight.grad is None
    norm.bias.requires_grad_()
    with synchronized(norm):
        norm(x.detach()).sum().backward()
    torch.testing.assert_close(norm.bias.grad, torch.full((3,), 16.0))


PARTS = ((3, 5), (0, 8), (7, 1))
CASES = [(p, d, last) for p, d, last in itertools.product(PARTS, TOLERANCES, (True, False))]


def case(sizes, dtype, last, rank=None):
    torch.manual_seed(1)
    x, wish = (drawn((8, 5, 3, 3), dtype, last) for _ in range(2))
    norm = nn.BatchNorm2d(5, dtype=torch.promote_types(dtype, torch.float32))
    nn.init.uniform_(norm.weight, 0.5, 2)
    if rank is not None:
        x, wish = (tensor.split(sizes)[rank].clone() for tensor in (x, wish))
    with nullcontext() if rank is None else synchronized(norm):
        return derivatives(norm, x, wish, second=dtype == torch.float64)


def worker(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", store=dist.FileStore(f"{folder}/store", 2), rank=rank, world_size=2)
    found = [case(*arguments, rank=rank) for arguments in CASES]
    torch.save([[x.detach() for x in values] for values in found], f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_are_one(tmp_path):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=worker, args=(rank, str(tmp_path))) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    parts = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    for arguments, first, second in zip(CASES, *parts, strict=True):
        dtype, whole = arguments[1], [x.detach() for x in case(*arguments)]
        y, gradient, weight, bias, *more = zip(first, second, strict=True)
        curvature, statistics = (more[:1], more[1:]) if dtype == torch.float64 else ([], more)
        rows = [torch.cat(pair) for pair in (y, gradient, *curvature)]
        sums = [a + b for a, b in (weight, bias)]  # each process's share, to be added up
        assert_close([*rows[:2], *sums, *rows[2:], *(a for a, _ in statistics)], whole, dtype)
        assert all(torch.equal(a, b) for a, b in statistics)
