"""What an export does with images, held against the network it was made of."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Export:
    """An export, tried on a sample.

    Attributes:
        differing: entries of all neurons' spikes that are not the network's.
        spikes: how many the network fired.
        compared: how many entries there were.
        outputs: the largest difference of an output.
        by: what ran the export.
    """

    differing: int
    spikes: int
    compared: int
    outputs: float
    by: str


def held_against(output: Tensor, spikes: Sequence[Tensor], found: Tensor, theirs: Sequence[Tensor]) -> dict:
    """The first four numbers of a :class:`Export`: the network's output and spikes, and what the export made."""
    pairs = [(ours, x.reshape(ours.shape)) for ours, x in zip(spikes, theirs, strict=True)]
    return {
        "differing": sum(int((ours != x).sum()) for ours, x in pairs),
        "spikes": sum(int((ours != 0).sum()) for ours in spikes),
        "compared": sum(ours.numel() for ours in spikes),
        "outputs": float((output - found.reshape(output.shape)).abs().max()),
    }
