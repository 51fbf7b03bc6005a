"""Checks of chapter 1: the neuron."""

import math

import torch

from snnbook import neurons
from snnbook.course.comparing import (
    Wrong,
    call,
    function,
    truth,
)
from snnbook.folding import fold, unfold


def the_period(answer):
    def fires(c, beta, theta):
        u, n = 0.0, 0
        while u < theta:
            u, n = beta * u + c, n + 1
        return n

    def ratio(c, beta, theta):
        return math.log(1 - theta * (1 - beta) / c) / math.log(beta)

    function(
        answer,
        fires,
        [(0.38, 0.25, 0.5), (0.3, 0.5, 0.5), (0.11, 0.8, 0.5), (0.063, 0.9, 0.6), (0.7, 0.25, 0.5)],
        wrong={
            "steps are whole: round": ratio,
            "rounded down, which is before the threshold is reached": lambda *s: math.floor(ratio(*s)),
            "that is the rate; asked is the period": lambda *s: 1 / fires(*s),
        },
    )


def nothing_is_lost(answer):
    def rate_after(T, c, theta):
        neuron = neurons.IF(threshold=theta, reset="soft", strict=False, time_steps=T)
        return neuron(torch.full((T, 1), c, dtype=torch.float64)).mean()

    function(
        answer,
        rate_after,
        [(7, 0.3, 1.0), (20, 0.17, 0.5), (33, 0.49, 0.7), (5, 0.05, 1.0)],
        wrong={
            "that is the limit; after T steps the rate is a multiple of 1/T": lambda T, c, theta: c / theta,
            "that is the number of spikes; the rate is spikes a step": lambda T, c, theta: (
                T * rate_after(T, c, theta)
            ),
            "rounded up or to the nearest: a spike needs its whole threshold": lambda T, c, theta: (
                round(T * c / theta) / T
            ),
        },
    )


def catch_the_wrong_axis(answer):
    x = torch.rand(4, 6, 10)
    lif = neurons.preset("tet", time_steps=6)
    runs = {
        "the right code": lambda x: unfold(lif(fold(x.transpose(0, 1))), 6).transpose(0, 1),
        "the colleague's code": lambda x: lif(x.flatten(0, 1)).view_as(x),
        "a mean over the batch": lambda x: x - x.mean(0),
        "spikes of one step": lambda x: (x > 0.5).float(),
    }
    for name, run in runs.items():
        leaks = name in ("the colleague's code", "a mean over the batch")
        found = truth(call(answer, run, x), "what your function returns")
        if found != leaks:
            last = " (a change of the last image can reach no row after it)" if leaks else ""
            raise Wrong(f"for {name} your function says {found}{last}")


CHECKS = {
    "1.1": the_period,
    "1.2": nothing_is_lost,
    "1.3": catch_the_wrong_axis,
}
