"""Did a network learn?  Nothing can be said of a method from one that did not."""

from collections.abc import Iterable
from math import log

from snnbook.experiments.runs.record import Record

ACCURACY = 0.25  # of the way from chance to all images right
LOSS = 0.05  # of the way from what guessing costs to the best that can be done with the labels as they are
GUESSED = ("ce", "tet")  # the terms of a loss that are cross-entropies with the labels
# Defaults of losses, which no record has: TET's lambda where another method borrows its loss, and the share of
# soft targets in Joint A-SNN's public code.  A test holds them to the losses, whose import costs seconds.
BORROWED, SOFT = 0.05, 0.1
# Stages of the networks that do not have four, which a test holds to the networks, for the same reason.
STAGES = dict.fromkeys(("resnet19", "resnet19_teacher", "sastc_resnet19", "resnet32x4", "pyramidnet20"), 3)
STAGES |= dict.fromkeys(("wrn16_2", "wrn28_4", "wrn40_2", "sastc_bottleneck16"), 3)
STAGES |= {"vgg13": 5, "convnet": 2, "dense": 1, "recurrent": 1}


def floor(classes: int) -> float:
    """The test accuracy, in percent, below which a network counts as one that did not learn.

    A quarter of the way from chance to 100: 32.5 for ten classes, 25.75 for a hundred.
    """
    chance = 100 / classes
    return chance + ACCURACY * (100 - chance)


def fault(made: Record) -> str | None:
    """Why a run's network did not learn; None if it did, or all of them did.

    It did not if its last test accuracy is below :func:`floor`, or if the cross-entropy of its last epoch of
    training has come less than :data:`LOSS` of the way down from what guessing costs: is above 0.95 ln C where
    labels are right, a readout and as its method weighs it.
    """
    classes = made.data["classes"]
    for network, found in made.metrics.items():
        if found["last"] < floor(classes):
            return f"{_named(made)}: the {network.upper()} has {found['last']:.1f} % of {classes} classes"
    for term in GUESSED:
        for last in made.curve.get("loss", {}).get(term, [])[-1:]:
            guessing = log(classes) * _readouts(made) * _weight(made)
            if last > guessing * (1 - LOSS * (1 - _unknown(made))):
                return f"{_named(made)}: its loss ends at {last:.2f}, and guessing costs {guessing:.2f}"
    return None


def faults(records: Iterable[Record]) -> list[str]:
    """Why those of ``records`` that did not learn did not, a line for each."""
    return [why for why in map(fault, records) if why]


def _unknown(made: Record) -> float:
    """Of ln C, what the labels cost who knows the true ones: some are replaced, by each other class alike."""
    classes, wrong = made.data["classes"], made.config.get("data", {}).get("label_noise", 0)
    return (
        (-(1 - wrong) * log(1 - wrong) - wrong * log(wrong / (classes - 1))) / log(classes) if wrong else 0.0
    )


def _readouts(made: Record) -> int:
    """How many cross-entropies the record's one is the sum of: Joint A-SNN asks each exit of both networks."""
    if made.config["method"].get("exits", "last") == "last":
        return len(made.metrics)
    return _stages(made.config["network"]) * len(made.metrics)


def _stages(network: dict) -> int:
    depth = network.get("options", {}).get("depth")  # which dense networks alone can be given
    return depth - 1 if depth else STAGES.get(network["name"], 4)


def _weight(made: Record) -> float:
    """The share that the cross-entropy has in the record's term: regularizers and teachers take from it."""
    method = made.config["method"]
    weight = method.get("ce", 1.0)
    if method["name"] in ("tet", "switch"):
        weight *= 1 - method["lam"]
    if method.get("label_loss") == "tet":  # of the SNN; a network that is trained beside it has its own
        weight *= 1 - BORROWED / len(made.metrics)
    if method.get("mode") == "official":
        weight *= 1 - SOFT
    return weight


def _named(made: Record) -> str:
    return f"{made.run}, seed {made.seed}"
