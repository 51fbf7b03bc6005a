"""Checks of chapter 14: event data."""

import math

import torch

from snnbook.course.comparing import function, numbers
from snnbook.data import digit_events, standard_error


def events_of_an_edge(answer):
    ink, ground, C = 1 + digit_events.DARK, digit_events.DARK, digit_events.THRESHOLD
    steps = {
        "the first": math.log(ink / ground) / C,
        "under half the light": math.log(ink / 2 / (ground / 2)) / C,
    }
    near = [
        ((ink - ground) // C, "the pixel sees the logarithm of the brightness"),
        (math.ceil(steps["the first"]), "a threshold must be crossed whole"),
        (steps["the first"], "events are whole"),
        (math.log10(ink / ground) // C, "the logarithm is the natural one"),
    ]
    half = [
        (math.floor(steps["the first"]) // 2, "half the light on both sides: what becomes of their quotient?")
    ]
    names = list(steps)
    numbers(
        answer,
        {name: math.floor(step) for name, step in steps.items()},
        within=1e-6,
        near={names[0]: near, names[1]: half + near},
    )


def the_negative(answer):
    frames = torch.poisson(torch.rand(5, 4, 2, 6, 6))
    function(
        answer,
        lambda frames: frames.flip(2),
        [(frames,), (frames[:3, :2],)],
        wrong={
            "nothing was changed": lambda frames: frames,
            "frames hold counts, not brightness": lambda frames: 1 - frames,
            "counts cannot be negative": lambda frames: -frames,
            "that is the largest count less each": lambda frames: frames.max() - frames,
            "that runs time backwards": lambda frames: frames.flip(0),
            "that gives each image another's frames": lambda frames: frames.flip(1),
            "that is upside down": lambda frames: frames.flip(3),
            "that is a mirror image": lambda frames: frames.flip(4),
        },
    )


def number_or_time(answer):
    function(
        answer,
        standard_error,
        [(80.0, 400), (95.0, 10000), (50.0, 100)],
        wrong={
            "that is its square": lambda p, n: standard_error(p, n) ** 2,
            "that is the spread of a single image; a mean of n has less": lambda p, n: standard_error(p, 1),
            "that divides by n; divide by its root": lambda p, n: standard_error(p, n) / n**0.5,
            "that is an interval of 95 %, two standard errors": lambda p, n: 1.96 * standard_error(p, n),
        },
    )


CHECKS = {"14.1": events_of_an_edge, "14.2": the_negative, "14.3": number_or_time}
