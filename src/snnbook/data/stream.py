"""Data larger than memory: worker processes read and decode images while the network trains."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from snnbook import bars, room, threads
from snnbook.checks import environment, whole
from snnbook.data import decoded, folder
from snnbook.data.dataset import Described, Files, Statistics, statistics
from snnbook.errors import UserError

SAMPLE = 1000  # images that mean and standard deviation are computed from
MOST_WORKERS = 1000
AHEAD = 2  # batches that each worker reads before they are asked for
CPU = torch.device("cpu")
WHOLE = -1  # in place of a seed: an image that is not cropped at random

Key = tuple[int, int]  # of one image: its index, and the seed of its crop


@dataclass(frozen=True, eq=False)
class StreamingDataset(Described):
    """Training and test images on disk; as :class:`snnbook.data.Dataset` for all who ask by batches.

    Attributes:
        classes: their names; a label is an index into them.
        train_files, test_files: where the images are.
        train_labels, test_labels: int64 ``[N]``, on ``device``.
        mean, std: of the training pixels, scaled to [0, 1], one number a channel.
        fingerprint: see :func:`assemble`.
        size: side of an image in pixels.
        share: of an image's shorter side that is seen, see :func:`snnbook.data.folder.fit`.
        device: where batches are wanted.
    """

    name: str
    classes: tuple[str, ...]
    train_files: Files
    train_labels: Tensor
    test_files: Files
    test_labels: Tensor
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str
    size: int
    share: float = 1.0
    device: torch.device = CPU
    _loaders: dict = field(default_factory=dict, init=False, repr=False)

    def to(self, device: torch.device | str) -> "StreamingDataset":
        """The same data with its batches on ``device``."""
        device = torch.device(device)
        if device == self.device:
            return self  # whose workers may be waiting
        labels = {key: getattr(self, key).to(device) for key in ("train_labels", "test_labels")}
        return replace(self, device=device, **labels)

    @property
    def dtype(self) -> torch.dtype:
        """Of a pixel that was read."""
        return torch.uint8

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one image: channels, height, width."""
        return 3, self.size, self.size

    def read(
        self, half: str, spans: Sequence[slice], order: Tensor | None = None, crops: Tensor | None = None
    ) -> Iterator[Tensor]:
        """Images, uint8 ``[B, C, H, W]``, of each span, decoded by worker processes, which stay for the next call.

        Args:
            half: ``"train"`` or ``"test"``.
            spans: parts of ``order``.
            order: indices of images, ``[N]`` on the CPU; None leaves them in order.
            crops: two uniform numbers in [0, 1) for each image, ``[N, 2]``: cut and resize a random part of it
                (torchvision's ``RandomResizedCrop``), which depends on these numbers alone; None shows the middle.

        Raises:
            UserError: a file is no image, a worker died, or another loop over the same half has begun.
        """
        loader = self._loader(half)
        keys = loader.batch_sampler
        keys.spans, keys.order, keys.seeds = spans, order, None if crops is None else _seeds(crops)
        waiting = iter(loader)
        keys.turn = turn = object()
        for _ in spans:
            if keys.turn is not turn:
                raise UserError(f"two loops over the {half} images at once; end one before the other begins")
            yield _ready(_next(waiting), self.device)

    def _loader(self, half: str) -> DataLoader:
        if half not in self._loaders:
            files = {"train": self.train_files, "test": self.test_files}[half]
            count = workers()
            self._loaders[half] = DataLoader(
                _Decoder(files, self.size, self.share),
                batch_sampler=_Keys(),
                collate_fn=_collate,
                num_workers=count,
                persistent_workers=count > 0,
                prefetch_factor=AHEAD if count else None,
                pin_memory=self.device.type == "cuda",
                generator=torch.Generator(),  # or it would draw from the global one
            )
        return self._loaders[half]

    def _place(self) -> str:
        held = f"{room.show(self.nbytes)} if held in memory, where {room.show(room.at_hand())} are at hand"
        return f"read from {self.train_files.folder.parent} by {workers()} workers ({held})"


