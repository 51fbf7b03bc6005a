"""Checks of chapter 18: how the fast path works."""

import math

import torch

from snnbook.course.comparing import Wrong, call, function, number, parts, same, tensor
from snnbook.kernels import Dynamics, lif_reference


def fewer_bits(answer):
    current, spike, kept = 2, 2, 1  # bytes in bfloat16
    saved = kept * 7 / 8
    total = current + spike + kept
    number(
        answer,
        saved / total,
        near=[
            (saved, "those are the bytes of a neuron and step; asked is their share of all"),
            (7 / 8, "that is a share of the byte that is kept; asked is one of all bytes"),
            (1 / 8 / total, "that is what is left, not what is saved"),
            (saved / (total + 4), "in bfloat16 a number has two bytes"),
            (1 - saved / total, "that is what is left, not what is saved"),
        ],
    )


def size_of_a_block(answer):
    def calls(n, size, T):
        return math.ceil(n / size) * (7 * T - 5)

    function(
        answer,
        calls,
        [(1_000_000, 1 << 12, 4), (1_000_000, 1 << 20, 4), (1 << 18, 1 << 15, 8)],
        wrong={
            "the last block is smaller, and is one all the same": lambda n, size, T: (
                (n // size) * (7 * T - 5)
            ),
            "that is the number of blocks": lambda n, size, T: math.ceil(n / size),
            "that is one block's": lambda n, size, T: 7 * T - 5,
            "blocks are whole": lambda n, size, T: n / size * (7 * T - 5),
            "there is a backward pass, too": lambda n, size, T: math.ceil(n / size) * (3 * T - 2),
        },
        within=1e-6,
    )


def soft_reset(answer):
    def spikes(c, **changes):
        return lif_reference(c, Dynamics(threshold=0.5, strict=False, **changes), 0.25)

    for T, N in ((4, 500), (7, 30)):
        c = torch.randn(T, N)
        h, s = torch.empty(T, N), torch.empty(T, N)
        given = [x.fill_(0.3) for x in (h, s)]
        answer_h, answer_s = parts(
            call(answer, c.clone(), *given, copy=False), 2, "what your function returns"
        )
        if s[-1].eq(0.3).all() and not s[0].eq(0.3).any():
            raise Wrong(f"of {T} steps the last was not filled: use len(c), not the notebook's T")
        near = [
            (spikes(c), "that is the hard reset"),
            (spikes(c, hard_reset=False).roll(1, 0), "spikes are one step late"),
        ]
        same(tensor(answer_s), spikes(c, hard_reset=False), near=near, what="the tensor of spikes")
        u, right = torch.zeros(N), []
        for now in c:
            right.append(0.25 * u + now)
            u = right[-1] - 0.5 * (right[-1] >= 0.5)
        same(tensor(answer_h), torch.stack(right), what="the tensor of potentials before the reset")
        if not (s.equal(spikes(c, hard_reset=False)) and torch.allclose(h, torch.stack(right))):
            raise Wrong("the places for potentials and spikes were not filled: write into them, as out= does")


CHECKS = {"18.1": fewer_bits, "18.2": size_of_a_block, "18.3": soft_reset}
