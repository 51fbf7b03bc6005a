"""Images in folders: ``train/<class>/*.png`` and ``test/<class>/*.png``."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from tqdm import tqdm

from snnbook.data.dataset import Images
from snnbook.errors import UserError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm", ".gif", ".tif", ".tiff"}
BAR_FROM = 5000  # below this many files, reading is over before a progress bar helps


def load(root: Path, size: int) -> tuple[tuple[str, ...], Images, Images]:
    """Class names, training and test images, in the order of the sorted file names.

    Every image becomes RGB, ``[N, 3, size, size]``; one of another shape is cropped to its central square and
    resized.  Hidden files, and files that have no image's suffix, are passed over.

    Raises:
        UserError: a folder is missing or empty, training and test have other classes, a file is unreadable.
    """
    train, test = _files(root / "train"), _files(root / "test")
    if differing := sorted(train.keys() ^ test.keys()):
        sides = [f"{name!r} only in {'train' if name in train else 'test'}" for name in differing[:3]]
        more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
        raise UserError(
            f"{root}: train and test have different classes ({', '.join(sides)}{more}); "
            "give both the same folders"
        )
    return tuple(train), _read(train, size), _read(test, size)


def fit(image: Image.Image, size: int) -> Image.Image:
    """``image`` as a square of ``size`` pixels; bilinear in Pillow's integers, the same on any machine."""
    if image.size == (size, size):
        return image
    return ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)


def _files(half: Path) -> dict[str, list[Path]]:
    """The image files of each class, everything sorted."""
    if not half.is_dir():
        raise UserError(f"no folder {half}; expected images as {half.parent}/{{train,test}}/<class>/*.png")
    classes = {
        folder.name: sorted(file for file in folder.iterdir() if _is_image(file))
        for folder in sorted(half.iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
    }
    if not classes:
        raise UserError(f"{half} has no class folders; expected images as {half}/<class>/*.png")
    for name, found in classes.items():
        if not found:
            raise UserError(f"{half / name} holds no images; put some there or delete the folder")
    return classes


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".")


def _read(classes: dict[str, list[Path]], size: int) -> Images:
    files = [file for found in classes.values() for file in found]
    counts = torch.tensor([len(found) for found in classes.values()])
    pixels = np.empty((len(files), size, size, 3), np.uint8)
    # Pillow decodes outside the interpreter's lock, so threads help.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        decoded = pool.map(lambda file: _decode(file, size), files)
        name = files[0].parents[1].name
        for i, image in enumerate(
            tqdm(decoded, f"reading {name} images", len(files), disable=len(files) <= BAR_FROM)
        ):
            pixels[i] = image
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
    return Images(images, torch.arange(len(classes)).repeat_interleave(counts))


def _decode(file: Path, size: int) -> np.ndarray:
    try:
        with Image.open(file) as image:
            if image.mode.startswith(("I", "F")):
                raise ValueError(f"mode {image.mode} has more than 8 bits a channel")
            return np.asarray(fit(image.convert("RGB"), size))
    except Exception as error:  # Pillow's decoders raise whatever broke them
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{file} is not a readable 8-bit image ({reason}); replace or delete it") from None
