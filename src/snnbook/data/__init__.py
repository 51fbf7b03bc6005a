"""Data sets as bytes on the device or, if they are too large, on disk, and batches of them, augmented.

The rest of the library needs :class:`DataConfig`, :func:`load`, :func:`batches` and :func:`test_batches`; for data
of your own there are :meth:`Dataset.from_tensors` and :func:`dataset_of`.
"""

from pathlib import Path

from torch import Tensor

from snnbook import files
from snnbook.checks import check_config
from snnbook.data import (
    cifar,
    cifar10_dvs,
    digit_events,
    digits,
    dvs_gesture,
    folder,
    imagenet,
    nmnist,
    recorded,
    recordings,
    shd,
    split,
    stream,
)
from snnbook.data.augment import AUGMENTATIONS
from snnbook.data.batching import batches, test_batches
from snnbook.data.config import BUNDLED, EVENTS, DataConfig
from snnbook.data.dataset import (
    Cut,
    Dataset,
    Files,
    Images,
    Statistics,
    assemble,
    standard_error,
)
from snnbook.data.loaders import LoaderDataset
from snnbook.data.location import default_root
from snnbook.data.noise import symmetric_noise
from snnbook.data.own import dataset_of
from snnbook.data.stream import StreamingDataset
from snnbook.errors import UserError

__all__ = [
    "AUGMENTATIONS",
    "DataConfig",
    "Dataset",
    "LoaderDataset",
    "StreamingDataset",
    "batches",
    "dataset_of",
    "default_root",
    "load",
    "standard_error",
    "test_batches",
]


# Event frames hold shares of their largest value; they stay in [0, 1].
AS_THEY_ARE: Statistics = ((0.0, 0.0), (1.0, 1.0))
# Sets of recordings that are read here, by name.
RECORDED = {
    "nmnist": nmnist,
    "dvs_gesture": dvs_gesture,
    "shd": shd,
    "ssc": shd,
    "recordings": recordings,
}


def load(config: DataConfig, root: str | Path | None = None) -> Dataset | StreamingDataset:
    """The data set that ``config`` describes, on the CPU.

    Args:
        config: which data, and how much of it.
        root: the data folder.  ``folder`` needs it, to hold ``train/<class>/*.png`` and
            ``test/<class>/*.png``, and so does ``recordings``; CIFAR may be such a tree, in ``root`` or
            ``root/<name>``, or torchvision's files; for ``imagenet`` and ``tiny_imagenet`` see
            :mod:`snnbook.data.imagenet`, for event data the module of its name.  These take
            :func:`default_root` for None; ``digits`` and ``digit_events`` need no folder.

    Training images keep the order of the source.  Test images stand in a stratified order: any number of the
    first ones holds the classes in proportion.

    Raises:
        UserError: a folder that is missing or empty, a corrupt image, a single class, classes that differ
            between training and test, a download that failed, more training images asked for than a class has,
            images that would not fit into memory.
    """
    check_config(config, DataConfig)
    classes, train, test = _source(config, root)
    if config.name not in BUNDLED and config.train_per_class is not None:
        _check_enough(train, classes, config.train_per_class, "training images")
        kept, _ = split.divide(train.labels, config.train_per_class, config.split_seed)
        train = train.take(kept)
    if config.train_fraction < 1:
        order = split.stratified_order(train.labels, config.split_seed)
        train = train.take(order[: max(1, round(config.train_fraction * len(order)))].sort().values)
    if config.validation:
        train, test = _held_out(train, config)
    if config.label_noise:
        noisy = symmetric_noise(train.labels, len(classes), config.label_noise, config.split_seed)
        train = train._replace(labels=noisy)
    order = split.stratified_order(test.labels, config.split_seed)
    test = test.take(order[: config.test_limit])
    if config.name in EVENTS:
        train, test, cut, ends = _frames(config, train, test)
        pixels = shd.pixels(config) if RECORDED.get(config.name) is shd else AS_THEY_ARE
        return assemble(config.name, classes, train, test, pixels, cut, ends)
    if isinstance(train, Images):
        return assemble(config.name, classes, train, test)
    share, pixels = imagenet.SHARES.get(config.name, 1.0), imagenet.pixels(config.name)
    if config.stream:
        return stream.assemble(config.name, classes, train, test, config.size, share, pixels)
    return assemble(config.name, classes, *folder.read(train, test, config.size, share), pixels)


