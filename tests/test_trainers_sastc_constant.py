"""SASTC with a constant for its attention: the method itself, where attention has run into its bound."""

import math

import pytest
import torch
from torch import nn

from bad_input import one_line
from sastc_cases import BATCH, LABELS, STUDENT, images, sastc
from snnbook.trainers.calibration import ConstantAttention, Embedding
from snnbook.trainers.sastc import SASTCConfig


def force(embedding: Embedding, sign: float) -> None:
    """The same unit vector, or its opposite, whatever is embedded."""
    with torch.no_grad():
        embedding.output.weight.zero_()
        embedding.output.bias.zero_()
        embedding.output.bias[0] = sign


@pytest.mark.parametrize("options", [{}, {"candidates": "inner", "batchnorm": "merged"}, {"recompute": True}])
@pytest.mark.parametrize("favourite", [1, 2])
def test_it_is_sastc_with_attention_forced_to_its_bound(teacher, favourite, options):
    method = sastc(teacher, **options)
    for query in method.attend.queries:
        force(query, 1)
    for layer, key in enumerate(method.attend.keys, start=1):
        force(key, 1 if layer == favourite else -1)
    constant = sastc(teacher, **options, constant_attention=favourite)
    found = []
    for one in (method, constant):
        terms = one(images(), LABELS)
        sum(terms.values()).backward()
        gradients = {n: p.grad for n, p in one.named_parameters() if not n.startswith("attend")}
        found.append((terms, one.attention, gradients))
    torch.testing.assert_close(*found)
    attention = constant.attention
    most = 1 / (1 + (attention.shape[-1] - 1) * math.exp(-2))
    torch.testing.assert_close(attention[..., favourite - 1], torch.full(attention.shape[:2], most))
    assert not [name for name, _ in constant.named_parameters() if name.startswith("attend")]


def test_projections_and_student_are_drawn_as_sastc_draws_them(teacher):
    weights = [sastc(teacher, constant_attention=layer).state_dict() for layer in (None, 2)]
    assert {name.partition(".")[0] for name in weights[0].keys() - weights[1].keys()} == {"attend"}
    for name, value in weights[1].items():
        assert torch.equal(value, weights[0][name]), name


def test_the_weights_are_those_of_the_formula_and_take_any_batch():
    attend = ConstantAttention(2, 5)
    weights = attend([torch.rand(3, BATCH, 7)] * 2, [torch.rand(BATCH, 9)] * 5)
    assert weights.shape == (3, BATCH, 2, 5)
    row = [1 / (4 + math.exp(2))] * 5
    row[1] = 1 / (1 + 4 * math.exp(-2))
    torch.testing.assert_close(weights, torch.tensor(row).expand(weights.shape))
    assert not attend.state_dict() and isinstance(attend, nn.Module)


def test_a_layer_that_is_not_there_is_refused(teacher):
    one_line(lambda: SASTCConfig(constant_attention=0), "method.constant_attention is 0; expected at least 1")
    one_line(lambda: SASTCConfig(constant_attention="1"), "method.constant_attention")
    one_line(lambda: sastc(teacher, STUDENT, constant_attention=9), "constant_attention is 9", "from 1 to 3")
