"""Batches from DataLoaders of your own: order, augmentation and normalization are theirs."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from snnbook.checks import whole
from snnbook.data import tensors
from snnbook.data.dataset import Described
from snnbook.errors import UserError


@dataclass(frozen=True, eq=False)
class LoaderDataset(Described):
    """Two loaders as a data set.

    Float images reach the network as they come, whatever their range; bytes are divided by 255.  What is drawn
    at random is drawn from ``(seed, epoch)``: at each epoch's beginning the generators of the loader, of its
    samplers, of torch, NumPy and Python are seeded, and ``set_epoch`` of samplers that have it is called.  A run
    resumed from its checkpoint therefore goes on as if it had never stopped, unless the loader keeps random state
    of its own; :meth:`check_repeats` finds that out.

    Attributes:
        classes: ``"0"``, ``"1"``, ... up to the largest label.
        train_labels, test_labels: int64 ``[N]``, as they came when the loaders were looked through.
        shape: of one image.
        mean, std: 0 and 1, since nothing is normalized here.
        fingerprint: 16 hex digits of the SHA-256 over the shape, the labels' counts in training, and the test's
            images and labels in any order.  Training images are left out, since a loader may augment them.
        device: where batches are wanted.
    """

    name: str
    classes: tuple[str, ...]
    train_loader: DataLoader[Any]
    test_loader: DataLoader[Any]
    train_labels: Tensor
    test_labels: Tensor
    shape: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def of(cls, train: DataLoader[Any], test: DataLoader[Any]) -> "LoaderDataset":
        """Both loaders, looked through once: how many images, which labels, which shape.

        Raises:
            UserError: a loader without a length, one that yields something else than images and labels, or bytes
                and floats; halves that do not fit together, fewer than two classes.
        """
        _check_length(train, "training")
        _check_length(test, "test")
        if test.drop_last:
            raise UserError(
                "the test loader drops its last batch; expected all test images; set drop_last=False"
            )
        first, last = _Survey("training"), _Survey("test")
        with _seeded(train, 0, 0):
            first.look_through(train)
        with _seeded(test, 0, 0):
            last.look_through(test, hashed=True)
        if first.shape != last.shape:
            raise UserError(
                f"an image has shape {list(first.shape)} in training and {list(last.shape)} in the test; "
                "expected one shape in both"
            )
        _check_one_kind(first.dtype, last.dtype, "training images are", "test images")
        train_labels, test_labels = torch.cat(first.labels), torch.cat(last.labels)
        classes = tensors.names(None, train_labels, test_labels)
        digest = hashlib.sha256(repr((first.shape, train_labels.bincount().tolist())).encode())
        for image in sorted(last.images):
            digest.update(image)
        channels, found = first.shape[-3], digest.hexdigest()[:16]
        plain = (0.0,) * channels, (1.0,) * channels
        device, dtype = torch.device("cpu"), first.dtype
        return cls(
            "own", classes, train, test, train_labels, test_labels, first.shape, *plain, found, dtype, device
        )

    def to(self, device: torch.device | str) -> "LoaderDataset":
        """The same data with its batches on ``device``."""
        labels = {key: getattr(self, key).to(device) for key in ("train_labels", "test_labels")}
        return replace(self, device=torch.device(device), **labels)

    def check(
        self,
        batch_size: int,
        augment: tuple[str, ...] = (),
        drop_last: bool = True,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        """Refuse what would have to be changed in the loader.

        Raises:
            UserError: another batch size than the loader's, augmentation, a last batch that it drops and that is
                wanted, several processes.
        """
        own = self.train_loader.batch_size
        if own is not None and own != batch_size:
            raise UserError(
                f"recipe.batch_size is {batch_size} and the training loader's is {own}; "
                "expected the same number in both"
            )
        if augment:
            raise UserError(
                f"recipe.augment is {list(augment)}, but batches come from a DataLoader, whose data set augments "
                "them; set augment=()"
            )
        if self.train_loader.drop_last and not drop_last:
            raise UserError(
                "recipe.drop_last is false, but the training loader drops its last batch; set both alike"
            )
        if part != (0, 1):
            raise UserError(
                "several processes cannot share the batches of a DataLoader; use a Dataset, or one process"
            )

    def check_repeats(self, seed: int) -> None:
        """Draw an epoch's first batch twice, as before and after an interruption.

        Raises:
            UserError: the two differ, so that a run could not be resumed to the same result.
        """
        once, again = (next(self.batches("train", seed, 0)) for _ in range(2))
        if not all(torch.equal(a, b) for a, b in zip(once, again, strict=True)):
            raise UserError(
                "the training loader gives other images for the same seed and epoch, so a resumed run would "
                "differ; draw from torch's, NumPy's or Python's global generator without persistent_workers, or "
                "leave out checkpoint"
            )

    def batches(
        self, half: str, seed: int = 0, epoch: int = 0, least: int = 1
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Images ``[B, C, H, W]`` (event frames ``[T, B, C, H, W]``), of torch's default type, and labels.

        Args:
            half: ``"train"`` or ``"test"``.
            seed, epoch: of all that is random; whole numbers of at least 0.
            least: leave out batches of fewer images.

        Raises:
            UserError: a seed or an epoch that is none; a batch of another shape than before, of bytes where there
                were floats, or with labels that were not there.
        """
        whole(seed, "seed")
        whole(epoch, "epoch")
        loader = self.train_loader if half == "train" else self.test_loader
        what = "training" if half == "train" else "test"
        with _seeded(loader, seed, epoch):
            for batch in loader:
                images, labels = _checked(batch, what, len(self.classes))
                if tuple(images.shape[1:]) != self.shape:
                    raise UserError(
                        f"the {what} loader gave images of shape {list(images.shape[1:])}, before of "
                        f"{list(self.shape)}; expected one shape"
                    )
                _check_one_kind(images.dtype, self.dtype, f"the {what} loader gave", "before")
                if len(labels) < least:
                    continue
                images = images.to(self.device, non_blocking=True)
                if images.dim() == 5:
                    images = images.transpose(0, 1).contiguous()
                images = images / 255 if images.dtype == torch.uint8 else images.to(torch.get_default_dtype())
                yield images, labels.to(self.device, non_blocking=True)

    def _place(self) -> str:
        return (
            f"from DataLoaders of {self.train_loader.num_workers} and {self.test_loader.num_workers} workers"
        )