def _source(config: DataConfig, root: Path | None) -> tuple[tuple[str, ...], Images | Files, Images | Files]:
    """Class names, training and test images; of images in folders, only their files."""
    if config.name in BUNDLED:
        room = digit_events.reach(config.size) if config.name in EVENTS else 0
        classes, everything = digits.load(config.size - room)
        return classes, *_divide(everything, classes, config)
    if config.name in ("folder", "recordings"):
        if root is None:
            what = "images" if config.name == "folder" else "recordings"
            raise UserError(
                f"data name {config.name!r} reads your own {what}; say where they are with --data DIR"
            )
        return (folder if config.name == "folder" else recordings).listing(_reached(Path(root)))
    place = _reached(Path(root) if root is not None else default_root())
    if config.name in imagenet.CLASSES:
        return imagenet.listing(config.name, place)
    if config.name in ("shd", "ssc"):
        return shd.listing(config.name, place)
    if config.name in RECORDED:
        return RECORDED[config.name].listing(place)
    if config.name in EVENTS:
        return cifar10_dvs.listing(place, config.size, config.frames, config.split_by, config.accumulate)
    return cifar.load(config.name, place, config.size, config.download)


def _reached(place: Path) -> Path:
    files.reached(place)
    return place


def _frames(
    config: DataConfig, train: Images | Files, test: Images | Files
) -> tuple[Images, Images, Cut | None, tuple[Tensor, Tensor] | None]:
    """Frames of those that were kept: digits have to be moved before the camera, recordings to be read.

    With them what cutting left out, and the lengths of recordings.
    """
    if source := RECORDED.get(config.name):
        finish = shd.trains if source is shd else recorded.pictures
        told = recordings.told(train) if source is recordings else None
        return recorded.read(train, test, config, source.opener(config), finish, told)
    if config.name == "cifar10_dvs":
        return *cifar10_dvs.read(train, test, config.size, config.frames), None, None
    cut = (config.size, config.frames, config.split_by, config.accumulate)
    return digit_events.to_frames(train, *cut), digit_events.to_frames(test, *cut), None, None


def _divide(images: Images, classes: tuple[str, ...], config: DataConfig) -> tuple[Images, Images]:
    """Training and test images of a source that comes in one piece."""
    if config.train_per_class is None:
        order = split.stratified_order(images.labels, config.split_seed)
        cut = min(max(1, round(config.test_fraction * len(order))), len(order) - 1)
        test, train = order[:cut].sort().values, order[cut:].sort().values
    else:
        spare = config.train_per_class + 1
        _check_enough(images, classes, spare, "images, one of them to be tested on")
        train, test = split.divide(images.labels, config.train_per_class, config.split_seed)
    return images.take(train), images.take(test)


def _held_out(train: Images | Files, config: DataConfig) -> tuple[Images | Files, Images | Files]:
    """Training images without those of the validation, and these."""
    if config.validation >= len(train.labels):
        raise UserError(
            f"data.validation asks for {config.validation} of {len(train.labels)} training images; expected fewer"
        )
    order = split.stratified_order(train.labels, config.split_seed)
    held, kept = order[: config.validation].sort().values, order[config.validation :].sort().values
    return train.take(kept), train.take(held)


def _check_enough(images: Images | Files, classes: tuple[str, ...], wanted: int, of_what: str) -> None:
    for name, count in zip(classes, images.labels.bincount(minlength=len(classes)).tolist(), strict=True):
        if count < wanted:
            raise UserError(
                f"train_per_class asks class {name!r} for {wanted} {of_what}, but it has {count}; "
                "ask for fewer"
            )
