"""Batches, augmented and normalized where the images lie."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from snnbook.checks import nearest, whole
from snnbook.data.augment import AUGMENTATIONS
from snnbook.data.dataset import Dataset
from snnbook.data.loaders import LoaderDataset
from snnbook.data.stream import StreamingDataset
from snnbook.errors import UserError

Batch = tuple[Tensor, ...]  # images, labels; of padded recordings, lengths

# Cuts images where they are decoded, from all the pixels of their files, and so comes first.
RESIZED_CROP = "resized_crop"


def batches(
    dataset: Dataset | StreamingDataset | LoaderDataset,
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
    resumed run needs no generator's state.  DataLoaders order and augment by themselves, see
    :class:`snnbook.data.loaders.LoaderDataset`.

    Args:
        batch_size: images a step, of all processes together.
        seed, epoch: whole numbers of at least 0.
        augment: names of :mod:`snnbook.data.augment`, applied in this order before normalization.  Of images that
            are read from disk, ``"resized_crop"`` may be the first: a random part of 8 to 100 % of the image,
            3:4 to 4:3 wide, resized (torchvision's ``RandomResizedCrop``).
        drop_last: leave out a last batch that is not full.
        part: this process and the number of processes, ``(rank, world)``.  Process ``rank`` gets its contiguous
            share of every batch of the one order, each image augmented as one process alone would.  Shares of a
            full batch are equal.  Those of a last, short batch differ by one image at most, the first processes
            having more: a mean over processes has to weight them by their number of images.

    Returns:
        Pairs of images, float32 ``[B, C, H, W]`` (or torch's default type, if that is another), normalized, and
        labels, int64 ``[B]``; ``B`` is the share's.
        Event frames are ``[T, B, C, H, W]``, in [0, 1]; if some recordings end before the last frame, the number
        of frames of each, int64 ``[B]``, comes third.

    Raises:
        UserError: a seed or an epoch that is none; an unknown augmentation; a batch size below 1, or so large that
            no batch would be full; one that the number of processes does not divide, or whose last batch has fewer
            images than processes.
    """
    seed, epoch = whole(seed, "seed"), whole(epoch, "epoch")
    if isinstance(dataset, LoaderDataset):
        dataset.check(batch_size, augment, drop_last, part)
        return dataset.batches(
            "train",
            seed,
            epoch,
            least=batch_size if drop_last and dataset.train_loader.batch_size is not None else 1,
        )
    _check_augment(augment, dataset)
    count = len(dataset.train_labels)
    batch_size = whole(batch_size, "batch_size", 1)
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
    augment = tuple(augment)
    normalize = _Normalize(dataset)
    device, count = dataset.device, len(dataset.train_labels)
    # Drawn on the CPU, for every image of the epoch at once: any device sees the same, and waits for it once.
    generator = torch.Generator().manual_seed(_mix(seed, epoch))
    order = torch.randperm(count, generator=generator, device="cpu")
    draws = torch.rand(len(augment), count, 2, generator=generator, device="cpu")
    crops = draws[0] if augment[:1] == (RESIZED_CROP,) else None
    starts = range(0, count - batch_size + 1 if drop_last else count, batch_size)
    spans = [_share(start, min(start + batch_size, count), part) for start in starts]
    there, draws = order.to(device), draws.to(device)
    known = _known(dataset.train_labels, dataset.train_lengths)
    for span, images in zip(spans, dataset.read("train", spans, order, crops), strict=True):
        chosen = there[span]
        for name, numbers in zip(augment, draws, strict=True):
            if name != RESIZED_CROP:
                images = _augmented(images, name, numbers[chosen])
        yield normalize(images), *(part[chosen] for part in known)


def _augmented(images: Tensor, name: str, draws: Tensor) -> Tensor:
    """All frames of a recording have its draw: to an augmentation they look like one image of T*C channels."""
    return AUGMENTATIONS[name](images.flatten(1, -3), draws).reshape(images.shape)


def test_batches(
    dataset: Dataset | StreamingDataset | LoaderDataset, batch_size: int, *, part: tuple[int, int] = (0, 1)
) -> Iterator[Batch]:
    """All test images in order, normalized, as :func:`batches` returns them; the last batch may be smaller.

    Args:
        batch_size: images at a time, in each process: nothing but memory depends on it; a DataLoader has its own.
        part: this process and the number of processes, ``(rank, world)``.  Each tests its contiguous share of
            the images, so that together they meet each of them once; shares differ by one image at most, and
            are empty where there are fewer images than processes.

    Raises:
        UserError: a batch size below 1.
    """
    if isinstance(dataset, LoaderDataset):
        return dataset.batches("test")
    batch_size = whole(batch_size, "batch_size", 1)
    _check_part(part)
    return _test_batches(dataset, batch_size, part)


