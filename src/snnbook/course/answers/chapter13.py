"""Checks of chapter 13: noisy labels and activation maps."""

import torch

from snnbook.analysis import spike_activation_map
from snnbook.checks import shown
from snnbook.course.comparing import Wrong, function, numbers, parts
from snnbook.experiments import tables

METHODS = ("teacher", "alone", "kd", "features", "sastc")


def how_much_noise(answer):
    ten, hundred = ((classes - 1) / classes for classes in (10, 100))
    half = [(0.5, "at one half the wrong labels are many, but shared out among many classes")]
    numbers(
        answer,
        {"ten classes": ten, "a hundred classes": hundred, "drawn again": 1.0},
        within=0.001,
        near={
            "ten classes": [(1 / 10, "that is the share that is left"), *half],
            "a hundred classes": [(1 / 100, "that is the share that is left"), *half],
            "drawn again": [(ten, "drawn again, the true class has its part of the wrong labels, too")],
        },
    )


def does_gamma_matter(answer):
    def of_two(s, gamma=0.4):
        return spike_activation_map(s, tuple(s.shape[-2:]), gamma)[1]

    def raw(s):
        return (s[0] * s[1]).sum(1)

    def over_all(s):
        return raw(s) / raw(s).amax()

    s = (torch.rand(2, 4, 6, 3, 5) < 0.5).float()
    s[:, 1, 1:] = 0
    function(
        answer,
        of_two,
        [(s,), (s[:, :2, :3],)],
        wrong={
            "divide by each image's largest value": raw,
            "each image has its own largest value": over_all,
            "a neuron counts if it fires twice, not once": lambda s: (
                s.sum((0, 2)) / s.sum((0, 2)).amax((1, 2), keepdim=True)
            ),
        },
        within=1e-3,
    )


def grid_of_table_7(answer):
    def possible(accuracy, n=2500):
        return round(100 * round(accuracy * n / 100) / n, 2) == accuracy

    found = parts([answer] if isinstance(answer, str) else answer)
    if strange := [x for x in found if not isinstance(x, str) or x not in METHODS]:
        raise Wrong(f"{shown(strange[0])} is no method of the table; expected some of {', '.join(METHODS)}")
    rows = tables.load("sastc-table7").rows
    for name in METHODS:
        values = [row.paper.snn or row.paper.ann for row in rows if row.id.endswith(name)]
        if all(map(possible, values)) != (name in found):
            raise Wrong(f"look again at {name}: how many of its {len(values)} entries are possible?")


CHECKS = {"13.1": how_much_noise, "13.2": does_gamma_matter, "13.3": grid_of_table_7}
