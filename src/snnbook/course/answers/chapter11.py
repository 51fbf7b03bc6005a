"""Checks of chapter 11: where layers disagree."""

import math

import torch
import torch.nn.functional as F

from snnbook.analysis import STM
from snnbook.course.comparing import function
from snnbook.losses import similarity


def rows_of_one_length(answer):
    def score(student, teacher, shape=F.normalize, log=lambda d: d.mean().log()):
        A_s = torch.stack([shape(similarity(x, time=True), dim=-1) for x in student], 1)
        A_a = torch.stack([shape(similarity(x), dim=-1) for x in teacher])
        return log((A_s[:, :, None] - A_a).square())

    student = [(torch.rand(2, 6, *shape) < 0.5).float() for shape in ((3, 4, 4), (5, 2, 2))]
    teacher = [torch.rand(6, *shape) for shape in ((4, 4, 4), (8, 2, 2), (16, 1, 1))]
    function(
        answer,
        score,
        [(student, teacher), ([0 * x for x in student], teacher)],
        wrong={
            "that is the score of matrices as they are; divide each row by its length": lambda s, t: score(
                s, t, lambda A, dim: A
            ),
            "each row has a length of its own; is that the whole matrix's?": lambda s, t: score(
                s, t, lambda A, dim: A / A.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-12)
            ),
            "the logarithm is missing": lambda s, t: score(s, t, log=lambda d: d.mean()),
            "the mean of logarithms is not the logarithm of the mean": lambda s, t: score(
                s, t, log=lambda d: d.mean((-2, -1)).log().mean()
            ),
        },
        within=1e-3,
    )


def a_louder_teacher(answer):
    features = [torch.rand(8, 4, 2, 2)]
    silent = [torch.zeros(1, 8, 3, 2, 2)]

    def value(c):
        score = STM(8)
        score.update(silent, [c * x for x in features])
        return score.value()

    function(
        answer,
        lambda c: value(c) - value(1),
        [(3.0,), (0.5,), (10.0,)],
        wrong={
            "that is how the similarities' logarithm rises; the score is of squared differences": lambda c: (
                2 * math.log(c)
            ),
            "that is how the features' logarithm rises": math.log,
            "the score is a logarithm": lambda c: c**4,
            "the logarithm is the natural one": lambda c: 4 * math.log10(c),
        },
        within=1e-3,
    )


def weigh_the_pairs(answer):
    D = torch.rand(2, 4, 4, dtype=torch.float64) ** 3
    function(
        answer,
        lambda D, j: D[..., j].mean().log(),
        [(D, 0), (D, 3), (D[:, :3, :3], 1)],
        wrong={
            "that is a layer of the student; the teacher's are the last axis": lambda D, j: (
                D[:, j].mean().log()
            ),
            "the mean of logarithms is not the logarithm of the mean": lambda D, j: D[..., j].log().mean(),
            "weights sum to 1: a mean, not a sum": lambda D, j: D[..., j].sum().log(),
            "weights sum to 1, so the others do not count": lambda D, j: (D[..., j].sum() / D.numel()).log(),
            "the logarithm is missing": lambda D, j: D[..., j].mean(),
        },
    )


CHECKS = {"11.1": rows_of_one_length, "11.2": a_louder_teacher, "11.3": weigh_the_pairs}
