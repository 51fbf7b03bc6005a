"""Checks of chapter 12: self-attentive calibration."""

import math

import torch
import torch.nn.functional as F

from snnbook.course.comparing import Wrong, function, number, numbers, parts, tensor
from snnbook.losses import attention_weights


def how_loud_a_softmax(answer):
    def scale(share, K, last=1):
        return math.log((K - last) * share / (1 - share)) / 2

    def reached(share, K):  # by the answer's own scale: the library's attention must be the share
        unit = torch.tensor([1.0, 0.0], dtype=torch.float64)
        keys = torch.stack([unit, *[-unit] * (K - 1)])[None]
        low, high = 0.0, 40.0
        for _ in range(60):
            c = (low + high) / 2
            enough = attention_weights(c * unit.view(1, 1, 1, 2), keys)[0, 0, 0, 0] >= share
            low, high = (low, c) if enough else (c, high)
        return high

    function(
        answer,
        reached,
        [(0.99, 4), (0.9, 3), (0.999, 12)],
        wrong={
            "opposite keys differ by two, one above and one below zero": lambda share, K: 2 * scale(share, K),
            "K - 1 layers share the rest": lambda share, K: scale(share, K, last=0),
            "that is e to the power of 2c; take its logarithm": lambda share, K: math.exp(
                2 * scale(share, K)
            ),
        },
        within=1e-3,
    )


def a_query_of_one_number(answer):
    values, derivative = parts(answer, 2)
    x = torch.tensor([[-1.7], [0.2]], requires_grad=True)
    made = F.normalize(x, dim=-1)
    (slope,) = torch.autograd.grad(made.sum(), x)
    found = tensor(parts(values, None, "the values")).flatten().sort()[0].tolist()
    if len(found) == 1:
        raise Wrong("there is another value; think of the sign")
    numbers(
        found, dict(zip(("the lowest value", "the highest"), sorted(made.flatten().tolist()), strict=True))
    )
    number(derivative, slope.abs().max().item(), what="the derivative")


def layers_on_one_scale(answer):
    def within_channels(y, of=torch.var):
        return of(y.transpose(0, 1).flatten(1), 1).mean()

    def sizes(student, teacher, of=within_channels, pool=F.adaptive_avg_pool2d):
        size = [[min(x.shape[-1], y.shape[-1]) for y in teacher] for x in student]
        rows = [[of(pool(y, n)) for y, n in zip(teacher, row, strict=True)] for row in size]
        return torch.stack([torch.stack(row) for row in rows])  # (S, K)

    shapes = ((2, 4, 4), (3, 2, 2), (3, 1, 1))
    student = [(torch.rand(2, 24, *shape) < 0.5).float() for shape in shapes]
    # Channels that differ in their means, and maps whose pixels are alike neither wholly nor not at all.
    teacher = [(k + 1) * torch.rand(24, *shape) for k, shape in enumerate(shapes)]
    teacher = [y + y.new_tensor([0, 2, 5])[: y.shape[1], None, None] for y in teacher]
    d = torch.rand(2, 24, 3, 3)
    function(
        answer,
        lambda d, student, teacher: d / sizes(student, teacher),
        [(d, student, teacher), (d[:, :, :2, :2], student[:2], teacher[:2])],
        wrong={
            "that is the variance of the teacher's layer as it is; for each student layer take it as same_size "
            "gives it": lambda d, student, teacher: d / sizes(student, teacher, pool=lambda y, n: y),
            "channels differ in their means, which a projection may give back; take the variance within each "
            "channel": lambda d, student, teacher: d / sizes(student, teacher, torch.var),
            "that divides along student layers; the teacher's are the last axis": lambda d, student, teacher: (
                d / sizes(student, teacher).T
            ),
            "that is the standard deviation; a squared distance asks for its square": (
                lambda d, student, teacher: (
                    d / sizes(student, teacher, lambda y: within_channels(y, torch.std))
                )
            ),
            "that multiplies": lambda d, student, teacher: d * sizes(student, teacher),
            "that is the mean square; a variance is of what differs from the mean": (
                lambda d, student, teacher: d / sizes(student, teacher, lambda y: y.square().mean())
            ),
        },
        within=0.1,  # whoever divides by n is right, too
    )


CHECKS = {"12.1": how_loud_a_softmax, "12.2": a_query_of_one_number, "12.3": layers_on_one_scale}
