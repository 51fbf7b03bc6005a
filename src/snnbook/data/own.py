"""Data of any kind that torch users have, as the training loop takes it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, TensorDataset
from torch.utils.data import Dataset as TorchDataset

from snnbook import room
from snnbook.checks import shown
from snnbook.data import tensors
from snnbook.data.dataset import Dataset
from snnbook.data.folder import opaque
from snnbook.data.loaders import LoaderDataset
from snnbook.data.stream import StreamingDataset
from snnbook.errors import UserError

Loaded = Dataset | StreamingDataset | LoaderDataset
# Two data sets of torch, or two loaders: training and test.
Pair = tuple[TorchDataset[Any], TorchDataset[Any]] | tuple[DataLoader[Any], DataLoader[Any]]
EXPECTED = "expected snnbook's Dataset, or a pair (training, test) of torch data sets or of DataLoaders"
TWICE = 16  # items that are asked for twice, to see whether they stay what they are


def dataset_of(data: Loaded | Pair) -> Loaded:
    """``data`` as one of the library's data sets.

    Args:
        data: one of them, which is returned as it is; or a pair, training and test, of

            * ``TensorDataset`` (no subclass) of images and labels, see :meth:`snnbook.data.Dataset.from_tensors`;
            * any data sets with a length, whose items are pairs of image and class number; an image is a tensor or
              an array ``[C, H, W]`` or ``[H, W]``, or a Pillow image.  All are read into memory, once: an item has
              to be the same each time, and augmentation is the recipe's;
            * ``DataLoader``, see :class:`snnbook.data.loaders.LoaderDataset`.

    Raises:
        UserError: anything else, or data that cannot be images and their labels.
    """
    if isinstance(data, Dataset | StreamingDataset | LoaderDataset):
        return data
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise UserError(f"data is {_a(data)}; {EXPECTED}")
    train, test = data
    if isinstance(train, DataLoader) and isinstance(test, DataLoader):
        return LoaderDataset.of(train, test)
    for half in (train, test):
        if isinstance(half, Tensor | np.ndarray):
            raise UserError(
                f"data is a pair with {_a(half)}; expected Dataset.from_tensors(train_images, train_labels, "
                "test_images, test_labels)"
            )
        if isinstance(half, DataLoader | Dataset | StreamingDataset | LoaderDataset):
            raise UserError(
                f"data is {_a(train)} and {_a(test)}; expected two of one kind, training and test"
            )
    classes = _classes(train, test)
    (a, a_labels), (b, b_labels) = _read(train, "training"), _read(test, "test")
    return Dataset.from_tensors(a, a_labels, b, b_labels, classes)


def _a(value: object) -> str:
    return f"a {type(value).__name__}"


def _classes(train: object, test: object) -> Sequence[str] | None:
    """The class names that torchvision's data sets have.

    Raises:
        UserError: training and test have different ones, so that a label would mean two things.
    """
    found = [getattr(half, "classes", None) for half in (train, test)]
    named = [
        list(x) for x in found if isinstance(x, list | tuple) and all(isinstance(name, str) for name in x)
    ]
    if len(named) == 2 and named[0] != named[1]:
        raise UserError(
            f"training has classes {shown(named[0])}, the test {shown(named[1])}; expected the same in both"
        )
    return named[0] if named else None


def _read(data: Any, half: str) -> tuple[Any, Any]:
    """All images and labels of a data set of torch."""
    if type(data) is TensorDataset:  # a subclass may have items of its own
        if len(data.tensors) != 2:
            raise UserError(
                f"the {half} set has {len(data.tensors)} tensors; expected two, images and labels"
            )
        return data.tensors
    what = f"the {half} set"
    if isinstance(data, IterableDataset) or not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
        raise UserError(f"{what} is {_a(data)}, which has no length or no items; {EXPECTED}")
    count = len(data)
    if not count:
        raise UserError(f"{what} is empty; expected at least one image")
    images: Tensor | None = None
    labels = torch.empty(count, dtype=torch.int64)
    for i in range(count):
        image, label = _item(data[i], f"item {i} of {what}")
        if i < TWICE and not torch.equal(image, _item(data[i], f"item {i} of {what}")[0]):
            raise UserError(
                f"item {i} of {what} is another image each time (a random transform?); expected images that stay; "
                "leave augmentation to recipe.augment, or give DataLoaders"
            )
        if images is None:
            room.check(count * image.nbytes, room.at_hand(), what)
            images = torch.empty(count, *image.shape, dtype=image.dtype)
        if image.shape != images.shape[1:] or image.dtype != images.dtype:
            was, now = (
                [str(x.dtype).removeprefix("torch."), list(x.shape[-image.dim() :])] for x in (images, image)
            )
            raise UserError(f"item {i} of {what} is {now}, others are {was}; expected all alike; resize them")
        images[i], labels[i] = image, label
    assert images is not None
    return images, labels


def _item(item: object, what: str) -> tuple[Tensor, int]:
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise UserError(f"{what} is {_a(item)}; expected a pair of image and class number")
    image, label = item
    if isinstance(image, Image.Image):
        image = _pixels(image, what)
    try:
        number = torch.as_tensor(label)
    except (RuntimeError, TypeError, ValueError):
        number = torch.empty(0)
    if number.dim() or number.is_floating_point() or number.is_complex() or number.dtype == torch.bool:
        raise UserError(f"the label of {what} is {shown(label)}; expected one whole number, its class")
    return tensors.tensor(image, f"the pixels of {what}"), int(number)


def _pixels(image: Image.Image, what: str) -> Tensor:
    """A Pillow image as bytes ``[C, H, W]``, on white where it is transparent."""
    if image.mode.startswith(("I", "F")):
        raise UserError(
            f"{what} is an image of mode {image.mode}; expected 8 bits a channel; convert it first"
        )
    plain = image.mode == "L" and not image.has_transparency_data
    pixels = np.array(image if plain else opaque(image))
    return torch.from_numpy(np.atleast_3d(pixels)).permute(2, 0, 1)
