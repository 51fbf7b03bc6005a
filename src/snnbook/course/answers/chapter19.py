"""Checks of chapter 19: since these papers."""

import torch
import torch.nn.functional as F

from snnbook import losses
from snnbook.checks import shown
from snnbook.course.comparing import Wrong, call, choice, function, kind, number, same, tensor, truth


def weak_to_strong(answer):
    def loss(outputs, y, lam=1.0, detach=True, swapped=False):
        sure = outputs.softmax(-1).amax(-1).mean(1)
        ends = sure.argmax(), sure.argmin()
        strong, weak = reversed(ends) if swapped else ends
        p = (outputs[weak] / 2).softmax(-1)
        q = (outputs[strong] / 2).log_softmax(-1)
        new = F.kl_div(q, p.detach() if detach else p, reduction="batchmean")
        return losses.sdt(outputs, y) + lam * new

    for T in (4, 6):
        outputs, y = (2 * torch.randn(T, 5, 7)).requires_grad_(), torch.arange(5)
        found = call(answer, outputs, y, copy=False)
        near = [
            (loss(outputs, y, swapped=True), "there the strong moment teaches the weak one"),
            (losses.sdt(outputs, y), "that is the loss of the mean readout alone"),
            (loss(outputs, y) - losses.sdt(outputs, y), "the loss of the mean readout is missing"),
        ]
        number(found, loss(outputs, y).item(), within=1e-4, near=near, what="the loss")
        half = call(answer, outputs.detach(), y, 0.5)
        near = [(loss(outputs, y).item(), "lam weighs the new term")]
        number(half, loss(outputs, y, 0.5).item(), within=1e-4, near=near, what="the loss at lam = 0.5")
        if not isinstance(found, torch.Tensor) or not found.requires_grad:
            raise Wrong("no gradient reaches the outputs")
        slopes = [
            torch.autograd.grad(made.reshape(()), outputs, retain_graph=True)[0]
            for made in (found, loss(outputs, y), loss(outputs, y, detach=False))
        ]
        near = [(slopes[2], "the weak moment learns, too: detach the teacher")]
        same(tensor(slopes[0]), slopes[1], within=1e-3, near=near, what="the gradient")


def steps_of_no_consequence(answer):
    def penalty(T, decay=0.5):
        t = torch.arange(T, dtype=torch.float64)
        return (1 / (1 + ((decay * t).exp() - 1))).mean()

    function(
        answer,
        lambda k: penalty(1000) / penalty(round(1000 * k)),
        [(2.0,), (4.0,), (0.5,)],
        wrong={
            "that is how the penalty shrinks": lambda k: 1 / k,
            "faster than it has to": lambda k: k**2,
            "slower than it has to": lambda k: k**0.5,
            "it does not stay as it is: the sum over steps is divided by T": lambda k: 1.0,
        },
        within=1e-3,
    )


def a_work_of_your_own(answer):
    texts, all_ = (
        ("work", "constants", "changes"),
        ("work", "constants", "detached", "epoch", "changes", "loss"),
    )
    if not isinstance(answer, dict):
        raise Wrong(f"the answer is {kind(answer)}; expected a dict with the keys {', '.join(all_)}")
    if missing := [key for key in all_ if answer.get(key, ...) is ...]:
        raise Wrong(f"{missing[0]} is still to be found")
    for key in texts:
        if not isinstance(answer[key], str) or len(answer[key].strip()) < 8:
            raise Wrong(f"{key} is {shown(answer[key])}; expected a text that a reader can follow")
    truth(answer["detached"], "detached")
    choice(answer["epoch"], answer["epoch"], ("best", "last"), "epoch")
    outputs, y = torch.randn(3, 5, 7, requires_grad=True), torch.arange(5)
    if not callable(answer["loss"]):
        raise Wrong(f"loss is {kind(answer['loss'])}; expected a function of outputs and labels")
    found = call(answer["loss"], outputs, y, what="your loss", copy=False)
    if not isinstance(found, torch.Tensor) or found.numel() != 1 or not found.isfinite():
        raise Wrong(f"your loss returned {kind(found)}; expected a tensor of one finite number")
    if (
        not found.requires_grad
        or not torch.autograd.grad(found.reshape(()), outputs, allow_unused=True)[0].any()
    ):
        raise Wrong("no gradient of your loss reaches the outputs")


CHECKS = {"19.1": weak_to_strong, "19.2": steps_of_no_consequence, "19.3": a_work_of_your_own}
