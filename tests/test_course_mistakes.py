"""Known mistakes in answers to exercises: each is refused, and told by its own hint."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import snnbook
from snnbook import LIF, set_time_steps
from snnbook.course.answers import chapter03
from snnbook.surrogates import Sigmoid, Triangle


def told(exercise, answer):
    """What is said of a wrong answer, or "" of a right one."""
    outcome = snnbook.check(exercise, answer)
    return "" if outcome else repr(outcome)


def percent(outputs, labels):
    return 100 * (outputs.argmax(1) == labels).float().mean().item()


def own_length(network, T, images, labels):
    return percent(set_time_steps(network, T)(images).mean(0), labels)


def by_attribute(network, T, images, labels):
    network.time_steps = T
    return percent(network(images).sum(0), labels)


def always_four(network, T, images, labels):
    return percent(network(images).mean(0), labels)


def last_alone(network, T, images, labels):
    return percent(set_time_steps(network, T)(images)[-1], labels)


def test_another_length_is_another_accuracy(monkeypatch):
    assert not told("3.2", own_length) and not told("3.2", by_attribute)
    assert "that is T = 4 still" in told("3.2", always_four)
    assert "reads the last step alone" in told("3.2", last_alone)
    for constant in (100.0, 10.0, 0.0):
        assert told("3.2", lambda *_, constant=constant: constant)

    apart = []

    def note(found, right, *, near, what):
        apart.append([abs(float(right) - float(wrong)) > 1 for wrong, _ in near])

    monkeypatch.setattr(chapter03, "number", note)
    assert not told("3.2", own_length)
    assert any(map(all, apart)), "no length tells a right answer from both mistakes"


@pytest.mark.parametrize(
    "hint, answer",
    [
        ("", lambda row, T, B: (row % T, row // T)),
        ("swapped", lambda row, T, B: (row // T, row % T)),
        ("that is the right folding", lambda row, T, B: divmod(row, B)),
        ("the step of row 3 is", lambda row, T, B: (row % B, row // B)),
        ("where does the counting begin", lambda row, T, B: ((row + 1) % T, row // T)),
    ],
)
def test_rows_are_judged_together(hint, answer):
    assert hint in told("3.1", answer) and bool(hint) == bool(told("3.1", answer))


def test_euler_is_not_the_exponential():
    assert not told("0.1", (0.951, 13.9, 0.307))
    assert not told("0.1", (math.exp(-1 / 20), 13.86, 1 - math.log(2)))
    assert "Euler's rule" in told("0.1", (0.95, 13.9, 0.307))
    assert "too large" in told("0.1", (0.951, 13.9, 0.308))
    assert told("0.1", (0.951, 14, 0.307))


@pytest.mark.parametrize("width", [4.5, 4.9, 6.0])
def test_a_triangle_that_reaches_the_nearest_potentials_mends(width):
    assert not told("2.3", Triangle(width))


@pytest.mark.parametrize("surrogate", [Sigmoid(4.0), Triangle(1.0), Triangle(3.0)])
def test_one_that_reaches_none_does_not(surrogate):
    assert "no slope to speak of" in told("2.3", surrogate)


def test_the_lower_end_comes_first():
    assert not told("2.1", ((0, 1), (0, 2), "neither"))
    for ends in (((1, 0), (0, 2)), ((0, 1), (2, 0))):
        assert "The lower end comes first" in told("2.1", (*ends, "neither"))
    assert "distance from the threshold" in told("2.1", ((-0.5, 0.5), (0, 2), "neither"))


def biased(value):
    def opened(net):
        for module in net.modules():
            if hasattr(module, "bn2"):
                nn.init.constant_(module.bn2.bias, value)
        return net

    return opened


def test_an_open_gate_can_still_learn():
    for bias in (2.0, 3.0, 5.0):
        assert not told("4.3", biased(bias))
    assert "no gradient comes back" in told("4.3", biased(100.0))
    assert "branches fire too seldom" in told("4.3", lambda net: net)
    for other in (
        lambda net: nn.Identity(),
        lambda net: biased(2.0)(copy.deepcopy(net)),
        lambda net: net[:1],
    ):
        assert "not the blocks that your function was given" in told("4.3", other)


def test_events_are_told_by_the_mistake_that_was_made():
    assert not told("14.1", (5, 5))
    assert "what becomes of their quotient" in told("14.1", (5, 2))
    assert "the natural one" in told("14.1", (2, 2))
    assert "nothing was changed" in told("14.2", lambda frames: frames)
    assert not told("14.2", lambda frames: frames.flip(2))


def soft(c, h, s, T=None):
    h[0].copy_(c[0])
    T = T or len(c)
    for t in range(T):
        torch.ge(h[t], 0.5, out=s[t])
        if t + 1 < T:
            torch.sub(h[t], s[t], alpha=0.5, out=h[t + 1])
            torch.add(c[t + 1], h[t + 1], alpha=0.25, out=h[t + 1])
    return h, s


def test_both_places_are_filled_to_the_last_step():
    assert not told("18.3", soft)
    assert "write into them" in told("18.3", lambda c, h, s: soft(c, h.clone(), s))
    assert "write into them" in told("18.3", lambda c, h, s: soft(c, h, s.clone()))
    for T in (2, 4):
        assert "use len(c), not the notebook's T" in told("18.3", lambda c, h, s, T=T: soft(c, h, s, T))
    assert "the tensor of spikes differs" in told("18.3", lambda c, h, s: soft(1.05 * c, h, s))


def scaled(pooled=True, over=(0, 2, 3)):
    def answer(d, student, teacher):
        sizes = [[min(x.shape[-1], y.shape[-1]) if pooled else y.shape[-1] for y in teacher] for x in student]
        rows = [
            [F.adaptive_avg_pool2d(y, n).var(over).mean() for y, n in zip(teacher, row, strict=True)]
            for row in sizes
        ]
        return d / torch.tensor(rows)

    return answer


def test_a_projection_predicts_what_is_pooled_and_has_means_for_nothing():
    assert not told("12.3", scaled())
    assert "as same_size gives it" in told("12.3", scaled(pooled=False))
    assert "within each channel" in told("12.3", scaled(over=(0, 1, 2, 3)))


def test_max_pooling_is_not_made_of_itself():
    assert not told("20.2", lambda x: LIF(threshold=0.5)(4 * F.avg_pool2d(x, 2)))
    assert "a neuron puts out 0 and 1 alone" in told("20.2", lambda x: F.max_pool2d(x, 2))


def test_a_mapping_where_several_things_are_asked_is_told_so():
    for exercise, count in (("17.2", "2"), ("15.1", "several")):
        assert f"a dict of 1; expected {count} things in a tuple or a list" in told(
            exercise, lambda *_: {"ann": 1.0}
        )