test_batches.__test__ = False  # pytest takes any test_* it meets for a test


def in_batches(found: Iterable[Batch], batch_size: int) -> Iterator[Batch]:
    """What ``found`` yields, in batches of so many images, as a DataLoader's are not; the last may be smaller."""
    kept: list[Batch] = []
    for batch in found:
        kept.append(batch)
        while (count := sum(len(labels) for _, labels, *_ in kept)) >= batch_size:
            images, *known = _joined(kept)
            kept = [_part(images, known, slice(batch_size, None))] if count > batch_size else []
            yield _part(images, known, slice(batch_size))
    if kept:
        yield _joined(kept)


def _joined(parts: Sequence[Batch]) -> Batch:
    images, *known = zip(*parts, strict=True)
    return torch.cat(images, dim=-4), *map(torch.cat, known)


def _part(images: Tensor, known: Sequence[Tensor], part: slice) -> Batch:
    return images[..., part, :, :, :], *(x[part] for x in known)


def _test_batches(dataset, batch_size, part) -> Iterator[Batch]:
    normalize = _Normalize(dataset)
    known = _known(dataset.test_labels, dataset.test_lengths)
    mine = _share(0, len(dataset.test_labels), part)
    starts = range(mine.start, mine.stop, batch_size)
    spans = [slice(start, min(start + batch_size, mine.stop)) for start in starts]
    for span, images in zip(spans, dataset.read("test", spans), strict=True):
        yield normalize(images), *(part[span] for part in known)


def _known(labels: Tensor, lengths: Tensor | None) -> list[Tensor]:
    """What comes with images, whatever augmentation makes of them."""
    return [labels] if lengths is None else [labels, lengths]


def _share(start: int, stop: int, part: tuple[int, int]) -> slice:
    """Process ``rank`` of ``world``'s contiguous part; the first ones have one item more if it does not divide."""
    (rank, world), count = part, stop - start
    least, spare = divmod(count, world)
    first = start + rank * least + min(rank, spare)
    return slice(first, first + least + (rank < spare))


class _Normalize:
    """Pixels to torch's default type, by the data's mean and deviation a channel; of frames, time comes first."""

    def __init__(self, dataset: Dataset | StreamingDataset):
        device, white = dataset.device, 255 if dataset.dtype == torch.uint8 else 1
        self.mean = torch.tensor(dataset.mean, device=device)[:, None, None] * white
        self.std = torch.tensor(dataset.std, device=device)[:, None, None] * white

    def __call__(self, images: Tensor) -> Tensor:
        if images.dim() == 5:
            images = images.transpose(0, 1).contiguous()  # while they are bytes
        return (images - self.mean).div_(self.std).to(torch.get_default_dtype())


def _check_augment(augment: tuple[str, ...], dataset: Dataset | StreamingDataset) -> None:
    known = [*AUGMENTATIONS, RESIZED_CROP]
    for place, name in enumerate(augment):
        if name not in known:
            raise UserError(f"unknown augment {name!r}; {nearest(name, known)}")
        if name == RESIZED_CROP and isinstance(dataset, Dataset):
            raise UserError(
                f"augment {name!r} cuts images that are read from disk, and these are in memory; "
                "choose 'crop', or set data.stream to true"
            )
        if name == "autoaugment" and dataset.frames:
            raise UserError(f"augment {name!r} is made for photographs, not for event frames; leave it out")
        if name == "autoaugment" and (dataset.dtype != torch.uint8 or dataset.channels not in (1, 3)):
            what = "floats" if dataset.dtype != torch.uint8 else f"of {dataset.channels} channels"
            raise UserError(
                f"augment {name!r} is made for photographs in bytes, and these images are {what}; "
                "leave it out, or give bytes (uint8) of 1 or 3 channels"
            )
        if name == RESIZED_CROP and place:
            raise UserError(f"augment {name!r} stands at place {place + 1}; expected it first")


def _check_part(part: tuple[int, int]) -> tuple[int, int]:
    rank, world = part
    if not 0 <= rank < world:
        raise UserError(f"part is {part}; expected (rank, world) with 0 <= rank < world")
    return rank, world


def _mix(seed: int, epoch: int) -> int:
    """One seed from two, so that neighbouring seeds and epochs have nothing in common."""
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0])
