"""Images in folders: ``train/<class>/*.png`` and ``test/<class>/*.png``."""

import os
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps

from snnbook import bars, files, room, threads
from snnbook.data import decoded
from snnbook.data.dataset import Files, Images
from snnbook.errors import UserError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm", ".gif", ".tif", ".tiff"}
BAR_FROM = 5000  # below this many files, reading is over before a progress bar helps


class Kind(NamedTuple):
    """What lies in the folders: its name, the suffixes of its files, an example of one."""

    name: str
    suffixes: Collection[str]
    example: str


IMAGES = Kind("images", SUFFIXES, "*.png")


def listing(
    root: Path, test: str = "test", train: str = "train", kind: Kind = IMAGES
) -> tuple[tuple[str, ...], Files, Files]:
    """Class names, training and test files, in the order of their sorted names.

    Hidden files, and files of other suffixes, are passed over.

    Args:
        root: holds ``<train>/<class>/*.png`` and ``<test>/<class>/*.png``.
        test, train: the folders of the halves.
        kind: of the files; images by default.

    Raises:
        UserError: a folder is missing or empty, there is a single class, training and test have other classes.
    """
    halves = {half: _classes(root / half, kind) for half in (train, test)}
    if differing := sorted(halves[train].keys() ^ halves[test].keys()):
        sides = [f"{name!r} only in {train if name in halves[train] else test}" for name in differing[:3]]
        more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
        raise UserError(
            f"{root}: {train} and {test} have different classes ({', '.join(sides)}{more}); "
            "give both the same folders"
        )
    if len(halves[train]) < 2:
        raise UserError(
            f"{root / train} has only the class {next(iter(halves[train]))!r}; expected at least two, "
            f"{kind.name} as <class>/{kind.example}; is it a folder one level off?"
        )
    return tuple(halves[train]), *(collect(root / half, found) for half, found in halves.items())


def collect(folder: Path, classes: dict[str, list[str]]) -> Files:
    """Files from their names below ``folder``, class by class."""
    names = [os.fsencode(name) for found in classes.values() for name in found]
    counts = torch.tensor([len(found) for found in classes.values()])
    return Files(folder, np.array(names), torch.arange(len(classes)).repeat_interleave(counts))


def fit(image: Image.Image, size: int, share: float = 1.0) -> Image.Image:
    """The middle of ``image`` as a square of ``size`` pixels; bilinear in Pillow's integers on any machine.

    Args:
        share: of the shorter side that the square shows.  Below 1, the image is resized and then cut as
            torchvision does for ImageNet (0.875: to 256 pixels, of which 224 are left).
    """
    if share < 1:
        from torchvision.transforms.v2 import functional  # takes seconds to import

        return functional.center_crop(functional.resize(image, [round(size / share)]), [size])
    if image.size == (size, size):
        return image
    return ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)


def read(train: Files, test: Files, size: int, share: float = 1.0) -> tuple[Images, Images]:
    """All images, in RGB, ``[N, 3, size, size]`` each; see :func:`fit`.

    Raises:
        UserError: they would not fit into memory, a file is unreadable.
    """
    needed = (len(train.labels) + len(test.labels)) * 3 * size * size
    room.check(needed, room.at_hand(), str(train.folder.parent))
    return read_files(train, size, share), read_files(test, size, share)


def decode(file: str | Path, transform: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    """What ``transform`` makes of the image in ``file``, uint8 ``[H, W, 3]``, as a viewer shows it.

    A photograph is turned as its EXIF orientation says; what is transparent lies on white.

    Raises:
        UserError: no readable image of 8 bits a channel.
    """
    try:
        with Image.open(files.place(file, "an image")) as image:
            if image.mode.startswith(("I", "F")):
                raise ValueError(f"mode {image.mode} has more than 8 bits a channel")
            return np.asarray(transform(opaque(_upright(image))))
    except Exception as error:  # Pillow's decoders raise whatever broke them
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{file} is not a readable 8-bit image ({reason}); replace or delete it") from None


def _upright(image: Image.Image) -> Image.Image:
    image.load()  # some formats tell only now
    with suppress(Exception):  # a torn tag spoils no pixel
        ImageOps.exif_transpose(image, in_place=True)
    return image


def opaque(image: Image.Image) -> Image.Image:
    """In RGB, on white where it is transparent: its colour there is what nobody saw."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    ground = Image.new("RGB", image.size, "white")
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def images_in(folder: Path, kind: Kind = IMAGES) -> list[str]:
    """Names of the image files, or of another kind's, in ``folder``, sorted."""
    with os.scandir(folder) as entries:  # much faster than Path.iterdir for a million files
        names = [entry.name for entry in entries]
    return sorted(
        name
        for name in names
        if os.path.splitext(name)[1].lower() in kind.suffixes and not name.startswith(".")
    )


def _classes(half: Path, kind: Kind) -> dict[str, list[str]]:
    """The files of each class, below ``half``, everything sorted."""
    expected = f"expected {kind.name} as {half}/<class>/{kind.example}"
    if not half.is_dir():
        raise UserError(f"no folder {half}; {expected}")
    classes = {
        folder.name: [f"{folder.name}/{name}" for name in images_in(folder, kind)]
        for folder in sorted(half.iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
    }
    if not classes:
        raise UserError(f"{half} has no class folders; {expected}")
    for name, found in classes.items():
        if not found:
            raise UserError(f"{half / name} holds no {kind.name}; put some there or delete the folder")
    return classes


def read_files(half: Files, size: int, share: float = 1.0) -> Images:
    """As :func:`read`, of one half, whether it fits or not."""
    shape = (len(half.labels), 3, size, size)
    settings, decode = (size, share), lambda: _decoded(half, size, share)
    pixels = decoded.kept(half, settings, lambda found: found.shape == shape, decode)
    return Images(torch.from_numpy(pixels), half.labels)


def _decoded(half: Files, size: int, share: float) -> np.ndarray:
    count = len(half.labels)
    images = np.empty((count, 3, size, size), dtype=np.uint8)
    pixels = images.transpose(0, 2, 3, 1)
    # Pillow decodes outside the interpreter's lock, so threads help.
    with ThreadPoolExecutor(min(8, threads.cores())) as pool:
        read = pool.map(lambda i: decode(half.path(i), lambda image: fit(image, size, share)), range(count))
        what = f"reading {half.folder.name} images"
        for i, image in enumerate(bars.bar(read, what, total=count, disable=count <= BAR_FROM)):
            pixels[i] = image
    return images