def assemble(
    name: str,
    classes: tuple[str, ...],
    train: Files,
    test: Files,
    size: int,
    share: float = 1.0,
    pixels: Statistics | None = None,
) -> StreamingDataset:
    """A :class:`StreamingDataset`.

    Its fingerprint is 16 hex digits of the SHA-256 over class names, ``size``, ``share``, and of each file in
    order the name, the number of bytes and the label: reading all images to hash them would take as long as an
    epoch.  A file that was changed and kept its length goes unnoticed.

    Args:
        pixels: mean and standard deviation; None computes them from ``SAMPLE`` training images, drawn with a fixed
            seed, or from all if there are no more.
    """
    order = np.random.RandomState(0).permutation(len(train.labels))  # its stream is frozen by promise
    sample = torch.from_numpy(order[:SAMPLE]).sort().values
    held = (1 if pixels else len(sample)) * 3 * size * size
    room.check(held, room.at_hand(), f"{name} of {size} pixels a side", advice="choose a smaller data.size")
    mean, std = pixels or statistics(folder.read_files(train.take(sample), size, share).images)
    digest = hashlib.sha256(repr((classes, size, share)).encode())
    for files in (train, test):
        for row in zip(files.names.tolist(), _lengths(files), files.labels.tolist(), strict=True):
            digest.update(repr(row).encode())
    return StreamingDataset(
        name, classes, train, train.labels, test, test.labels, mean, std, digest.hexdigest()[:16], size, share
    )


def workers() -> int:
    """Processes that read: ``SNNBOOK_WORKERS``, or one a core at hand, shared by the trainings of one machine.

    Raises:
        UserError: the variable is no whole number from 0 to ``MOST_WORKERS``.
    """
    if "SNNBOOK_WORKERS" in os.environ:  # 0 to read in the training's own process
        return whole(environment("SNNBOOK_WORKERS"), "SNNBOOK_WORKERS", most=MOST_WORKERS)
    here = whole(environment("LOCAL_WORLD_SIZE", 1), "LOCAL_WORLD_SIZE", 1)  # as torchrun sets it
    return max(1, threads.cores() // here)


class _Keys(Sampler):
    """Which images a batch is made of; the loader asks for all of an epoch, some time before they are needed."""

    def __init__(self):
        self.spans, self.order, self.seeds, self.turn = (), None, None, None

    def __iter__(self) -> Iterator[list[Key]]:
        for span in self.spans:
            chosen = torch.arange(span.start, span.stop) if self.order is None else self.order[span]
            seeds = torch.full_like(chosen, WHOLE) if self.seeds is None else self.seeds[chosen]
            yield list(zip(chosen.tolist(), seeds.tolist(), strict=True))

    def __len__(self) -> int:
        return len(self.spans)


class _Decoder:
    """Runs in the workers: files to pixels."""

    def __init__(self, files: Files, size: int, share: float):
        self.files, self.size, self.share = files, size, share

    def __getitem__(self, key: Key) -> np.ndarray | UserError:
        index, seed = key
        try:
            return folder.decode(self.files.path(index), lambda image: self._cut(image, seed))
        except UserError as error:
            return error  # raised here, it would arrive as a page of text

    def _cut(self, image: Image.Image, seed: int) -> Image.Image:
        if seed == WHOLE:
            return folder.fit(image, self.size, self.share)
        from torchvision.transforms import v2  # takes seconds to import

        # Torchvision draws from the global generator of the CPU: lend it each image's seed, then put it back.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            return v2.RandomResizedCrop(self.size)(image)


def _collate(images: list[np.ndarray | UserError]) -> Tensor | UserError:
    wrong = next((image for image in images if isinstance(image, UserError)), None)
    return wrong or torch.from_numpy(np.stack(images))


def _next(waiting: Iterator[Tensor | UserError]) -> Tensor | UserError:
    try:
        return next(waiting)
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        reason = " ".join(str(error).split())
        raise UserError(
            f"a process that reads images died ({reason}); give it more memory, or more in /dev/shm, "
            "or set SNNBOOK_WORKERS to fewer processes"
        ) from None


def _ready(batch: Tensor | UserError, device: torch.device) -> Tensor:
    if isinstance(batch, UserError):
        raise batch
    return batch.to(device, non_blocking=True).permute(0, 3, 1, 2).contiguous()


def _seeds(crops: Tensor) -> Tensor:
    """Two draws hold 24 random bits each, and the generator takes 32."""
    high, low = (crops.double() * 2**24).long().unbind(1)
    return (high << 24) | low


def _lengths(files: Files) -> list[int]:
    """Of each file, in bytes."""
    count = len(files.labels)
    with ThreadPoolExecutor(16) as pool:  # a network's file system answers many at once
        found = pool.map(lambda i: decoded.stat(files.path(i)).st_size, range(count))
        what = f"listing {files.folder.name} images"
        return list(bars.bar(found, what, total=count, disable=count <= 10 * folder.BAR_FROM))
