"""Checks of chapter 21: when it does not learn."""

import torch

from snnbook import neurons
from snnbook.course.comparing import function
from snnbook.surrogates import Rectangle, Triangle


def count_the_dead(answer):
    def dead(x, surrogate, axes=(0, 1)):
        return 1 - (surrogate.derivative(x) > 0).float().amax(axes).mean()

    x = torch.randn(4, 6, 200) / 3 + 2 * torch.randn(200)
    function(
        answer,
        dead,
        [(x, Triangle()), (x[:1, :2], Rectangle())],
        wrong={
            "that is the share that lives": lambda x, surrogate: 1 - dead(x, surrogate),
            "that counts steps and images as well; a neuron is dead if it gets no gradient in any of them": (
                lambda x, surrogate: 1 - (surrogate.derivative(x) > 0).float().mean()
            ),
            "that is how many never fire; those just below the threshold can learn": lambda x, surrogate: (
                1 - (x > 0).float().amax((0, 1)).mean()
            ),
            "that is their number, not their share": lambda x, surrogate: x.shape[-1] * dead(x, surrogate),
        },
    )


def how_long_is_the_echo(answer):
    def fired(T, c, theta):
        after = 2 * round(T * c / theta)
        current = torch.tensor([c] * T + [0.0] * after, dtype=torch.float64)[:, None]
        return neurons.IF(threshold=theta, reset="soft", strict=False, time_steps=T + after)(current)

    function(
        answer,
        lambda T, c, theta: fired(T, c, theta)[T:].sum(),
        [(32, 2.5, 1.0), (10, 0.83, 0.5), (7, 1.1, 0.4)],
        wrong={
            "that counts those with input, too": lambda T, c, theta: fired(T, c, theta).sum(),
            "that is the potential left; a spike takes a threshold": lambda T, c, theta: T * (c - theta),
            "spikes are whole": lambda T, c, theta: T * (c - theta) / theta,
            "those are the spikes while there is input": lambda T, c, theta: T,
        },
        within=1e-6,
    )


CHECKS = {"21.1": count_the_dead, "21.2": how_long_is_the_echo}
