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
    part: tuple[int, int] = (0, 1),
) -> Iterator[Batch]:
    """One epoch of training batches in random order.

    Order and draws depend on ``seed`` and ``epoch`` alone, not on the device or on what ran before, so a
    resumed run needs no generator's state.

    Args:
        batch_size: images a step, of all processes together.
        seed, epoch: whole numbers of at least 0.
        augment: names of :mod:`snnbook.data.augment`, applied in this order before normalization.
        drop_last: leave out a last batch that is not full.
        part: this process and the number of processes, ``(rank, world)``.  Process ``rank`` gets its contiguous
            share of every batch of the one order, each image augmented as one process alone would.  Shares of a
            full batch are equal.  Those of a last, short batch differ by one image at most, the first processes
            having more: a mean over processes has to weight them by their number of images.

    Returns:
        Pairs of images, float32 ``[B, C, H, W]``, normalized, and labels, int64 ``[B]``; ``B`` is the share's.

    Raises:
        UserError: an unknown augmentation; a batch size below 1, or so large that no batch would be full; one
            that the number of processes does not divide, or whose last batch has fewer images than processes.
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
    _, world = _check_part(part)
    if batch_size % world:
        raise UserError(
            f"batch_size is {batch_size}, which {world} processes cannot share equally; "
            f"choose a multiple of {world}"
        )
    if not drop_last and 0 < count % batch_size < world:
        raise UserError(
            f"the last batch has {count % batch_size} images for {world} processes; "
            "set drop_last to true, or choose another batch_size"
        )
    return _batches(dataset, batch_size, seed, epoch, augment, drop_last, part)


def _batches(dataset, batch_size, seed, epoch, augment, drop_last, part) -> Iterator[Batch]:
    normalize = _Normalize(dataset)
    device, count = dataset.train_images.device, len(dataset.train_labels)
    # Drawn on the CPU, for every image of the epoch at once: any device sees the same, and waits for it once.
    generator = torch.Generator().manual_seed(_mix(seed, epoch))
    order = torch.randperm(count, generator=generator).to(device)
    draws = torch.rand(len(augment), count, 2, generator=generator).to(device)
    for start in range(0, count - batch_size + 1 if drop_last else count, batch_size):
        chosen = _share(order[start : start + batch_size], part)
        images = dataset.train_images[chosen]
        for name, numbers in zip(augment, draws, strict=True):
            images = AUGMENTATIONS[name](images, numbers[chosen])
        yield normalize(images), dataset.train_labels[chosen]


def test_batches(dataset: Dataset, batch_size: int, *, part: tuple[int, int] = (0, 1)) -> Iterator[Batch]:
    """All test images in order, normalized, as :func:`batches` returns them; the last batch may be smaller.

    Args:
        batch_size: images at a time, in each process: nothing but memory depends on it.
        part: this process and the number of processes, ``(rank, world)``.  Each tests its contiguous share of
            the images, so that together they meet each of them once; shares differ by one image at most, and
            are empty where there are fewer images than processes.

    Raises:
        UserError: a batch size below 1.
    """
    _check_batch_size(batch_size)
    _check_part(part)
    return _test_batches(dataset, batch_size, part)


test_batches.__test__ = False  # pytest takes any test_* it meets for a test


def _test_batches(dataset: Dataset, batch_size: int, part: tuple[int, int]) -> Iterator[Batch]:
    normalize = _Normalize(dataset)
    images, labels = (_share(tensor, part) for tensor in (dataset.test_images, dataset.test_labels))
    for start in range(0, len(labels), batch_size):
        yield normalize(images[start : start + batch_size]), labels[start : start + batch_size]


def _share(items: Tensor, part: tuple[int, int]) -> Tensor:
    """The contiguous part of ``items`` that belongs to process ``rank`` of ``world``."""
    rank, world = part
    return items.tensor_split(world)[rank]


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


def _check_part(part: tuple[int, int]) -> tuple[int, int]:
    rank, world = part
    if not 0 <= rank < world:
        raise UserError(f"part is {part}; expected (rank, world) with 0 <= rank < world")
    return rank, world


def _mix(seed: int, epoch: int) -> int:
    """One seed from two, so that neighbouring seeds and epochs have nothing in common."""
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0])
