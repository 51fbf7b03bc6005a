"""Checks of chapter 6: time inheritance."""

import torch

from snnbook.analysis import landscape
from snnbook.course.comparing import call, choice, number, parts, same, tensor
from snnbook.losses import sdt


def stop_early(answer):
    def early(outputs, sure, mean=True):
        seen = outputs.cumsum(0) / torch.arange(1, len(outputs) + 1).view(-1, 1, 1) if mean else outputs
        most, says = seen.softmax(-1).max(-1)
        enough = most > sure
        enough[-1] = True
        stop = enough.int().argmax(0)
        return stop + 1, says.gather(0, stop[None])[0]

    outputs = 3 * torch.randn(8, 50, 10)
    for sure in (0.5, 0.8, 0.97):
        steps, answers = early(outputs, sure)
        never = steps.where(steps < 8, torch.ones_like(steps))
        found = parts(call(answer, outputs, sure), 2, "what your function returns")
        near = [
            (steps - 1, "steps used count from 1"),
            (
                early(outputs, sure, mean=False)[0],
                "each moment for itself; the readout is the mean until then",
            ),
            (never, "who is never sure stops at the last step, not at the first"),
            (answers, "steps come first, then answers"),
        ]
        same(tensor(found[0]), steps, near=near, what="the steps")
        last = outputs.mean(0).argmax(-1)
        near = [
            (last, "those are the answers after all steps"),
            (
                outputs.argmax(-1).gather(0, steps[None] - 1)[0],
                "those are the moment's; the readout is the mean",
            ),
        ]
        same(tensor(found[1]), answers, near=near, what="the answers")


def the_same_cost(answer):
    heir, T = 20 * 2 + 4 * 6, 6
    number(
        answer,
        round(heir / T),
        within=1e-6,
        near=[
            (heir, "that is the cost in epochs times T"),
            (heir / T, "epochs are whole: round to the nearest"),
            (heir // T, "round to the nearest"),
            (heir / 2, "an epoch from scratch has six steps, not two"),
            (24, "that is the number of its epochs; they have two steps, or six"),
            (round(40 / T), "the last four epochs cost, too"),
        ],
    )


def flat_or_unsure(answer):
    flattest, accurate = parts(answer, 2)
    scales = (0.25, 1, 4)
    network, images = _readout(), torch.randn(40, 6)
    labels = network(images)[0].argmax(-1)
    losses = {c: lambda outputs, y, c=c: sdt(c * outputs, y) for c in scales}
    found = landscape(network, images, labels, losses, points=5)
    choice(flattest, min(scales, key=lambda c: found.rise(c, 0.5)), scales, "the flattest")
    choice(accurate, "all alike", (*scales, "all alike"), "the most accurate")


def _readout():
    class Readout(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.last = torch.nn.Linear(6, 4)

        def forward(self, x):
            return self.last(x)[None]

    return Readout().requires_grad_(False)


CHECKS = {"6.1": stop_early, "6.2": the_same_cost, "6.3": flat_or_unsure}
