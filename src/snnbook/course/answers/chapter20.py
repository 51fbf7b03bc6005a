"""Checks of chapter 20: from the book to a chip."""

import math

import torch
import torch.nn.functional as F

from snnbook.course.comparing import Wrong, call, function, numbers, parts, tensor
from snnbook.deploy.targets import at_threshold


def for_each_reader(answer):
    for beta in (0.95, 0.5, 0.8):
        right = {
            "for snnTorch": 1e-4 / (1 - beta),
            "for norse": 1e-3 / (1 - beta),
            "for sinabs": -1 / math.log(beta),
        }
        found = parts(call(answer, beta), 3, "what your function returns")
        steps = 1 / (1 - beta)
        near = {
            "for snnTorch": [
                (steps, "snnTorch reads seconds"),
                (-1e-4 / math.log(beta), "it takes Euler's step"),
            ],
            "for norse": [(1e-4 * steps, "norse was told another step"), (steps, "norse reads seconds")],
            "for sinabs": [
                (steps, "sinabs decays by an exponential"),
                (-right["for sinabs"], "mind the sign"),
            ],
        }
        numbers(found, right, within=1e-6, near=near)


def without_max_pooling(answer):
    spikes = [(torch.rand(3, 2, 4, 6) < share).float() for share in (0.1, 0.5, 0.9)]
    function(
        answer,
        lambda x: F.max_pool2d(x, 2),
        [(x,) for x in spikes],
        wrong={
            "that is an average of the window; the maximum of spikes is a spike": lambda x: F.avg_pool2d(
                x, 2
            ),
            "that is the sum; a neuron after it makes it 0 or 1": lambda x: 4 * F.avg_pool2d(x, 2),
            "that is every spike of all four; one is enough": lambda x: (F.avg_pool2d(x, 2) == 1).float(),
        },
    )
    half = tensor(call(answer, 0.5 * spikes[1]), "what your function returns")
    if not ((half == 0) | (half == 1)).all():
        raise Wrong(
            "that is the maximum of any numbers, which the format lacks; a neuron puts out 0 and 1 alone"
        )


def ties(answer):
    cases = [(t, ours, theirs) for t in (1.0, 0.3, 2.5) for ours in (True, False) for theirs in (True, False)]
    for threshold, ours, theirs in cases:
        here = float(torch.tensor(threshold))
        found = tensor(call(answer, threshold, ours, theirs), "what your function returns")
        if found.numel() != 1:
            raise Wrong("your function returned several numbers; expected one, the threshold to be written")
        written, right = found.reshape(()).float().item(), at_threshold(here, ours, theirs)
        where = (
            f"for a network that fires {'above' if ours else 'at'} the threshold and a reader that fires "
            + ("above it" if theirs else "at it")
        )
        if ours == theirs and written != here:
            raise Wrong(f"{where} nothing has to change")
        if ours != theirs and written == here:
            raise Wrong(f"{where} something has to change, if only in the last bit")
        if ours != theirs and (written > here) != ours:
            raise Wrong(f"{where} it goes the other way")
        if written != right:
            raise Wrong(f"{where} that is too far; there are numbers of 32 bits between")


CHECKS = {"20.1": for_each_reader, "20.2": without_max_pooling, "20.3": ties}
