"""Which images are kept: stratified draws that depend on the labels and a seed alone."""

import numpy as np
import torch
from torch import Tensor


def divide(labels: Tensor, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Indices of ``count`` images of each class, and of all the others, both ascending."""
    chosen = torch.from_numpy(_ranks(labels.numpy(), seed) < count)
    return chosen.nonzero().squeeze(1), (~chosen).nonzero().squeeze(1)


def stratified_order(labels: Tensor, seed: int) -> Tensor:
    """All indices, shuffled so that any number of the first ones holds the classes in proportion."""
    labels = labels.numpy()
    # Each class is spread evenly over (0, 1); reading from 0 meets every class at its own rate.
    place = (_ranks(labels, seed) + 0.5) / np.bincount(labels)[labels]
    return torch.from_numpy(np.argsort(place, kind="stable"))


def _ranks(labels: np.ndarray, seed: int) -> np.ndarray:
    """The place of each image in the shuffled queue of its class, from 0."""
    # RandomState's stream is frozen by promise, so a split stays what it is under any version of NumPy.
    shuffled = np.random.RandomState(seed).permutation(len(labels))
    queue = shuffled[np.argsort(labels[shuffled], kind="stable")]
    counts = np.bincount(labels)
    first = np.cumsum(counts) - counts
    ranks = np.empty_like(queue)
    ranks[queue] = np.arange(len(labels)) - first[labels[queue]]
    return ranks
