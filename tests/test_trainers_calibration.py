"""Attention within its bounds, projections step by step, the loss that they make."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sastc_cases import BATCH, maps
from snnbook.losses.sastc import calibration, distance
from snnbook.trainers.calibration import POOLINGS, Embedding, LayerAttention, Matching, Projection


@given(
    seed=st.integers(0, 999),
    steps=st.integers(1, 4),
    students=st.integers(1, 5),
    teachers=st.integers(1, 6),
    scale=st.sampled_from([1e-6, 1.0, 1e4]),
)
@settings(max_examples=50, deadline=None)
def test_attention_sums_to_one_within_its_bounds(seed, steps, students, teachers, scale):
    torch.manual_seed(seed)
    attend = LayerAttention(BATCH, students, teachers, length=3)
    weights = attend(
        [scale * torch.randn(steps, BATCH, 7) for _ in range(students)],
        [scale * torch.randn(BATCH, 9) for _ in range(teachers)],
    )
    assert weights.shape == (steps, BATCH, students, teachers)
    torch.testing.assert_close(weights.sum(-1), torch.ones(steps, BATCH, students))
    least = math.exp(-1) / (math.exp(-1) + (teachers - 1) * math.e)
    most = math.e / (math.e + (teachers - 1) * math.exp(-1))
    assert weights.min() >= least - 1e-6
    assert weights.max() <= most + 1e-6


def test_embeddings_have_unit_length_and_finite_gradients():
    embed, rows = Embedding(BATCH, 4), torch.zeros(2, BATCH, BATCH, requires_grad=True)
    nn.init.zeros_(embed.output.bias)
    nn.init.zeros_(embed.hidden.bias)
    embed(rows).sum().backward()
    assert rows.grad.isfinite().all()
    similarities = 1e5 * torch.rand(2, BATCH, BATCH)
    torch.testing.assert_close(Embedding(BATCH, 4)(similarities).norm(dim=-1), torch.ones(2, BATCH))


def test_an_embedding_by_hand():
    embed, rows = Embedding(BATCH, 4), torch.rand(2, BATCH, BATCH)
    hidden = (rows @ embed.hidden.weight.T + embed.hidden.bias).clamp(min=0)
    expected = hidden @ embed.output.weight.T + embed.output.bias
    assert hidden.shape == (2, BATCH, 8)
    torch.testing.assert_close(embed(rows), expected / expected.norm(dim=-1, keepdim=True))


@given(seed=st.integers(0, 99), kind=st.sampled_from(["sastc", "semckd"]), steps=st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_statistics_by_step_equal_a_loop_over_steps_and_merged_ones_a_single_call(seed, kind, steps):
    torch.manual_seed(seed)
    projection = Projection(3, 5, kind)
    x = torch.randn(steps * 4, 3, 6, 6) * torch.arange(1, steps * 4 + 1)[:, None, None, None]
    layers, norms = [], iter(projection.norms)
    for convolution in projection.convolutions:
        layers += [convolution]
        if (norm := next(norms, None)) is not None:
            layers += [norm, nn.ReLU()]
    plain = nn.Sequential(*layers)
    torch.testing.assert_close(projection(x), plain(x))
    by_step = torch.cat([plain(step) for step in x.chunk(steps)])
    torch.testing.assert_close(projection(x, parts=steps), by_step)


@pytest.mark.parametrize(
    ("kind", "kernels"),
    [
        ("sastc", [(10, 3, 3, 3), (5, 10, 1, 1)]),
        ("semckd", [(10, 3, 1, 1), (10, 10, 3, 3), (5, 10, 1, 1)]),
        ("hint", [(5, 3, 3, 3)]),
    ],
)
def test_convolutions_of_a_projection(kind, kernels):
    """From 3 channels to 5, over twice as many."""
    assert [tuple(layer.weight.shape) for layer in Projection(3, 5, kind).convolutions] == kernels


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("batchnorm", ["step", "merged"])
def test_matching_equals_pair_by_pair(pooling, batchnorm):
    torch.manual_seed(0)
    student = maps([(3, 8), (4, 4), (5, 2)], time_steps=2)
    teacher = maps([(2, 8), (3, 6), (6, 2), (4, 4)], seed=1)
    match = Matching((3, 4, 5), (2, 3, 6, 4), "sastc", batchnorm, pooling)
    found = match(student, teacher)
    assert found.shape == (2, BATCH, 3, 4)
    pool = F.adaptive_max_pool2d if pooling == "max" else F.adaptive_avg_pool2d
    for i, x in enumerate(student):
        for j, y in enumerate(teacher):
            size = min(x.shape[-1], y.shape[-1])
            pooled = pool(x.flatten(0, 1), size)  # the student to the teacher's size, if that is smaller
            projected = match.projections[i][j](pooled, 2 if batchnorm == "step" else 1)
            target = F.adaptive_avg_pool2d(y, size)
            expected = distance(projected.unflatten(0, (2, BATCH)), target)
            torch.testing.assert_close(found[:, :, i, j], expected)


def test_a_projection_reads_all_time_steps_in_one_call_and_a_map_is_pooled_once(monkeypatch):
    student, teacher = maps([(3, 8), (4, 4)], time_steps=5), maps([(2, 8), (3, 8), (6, 4), (4, 4)], seed=1)
    match = Matching((3, 4), (2, 3, 6, 4), "hint", "step", "max")
    calls, pools = [], []
    for row in match.projections:
        for projection in row:
            projection.register_forward_hook(lambda module, inputs, output: calls.append(inputs[0].shape[0]))
    average = F.adaptive_avg_pool2d
    largest = lambda x, size: pools.append(size) or F.adaptive_max_pool2d(x, size)  # noqa: E731
    monkeypatch.setitem(POOLINGS, "max", largest)
    monkeypatch.setattr(F, "adaptive_avg_pool2d", lambda x, size: pools.append(size) or average(x, size))
    match(student, teacher)
    assert calls == 8 * [5 * BATCH]
    assert pools == 3 * [(4, 4)]  # the first student layer, and two of the teacher


@pytest.mark.parametrize("batchnorm", ["step", "merged"])
def test_recomputing_keeps_less_and_changes_nothing(batchnorm):
    student, teacher = maps([(3, 8), (4, 4)], time_steps=2), maps([(2, 8), (5, 4)], seed=1)
    found, kept = [], []
    for recompute in (False, True):
        torch.manual_seed(0)
        match = Matching((3, 4), (2, 5), "sastc", batchnorm, "max", recompute)
        inputs, storages = [x.clone().requires_grad_() for x in student], {}

        def pack(x, storages=storages):
            storages[x.untyped_storage().data_ptr()] = x  # held, so that no address is used twice
            return x

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            distances = match(inputs, teacher)
        kept.append(sum(x.untyped_storage().nbytes() for x in storages.values()))
        distances.square().sum().backward()
        gradients = [p.grad for p in match.parameters()]
        found.append([distances, *(x.grad for x in inputs), *gradients])
    torch.testing.assert_close(*found)
    assert kept[1] < kept[0] / 2


def test_the_loss_is_zero_when_projections_equal_targets():
    """A projection that picks channels, and a teacher that is what it picks."""
    teacher = maps([(3, 4)])
    student = [torch.stack([teacher[0], teacher[0]])]
    match = Matching((3,), (3,), "hint", "merged", "max")
    (convolution,) = match.projections[0][0].convolutions
    with torch.no_grad():
        nn.init.dirac_(convolution.weight)
    weights = LayerAttention(BATCH, 1, 1, 2)(student, teacher)
    assert calibration(weights, match(student, teacher)).item() == 0
    assert calibration(weights, match([student[0] + 1], teacher)).item() > 0


@given(order=st.permutations(range(3)), batchnorm=st.sampled_from(["step", "merged"]))
@settings(max_examples=12, deadline=None)
def test_the_loss_does_not_see_an_order_of_teacher_layers(order, batchnorm):
    torch.manual_seed(0)
    student, teacher = maps([(3, 8), (4, 4)], time_steps=2), maps([(2, 8), (3, 6), (5, 2)], seed=1)
    attend = LayerAttention(BATCH, 2, 3, 4)
    match = Matching((3, 4), (2, 3, 5), "sastc", batchnorm, "max")
    before = attend(student, teacher)
    expected = calibration(before, match(student, teacher))
    attend.keys = nn.ModuleList(attend.keys[j] for j in order)
    match.projections = nn.ModuleList(nn.ModuleList(row[j] for j in order) for row in match.projections)
    shuffled = [teacher[j] for j in order]
    after = attend(student, shuffled)
    torch.testing.assert_close(after, before[..., order])
    torch.testing.assert_close(calibration(after, match(student, shuffled)), expected)


def test_gradients_flow_through_the_similarity_matrices():
    student, teacher = maps([(3, 4)], time_steps=2), maps([(2, 4), (5, 2)], seed=1)
    student[0].requires_grad_()
    weights = LayerAttention(BATCH, 1, 2, 4)(student, teacher)
    weights[..., 0].sum().backward()  # no distance in it: attention alone
    assert student[0].grad.abs().sum() > 0