class _Survey:
    """What a loader holds."""

    def __init__(self, half: str):
        self.half, self.labels, self.images = half, [], []
        self.shape: tuple[int, ...] = ()
        self.dtype: torch.dtype | None = None

    def look_through(self, loader: DataLoader[Any], hashed: bool = False) -> None:
        for batch in loader:
            images, labels = _checked(batch, self.half)
            self.shape = self.shape or tuple(images.shape[1:])
            self.dtype = self.dtype or images.dtype
            _check_one_kind(images.dtype, self.dtype, f"the {self.half} loader gives", "before")
            if tuple(images.shape[1:]) != self.shape:
                raise UserError(
                    f"the {self.half} loader gives images of shapes {list(self.shape)} and "
                    f"{list(images.shape[1:])}; expected one shape; resize them"
                )
            self.labels.append(labels.cpu())
            for image, label in (
                zip(images.cpu().contiguous().numpy(), labels.tolist(), strict=True) if hashed else ()
            ):
                self.images.append(hashlib.sha256(image.tobytes() + repr(label).encode()).digest())
        if not self.labels:
            raise UserError(f"the {self.half} loader gives no batch; expected at least one")


def _check_one_kind(found: torch.dtype, other: torch.dtype, what: str, where: str) -> None:
    """Refuse bytes, which are divided by 255, beside floats, which are taken as they come."""
    if (found == torch.uint8) != (other == torch.uint8):
        kinds = f"{what} {found} and {where} {other}".replace("torch.", "")
        raise UserError(f"{kinds}; expected all as bytes or all as floats")


def _check_length(loader: DataLoader[Any], half: str) -> None:
    if isinstance(loader.dataset, IterableDataset):
        raise UserError(
            f"the {half} loader reads an IterableDataset, whose order no seed decides; expected a data set with a "
            "length and items"
        )


def _checked(batch: object, half: str, classes: int | None = None) -> tuple[Tensor, Tensor]:
    """Images ``[B, C, H, W]`` or ``[B, T, C, H, W]``, of bytes or finite floats, and their labels."""
    what, expected = f"a batch of the {half} loader", "[B, C, H, W] or [B, T, C, H, W]"
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise UserError(f"{what} is a {type(batch).__name__}; expected a pair (images, labels)")
    images = tensors.tensor(batch[0], f"the images in {what}")
    if images.dim() not in (3, 4, 5) or not images.numel():
        shape = list(images.shape)
        raise UserError(f"the images in {what} have shape {shape}; expected {expected}")
    tensors.check_channels_first(images, f"the images in {what}", expected)
    if images.dtype != torch.uint8 and not images.is_floating_point():
        kind = str(images.dtype).removeprefix("torch.")
        raise UserError(f"the images in {what} are {kind}; expected bytes (uint8) or floats")
    if images.is_floating_point() and not images.isfinite().all():
        raise UserError(f"the images in {what} hold NaN or infinity; expected finite numbers")
    images = images.unsqueeze(1) if images.dim() == 3 else images
    return images, tensors.labels(batch[1], len(images), f"the labels in {what}", classes)


@contextmanager
def _seeded(loader: DataLoader[Any], seed: int, epoch: int) -> Iterator[None]:
    """All that may draw in a pass draws from ``(seed, epoch)``; the global generators are put back.

    Torch's only after a whole pass: one left in its middle may end much later, when others have seeded it.
    """
    entropy = np.random.SeedSequence((seed, epoch)).generate_state(2, np.uint64)
    kept = random.getstate(), np.random.get_state()  # noqa: NPY002  (transforms draw from it)
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    states = torch.get_rng_state(), [torch.cuda.get_rng_state(gpu) for gpu in gpus]
    torch.manual_seed(int(entropy[0]))
    random.seed(int(entropy[0]))
    np.random.seed(int(entropy[1] % 2**32))  # noqa: NPY002
    parts = [loader, loader.sampler, loader.batch_sampler, getattr(loader.batch_sampler, "sampler", None)]
    for part in {id(part): part for part in parts}.values():
        if isinstance(generator := getattr(part, "generator", None), torch.Generator):
            generator.manual_seed(int(entropy[1]))
        if hasattr(part, "set_epoch"):
            part.set_epoch(epoch)
    try:
        yield
        torch.set_rng_state(states[0])
        for gpu, state in zip(gpus, states[1], strict=True):
            torch.cuda.set_rng_state(state, gpu)
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])  # noqa: NPY002
