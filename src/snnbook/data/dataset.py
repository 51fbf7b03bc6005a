"""What was loaded."""

import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from snnbook import room
from snnbook.data import tensors

Statistics = tuple[tuple[float, ...], tuple[float, ...]]  # mean and standard deviation a channel


class Images(NamedTuple):
    """Images, uint8 ``[N, C, H, W]``, or frames ``[N, T, C, H, W]``, and the class of each, int64 ``[N]``."""

    images: Tensor
    labels: Tensor

    def take(self, chosen: Tensor) -> "Images":
        """The images at the indices ``chosen``, in that order."""
        return Images(self.images[chosen], self.labels[chosen])


class Files(NamedTuple):
    """Image files, and the class of each, int64 ``[N]``.

    Attributes:
        folder: where they lie.
        names: below ``folder``, an array of bytes.  Processes that read share it, while each would soon have its
            own copy of a list of a million strings: counting references writes to them.
    """

    folder: Path
    names: np.ndarray
    labels: Tensor

    def take(self, chosen: Tensor) -> "Files":
        """The files at the indices ``chosen``, in that order."""
        return Files(self.folder, self.names[chosen.numpy()], self.labels[chosen])

    def path(self, index: int) -> str:
        return os.path.join(self.folder, os.fsdecode(self.names[index]))


class Cut(NamedTuple):
    """What became of recordings, of lengths of their own, when they were cut into as many frames each.

    Attributes:
        events: in all of them; 0 where nobody counted.
        dropped: of these, how many no frame holds.
        padded: recordings that end before the last frame.
    """

    events: int
    dropped: int
    padded: int

    def __str__(self) -> str:
        counted = f"{self.dropped:,} of {self.events:,} events are in no frame, " if self.events else ""
        return f"{counted}{self.padded:,} recordings end before the last frame"


class Described:
    """What data in memory, data on disk and data from loaders have in common."""

    name: str
    classes: tuple[str, ...]
    train_labels: Tensor
    test_labels: Tensor
    fingerprint: str
    shape: tuple[int, ...]  # of one image: channels, height, width; of event frames, T before them
    dtype: torch.dtype  # of a pixel
    cut: Cut | None = None  # of recordings
    train_lengths: Tensor | None = None  # of recordings, some of which end before the last frame
    test_lengths: Tensor | None = None

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @property
    def channels(self) -> int:
        """Of an image, or of a frame."""
        return self.shape[-3]

    @property
    def padded(self) -> bool:
        """Whether recordings are of different lengths, the shorter ones with empty frames at the end."""
        return self.train_lengths is not None

    @property
    def frames(self) -> int | None:
        """T of event frames; None for images that do not move."""
        return self.shape[0] if len(self.shape) == 4 else None

    def describe(self) -> dict[str, Any]:
        """For the record of a run, ready for JSON.

        ``standard_error_at_90`` is the sampling error of this test set, in percentage points, for a network
        that is right on 90 %; see :func:`standard_error`.
        """
        return {
            "name": self.name,
            "classes": self.num_classes,
            "shape": list(self.shape),
            "train": len(self.train_labels),
            "test": len(self.test_labels),
            "standard_error_at_90": standard_error(90, len(self.test_labels)),
            "fingerprint": self.fingerprint,
        }

    @property
    def nbytes(self) -> int:
        """What all images take in memory."""
        return (len(self.train_labels) + len(self.test_labels)) * math.prod(self.shape) * self.dtype.itemsize

    def summary(self) -> str:
        """One line: how many images, and where they are."""
        kind = "bytes" if self.dtype == torch.uint8 else "floats"
        counts = f"{len(self.train_labels):,} training and {len(self.test_labels):,} test images"
        told = f"; {self.cut}" if self.cut else ""
        return f"{self.name}: {counts} of {'x'.join(map(str, self.shape))} {kind}, {self._place()}{told}"


