"""Checks of chapter 17: energy, recomputed."""

from torch import nn

from snnbook.analysis import fan_out
from snnbook.analysis.energy import Constants
from snnbook.course.comparing import call, function, number, numbers, parts


def your_constants(answer):
    def first(constants):
        rates = (constants.multiply_accumulate / (t * constants.accumulate) for t in range(1, 100))
        return next(t for t, rate in enumerate(rates, 1) if rate < 0.5)

    number(
        answer,
        first(Constants(0.38, 0.38 + 1.31)),
        within=1e-6,
        near=[
            (first(Constants()), "those are the constants of 45 nm"),
            (first(Constants(0.38, 1.31)), "a multiply-accumulate is a multiplication and an addition"),
            (first(Constants(0.38, 0.38 + 1.31)) - 1, "there the rate is still above one half"),
        ],
    )


def count_the_weights(answer):
    for weights, T in ((1_000_000, 4), (25_000, 10)):
        ann, snn = 10e-6 * weights, 10e-6 * weights * T
        found = parts(call(answer, weights, T), 2, "what your function returns")
        unit = "a picojoule is a millionth of a microjoule"
        numbers(
            found,
            {"of the ANN": ann, "of the SNN": snn},
            within=1e-6,
            near={
                "of the ANN": [(1e6 * ann, unit), (1e-6 * ann, unit), (snn, "the ANN looks once")],
                "of the SNN": [
                    (1e6 * snn, unit),
                    (1e-6 * snn, unit),
                    (ann, "the SNN reads at each step"),
                ],
            },
        )


def small_maps(answer):
    def overstated(n, padding=1):
        return 9 * n * n / fan_out(nn.Conv2d(1, 1, 3, padding=padding), (n, n)).sum()

    function(
        answer,
        overstated,
        [(32,), (8,), (2,), (5,)],
        wrong={
            "that is the inverse": lambda n: 1 / overstated(n),
            "that is one side's; a map has two": lambda n: overstated(n) ** 0.5,
            "that is by how much it overstates less one; a factor is asked": lambda n: overstated(n) - 1,
        },
    )


CHECKS = {"17.1": your_constants, "17.2": count_the_weights, "17.3": small_maps}
