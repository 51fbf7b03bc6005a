"""CIFAR-10 and CIFAR-100, from torchvision's files or from a tree of images."""

import http.client
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from snnbook import bars, files, room
from snnbook.data import folder, location
from snnbook.data.dataset import Files, Images
from snnbook.errors import UserError


def _source(name: str) -> type:
    """Torchvision's class for the data set."""
    from torchvision import datasets  # takes seconds to import, and other data do not need it

    return {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]


def load(
    name: str, root: Path, size: int, download: bool
) -> tuple[tuple[str, ...], Images | Files, Images | Files]:
    """Class names, training and test images ``[N, 3, size, size]``, grouped by class; of a tree its files.

    Looks for a tree of images in ``root/<name>`` and ``root``, then for torchvision's files in ``root``, and
    downloads those (170 MB, checksums verified) if asked.

    Raises:
        UserError: the data is not there and cannot be had, or is not this data set.
    """
    source = _source(name)
    if root.absolute().name == source.base_folder:
        root = root.absolute().parent
    place = location.found(name, root)
    if place is not None and place.endswith("train"):
        return folder.listing((root / place).parent)
    if place is None:
        _check_no_other(name, root)
    try:
        train = source(root, train=True)
    except RuntimeError:  # torchvision's word for files that are missing or damaged
        if not download:
            state = "damaged or incomplete" if (root / source.base_folder).is_dir() else "not there"
            raise UserError(
                f"no {name} in {root}: {state}; name a folder that has it with --data DIR, "
                f"or have its {location.megabytes(name)} downloaded with --set data.download=true"
            ) from None
        _download(name, root)
        train = source(root, train=True)
    test = source(root, train=False)
    needed = (len(train.targets) + len(test.targets)) * 3 * size * size
    room.check(needed, room.at_hand(), f"{name} of {size} pixels a side", advice="choose a smaller data.size")
    return tuple(train.classes), _grouped(train, size), _grouped(test, size)


def _check_no_other(name: str, root: Path) -> None:
    """Refuse a tree of images that is another data set, before a download is thought of."""
    for place in (root / name, root):
        if (place / "train").is_dir():
            there = location.classes(place / "train")
            raise UserError(
                f"{place} has {len(there)} classes ({', '.join(there[:4])[:80]} ...), {name} has "
                f"{location.PLACES[name][1]} ({', '.join(location.AMONG[name])} ...); name another folder with "
                "--data DIR, or, for your own images, set data name to 'folder'"
            )


def _download(name: str, root: Path) -> None:
    source = _source(name)
    advice = (
        "fetch it elsewhere and name its folder with --data DIR, or use data name 'digits', which needs none"
    )
    try:
        with files.hold(root / f".{name}.lock", name), bars.others():
            source(root, download=True)
    except RuntimeError:
        raise UserError(
            f"the {name} archive in {root} has a wrong checksum; delete it and try again"
        ) from None
    except (OSError, http.client.HTTPException) as error:  # a URLError is an OSError
        raise UserError(f"cannot download {name} to {root} ({error}); {advice}") from None


def _grouped(source, size: int) -> Images:
    """Sorted by class as a tree of images is."""
    order = np.argsort(source.targets, kind="stable")
    pixels = np.stack([np.asarray(folder.fit(Image.fromarray(source.data[i]), size)) for i in order])
    labels = torch.tensor(source.targets)[torch.from_numpy(order)]
    return Images(torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), labels)