@dataclass(frozen=True, eq=False)
class Dataset(Described):
    """Training and test images, whole, on one device.

    Attributes:
        classes: their names; a label is an index into them.
        train_images, test_images: ``[N, C, H, W]``; event frames ``[N, T, C, H, W]``; bytes (uint8), or floats
            (float32) in [0, 1].
        train_labels, test_labels: int64 ``[N]``.
        mean, std: of the training pixels, scaled to [0, 1], one number a channel.
        fingerprint: 16 hex digits of the SHA-256 over class names, images, labels and lengths, in their order.
        cut: of recordings, what cutting left out and filled up.
        train_lengths, test_lengths: frames of each recording, int64 ``[N]``; None if all have T.
    """

    name: str
    classes: tuple[str, ...]
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str
    cut: Cut | None = None
    train_lengths: Tensor | None = None
    test_lengths: Tensor | None = None

    @classmethod
    def from_tensors(
        cls,
        train_images: Tensor | np.ndarray,
        train_labels: Tensor | np.ndarray,
        test_images: Tensor | np.ndarray,
        test_labels: Tensor | np.ndarray,
        classes: Sequence[str] | None = None,
        lengths: Sequence[Tensor | np.ndarray] | None = None,
    ) -> "Dataset":
        """A data set of your own.

        Args:
            train_images, test_images: bytes (uint8), or floats in [0, 1], ``[N, C, H, W]`` or ``[N, H, W]``; event
                frames ``[N, T, C, H, W]``.  They are not copied where that can be avoided.
            train_labels, test_labels: whole numbers ``[N]``, classes counted from 0.
            classes: their names; None numbers them, up to the largest label.
            lengths: of recordings that are not equally long, those of training and those of the test, as
                :func:`snnbook.data.events.pad` gives them.  Frames behind a recording's end, which are zero, count
                in no loss.

        Images are normalized by mean and deviation of the training images; event frames stay in [0, 1].

        Raises:
            UserError: what cannot be images and their labels, see :mod:`snnbook.data.tensors`.
        """
        train, test = tensors.halves((train_images, train_labels), (test_images, test_labels))
        named = tensors.names(classes, train[1], test[1])
        channels = train[0].shape[-3]
        as_they_are = ((0.0,) * channels, (1.0,) * channels) if train[0].dim() == 5 else None
        ends = None if lengths is None else tensors.lengths(lengths, train[0], test[0])
        return assemble("own", named, Images(*train), Images(*test), as_they_are, lengths=ends)

    def to(self, device: torch.device | str) -> "Dataset":
        """The same data with its tensors on ``device``.

        Raises:
            UserError: a GPU that has not enough memory for them.
        """
        device = torch.device(device)
        if device.type == "cuda" and self.device.type != "cuda":
            room.check(self.nbytes, torch.cuda.mem_get_info(device)[0], self.name, "of the GPU")
        tensors = {key: value.to(device) for key, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **tensors)

    @property
    def device(self) -> torch.device:
        return self.train_images.device

    @property
    def dtype(self) -> torch.dtype:
        """Of a pixel: uint8, or float32 in [0, 1]."""
        return self.train_images.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one image: channels, height, width; of event frames, T before them."""
        return tuple(self.train_images.shape[1:])

    def read(
        self, half: str, spans: Sequence[slice], order: Tensor | None = None, crops: None = None
    ) -> Iterator[Tensor]:
        """As :meth:`snnbook.data.stream.StreamingDataset.read`; cropping at random is for images on disk."""
        images = {"train": self.train_images, "test": self.test_images}[half]
        order = None if order is None else order.to(images.device)
        for span in spans:
            yield images[span if order is None else order[span]]

    def _place(self) -> str:
        return f"{room.show(self.nbytes)} in memory"


def standard_error(accuracy: float, count: int) -> float:
    """Sampling error of an accuracy measured on ``count`` test images, both in percent.

    The standard deviation of a binomial share, ``sqrt(p (1 - p) / n)``: how far the number would scatter had
    other images been drawn for the test.
    """
    return math.sqrt(accuracy * (100 - accuracy) / count)


def assemble(
    name: str,
    classes: tuple[str, ...],
    train: Images,
    test: Images,
    pixels: Statistics | None = None,
    cut: Cut | None = None,
    lengths: tuple[Tensor, Tensor] | None = None,
) -> Dataset:
    """A :class:`Dataset`, with what is computed from its pixels; their mean and deviation unless given.

    Lengths are left out where all recordings have T frames.

    Raises:
        UserError: what cannot be images and their labels, see :mod:`snnbook.data.tensors`.
    """
    first, last = tensors.halves(train, test, len(classes))
    parts = [*first, *last]
    mean, std = pixels or statistics(parts[0])
    if padded := sum(int((ends < parts[0].shape[1]).sum()) for ends in lengths or ()):
        parts += lengths
        cut = (cut or Cut(0, 0, 0))._replace(padded=padded)
    digest = hashlib.sha256(repr(classes).encode())
    for tensor in parts:
        digest.update(repr(tuple(tensor.shape)).encode())
        digest.update(memoryview(tensor.cpu().contiguous().numpy()))
    return Dataset(name, classes, *parts[:4], mean, std, digest.hexdigest()[:16], cut, *parts[4:])


def statistics(images: Tensor) -> Statistics:
    """Mean and standard deviation a channel; of bytes from exact counts of the 256 grey levels."""
    mean, std = [], []
    for channel in images.unbind(1):
        average, variance = (_of_bytes if images.dtype == torch.uint8 else _of_floats)(channel)
        mean.append(average)
        # A channel that never changes would be divided by zero; one grey level is the least that can differ.
        std.append(max(math.sqrt(variance), 1 / 255))
    return tuple(mean), tuple(std)


def _of_bytes(channel: Tensor) -> tuple[float, float]:
    levels = torch.arange(256, dtype=torch.float64, device=channel.device) / 255
    share = channel.flatten().bincount(minlength=256).double() / channel.numel()
    mean = float(share @ levels)
    return mean, float(share @ (levels - mean) ** 2)


def _of_floats(channel: Tensor) -> tuple[float, float]:
    parts = channel.split(1024)  # in double precision, a part at a time
    mean = float(sum(part.double().sum() for part in parts)) / channel.numel()
    return mean, float(sum(((part.double() - mean) ** 2).sum() for part in parts)) / channel.numel()
