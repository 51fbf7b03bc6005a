"""Checks of chapter 0: before the neuron."""

import math
from functools import partial

import torch

from snnbook import neurons
from snnbook.course.comparing import (
    function,
    numbers,
)


def a_cells_own_time(answer):
    def kept(dt, tau):
        return math.exp(-dt / tau)

    own = -20 * math.log(neurons.PRESETS["tet"]["decay"])
    numbers(
        answer,
        {"the decay of 1 ms": kept(1, 20), "milliseconds": own, "the decay by Euler": 1 - own / 20},
        # Euler's rule gives the first to within 0.0013.
        within={"the decay of 1 ms": 0.001, "milliseconds": 0.004, "the decay by Euler": 0.001},
        near={
            "the decay of 1 ms": [
                (1 - 1 / 20, "the first is Euler's rule; the membrane falls exponentially"),
                (kept(20, 1), "the first has time constant and step the wrong way round"),
                (1 - kept(1, 20), "the first is what is lost, not what is kept"),
            ],
            "milliseconds": [(10, "the milliseconds are by Euler's rule")],
            "the decay by Euler": [
                (0.5, "the last is what the membrane keeps, not what Euler's rule makes of that step"),
                (own / 20, "the last is what Euler's rule takes away, not what it keeps"),
            ],
        },
    )


def a_trembling_light(answer):
    def camera(signal, C, keep=True, most=1000):
        last, sent = signal[0].clone(), []
        for now in signal[1:]:
            n = ((now - last) / C).trunc().clamp(-most, most)
            last = last + n * C if keep else now
            sent.append(n)
        return torch.stack(sent)

    walks = (0.07 * torch.randn(60, 5)).cumsum(0) + 0.61
    jumps = 0.6 * torch.randn(60, 5)
    function(
        answer,
        camera,
        [(walks, 0.25), (-2 * walks, 0.3), (0.5 + 0.01 * torch.randn(101, 1), 0.25), (jumps, 0.25)],
        wrong={
            "that counts levels crossed, as delta does; the pixel compares with the level it sent last": (
                lambda signal, C: (signal / C).floor().diff(dim=0)
            ),
            "the level moves with every step; it should move only by what is sent": partial(
                camera, keep=False
            ),
            "a jump may pass several thresholds at once": lambda signal, C: camera(signal, C, most=1),
            "spikes of ON and OFF have the wrong sign": lambda signal, C: -camera(signal, C),
        },
    )


def too_low_a_threshold(answer):
    function(
        answer,
        lambda a, theta: a.clamp(0, theta),
        [(torch.linspace(-2, 3, 41), 1.0), (torch.linspace(-1, 1, 21), 0.35)],
        wrong={
            "that is a ReLU; how many spikes can there be in a step?": lambda a, theta: a.clamp(min=0),
            "what becomes of a negative current?": lambda a, theta: a.clamp(max=theta),
            "that is a rate; Fire sends theta with each spike": lambda a, theta: (a / theta).clamp(0, 1),
        },
    )


CHECKS = {
    "0.1": a_cells_own_time,
    "0.2": a_trembling_light,
    "0.3": too_low_a_threshold,
}
