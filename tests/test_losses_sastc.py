"""SASTC's loss by hand: similarities, distances, attention's bounds."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from sastc_cases import BATCH, images, maps
from snnbook.errors import UserError
from snnbook.losses.sastc import attention_weights, calibration, distance, similarity


def test_similarity_is_the_gram_matrix_of_each_step():
    (x,) = maps([(3, 4)], time_steps=2)
    rows = x.flatten(2).double()
    expected = torch.einsum("tnf,tmf->tnm", rows, rows)
    torch.testing.assert_close(similarity(x, time=True), expected.float())
    torch.testing.assert_close(similarity(x[1]), expected[1].float())


def test_similarity_stays_in_float32_under_autocast():
    x = 30 * images()
    with torch.autocast("cpu", torch.bfloat16):
        found, half = similarity(x), similarity(x.bfloat16())
    assert torch.equal(found, similarity(x))
    assert half.dtype == torch.float32
    assert torch.equal(half, similarity(x.bfloat16().float()))


def test_similarity_has_the_gradients_of_the_product():
    x = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    timed = partial(similarity, time=True)
    assert torch.autograd.gradcheck(timed, x) and torch.autograd.gradgradcheck(timed, x)
    weights = torch.randn(2, 3, 3, dtype=torch.float64)
    (expected,) = torch.autograd.grad((weights * (x @ x.mT)).sum(), x)
    torch.testing.assert_close(torch.autograd.grad((weights * timed(x)).sum(), x)[0], expected)
    torch.testing.assert_close(torch.vmap(similarity)(x), timed(x))
    compiled = torch.compile(timed, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(torch.autograd.grad((weights * compiled(x)).sum(), x)[0], expected)


def test_distance_is_taken_in_the_wider_precision():
    x, y = torch.randn(2, 3, 4, 5, 5, dtype=torch.float64), torch.randn(3, 4, 5, 5)
    torch.testing.assert_close(distance(x, y), (x - y).square().mean((2, 3, 4)))
    with torch.autocast("cpu", torch.bfloat16):
        assert distance(x.bfloat16(), y.bfloat16()).dtype == torch.float32


def test_distance_by_hand():
    x, y = torch.randn(3, 5, 2, 4, 4), torch.randn(5, 2, 4, 4, requires_grad=True)
    found = distance(x.requires_grad_(), y)
    expected = torch.stack([F.mse_loss(step[2], y[2]) for step in x])
    torch.testing.assert_close(found[:, 2], expected)
    found.sum().backward()
    assert y.grad is None


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_lie_in_memory_as_maps_do(layout, dtype):
    """Convolutions copy a gradient that lies otherwise."""
    torch.manual_seed(0)
    folded = torch.randn(2 * BATCH, 3, 4, 5).to(dtype).contiguous(memory_format=layout)
    x, y = folded.unflatten(0, (2, BATCH)).requires_grad_(), torch.randn(BATCH, 3, 4, 5)
    far, alike = distance(x, y), similarity(x, time=True)
    for found in (far, alike):
        (gradient,) = torch.autograd.grad(found.square().mean(), x)
        assert gradient.stride() == x.stride() and gradient.dtype == dtype
    plain = x.detach().contiguous()
    torch.testing.assert_close(far, distance(plain, y))
    torch.testing.assert_close(alike, similarity(plain, time=True))


def test_calibration_by_hand():
    torch.manual_seed(0)
    attention, distances = torch.rand(2, 3, 4, 5).softmax(-1), torch.rand(2, 3, 4, 5)
    total = sum(
        attention[t, n, i, j] * distances[t, n, i, j]
        for t in range(2)
        for n in range(3)
        for i in range(4)
        for j in range(5)
    )
    torch.testing.assert_close(calibration(attention, distances), total / (2 * 3 * 4))


def test_the_bounds_of_attention_are_reached():
    unit = torch.tensor([1.0, 0.0])
    keys = torch.stack([unit, -unit, -unit]).expand(BATCH, 3, 2)
    weights = attention_weights(unit.expand(1, BATCH, 1, 2), keys)
    assert weights[0, 0, 0, 0].item() == pytest.approx(0.787, abs=5e-4)


def test_shapes_that_make_no_sense_are_refused():
    with pytest.raises(UserError, match=r"expected \[T, B, ...\]"):
        similarity(torch.zeros(2, 8), time=True)
    with pytest.raises(UserError, match=r"expected \[T, B, S, K\] with the same S"):
        calibration(torch.zeros(2, 8, 3, 4), torch.zeros(2, 8, 4, 3))
