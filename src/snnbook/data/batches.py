"""Batches, augmented and normalized where the images lie."""

from collections.abc import Iterator
from difflib import get_close_matches

import numpy as np
import torch
from torch import Tensor

from snnbook.data.augment import AUGMENTATIONS
from snnbook.data.dataset import Dataset
from snnbook.errors import UserError

Batch = tuple[Tensor, Tensor]


def batches(
    dataset: Dataset,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    augment: tuple[str, ...] = (),
    drop_last: bool = True,
) -> Iterator[Batch]:
    """One epoch of training batches in random order.

    Order and draws depend on ``seed`` and ``epoch`` alone, not on the device or on what ran before, so a
    resumed run needs no generator's state.

    Args:
        seed, epoch: whole numbers of at least 0.
        augment: names of :mod:`snnbook.data.augment`, applied in this order before normalization.
        drop_last: leave out a last batch that is not full.

    Returns:
        Pairs of images, float32 ``[B, C, H, W]``, normalized, and labels, int64 ``[B]``.

    Raises:
        UserError: an unknown augmentation; a batch size below 1, or so large that no batch would be full.
    """
    for name in augment:
        if name not in AUGMENTATIONS:
            near = get_close_matches(name, AUGMENTATIONS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(AUGMENTATIONS)}"
            raise UserError(f"unknown augment {name!r}; {hint}")
    count = len(dataset.train_labels)
    _check_batch_size(batch_size)
    if drop_last and batch_size > count:
        raise UserError(
            f"batch_size is {batch_size}, but there are {count} training images; make it smaller, "
            "or set drop_last to false"
        )
    return _batches(dataset, batch_size, seed, epoch, augment, drop_last)


def _batches(dataset, batch_size, seed, epoch, augment, drop_last) -> Iterator[Batch]:
    normalize = _Normalize(dataset)
    device, count = dataset.train_images.device, len(dataset.train_labels)
    # Drawn on the CPU, for every image of the epoch at once: any device sees the same, and waits for it once.
    generator = torch.Generator().manual_seed(_mix(seed, epoch))
    order = torch.randperm(count, generator=generator).to(device)
    draws = torch.rand(len(augment), count, 2, generator=generator).to(device)
    for start in range(0, count - batch_size + 1 if drop_last else count, batch_size):
        chosen = order[start : start + batch_size]
        images = dataset.train_images[chosen]
        for name, numbers in zip(augment, draws, strict=True):
            images = AUGMENTATIONS[name](images, numbers[chosen])
        yield normalize(images), dataset.train_labels[chosen]


def test_batches(dataset: Dataset, batch_size: int) -> Iterator[Batch]:
    """All test images in order, normalized, as :func:`batches` returns them; the last batch may be smaller.

    Raises:
        UserError: a batch size below 1.
    """
    _check_batch_size(batch_size)
    return _test_batches(dataset, batch_size)


test_batches.__test__ = False  # pytest takes any test_* it meets for a test


def _test_batches(dataset: Dataset, batch_size: int) -> Iterator[Batch]:
    normalize = _Normalize(dataset)
    pairs = (dataset.test_images.split(batch_size), dataset.test_labels.split(batch_size))
    for images, labels in zip(*pairs, strict=True):
        yield normalize(images), labels


class _Normalize:
    """Bytes to float32 of mean 0 and standard deviation 1 a channel, over the training images."""

    def __init__(self, dataset: Dataset):
        device = dataset.train_images.device
        self.mean = torch.tensor(dataset.mean, device=device)[:, None, None] * 255
        self.std = torch.tensor(dataset.std, device=device)[:, None, None] * 255

    def __call__(self, images: Tensor) -> Tensor:
        return (images - self.mean).div_(self.std)


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise UserError(f"batch_size is {batch_size}; expected at least 1")


def _mix(seed: int, epoch: int) -> int:
    """One seed from two, so that neighbouring seeds and epochs have nothing in common."""
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0])
