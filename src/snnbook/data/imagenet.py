"""ImageNet and Tiny-ImageNet, in the folders they come in."""

from itertools import chain
from pathlib import Path

from snnbook import files
from snnbook.data import folder, location
from snnbook.data.dataset import Files, Statistics
from snnbook.errors import UserError

CLASSES = {"imagenet": 1000, "tiny_imagenet": 200}
FOLDERS = {"imagenet": "imagenet", "tiny_imagenet": "tiny-imagenet-200"}
ADVICE = {
    "imagenet": "ask for it at image-net.org, and unpack it there with torchvision.datasets.ImageNet",
    "tiny_imagenet": "unpack cs231n.stanford.edu/tiny-imagenet-200.zip in {root}",
}
# What is tested: the central 224 pixels of an image whose shorter side is 256.
SHARES = {"imagenet": 224 / 256, "tiny_imagenet": 1.0}


def listing(name: str, root: Path) -> tuple[tuple[str, ...], Files, Files]:
    """Class names (WordNet's numbers), training and validation files, the latter as test; see :mod:`.folder`.

    ``imagenet`` lies in ``root/imagenet/{train,val}/<class>/*.JPEG``, where torchvision unpacks it.
    ``tiny_imagenet`` lies in ``root/tiny-imagenet-200``: ``train/<class>/images/*.JPEG`` and, all classes
    together, ``val/images/*.JPEG`` with the class of each in ``val/val_annotations.txt``; or sorted,
    ``val/<class>/*.JPEG`` or ``val/<class>/images/*.JPEG``.  ``root`` may also be that folder itself.

    Raises:
        UserError: the data is not there, or is not this data set.
    """
    place = _place(name, root)
    if not (place / "train").is_dir():
        raise UserError(f"no {name} in {place}; {advice(name, root)}, or name its folder with --data DIR")
    classes, train, test = (_tiny if name == "tiny_imagenet" else _large)(place)
    if len(classes) != CLASSES[name]:
        raise UserError(
            f"{place} has {len(classes)} classes, {name} has {CLASSES[name]}; "
            "for a part of it set data name to 'folder'"
        )
    return classes, train, test


def advice(name: str, root: Path) -> str:
    """Where to get it, and where to put it."""
    return ADVICE[name].format(root=root.absolute())


def pixels(name: str) -> Statistics | None:
    """Mean and standard deviation that ImageNet's networks are used to; None where they are computed."""
    if name != "imagenet":
        return None
    from torchvision.models import ResNet34_Weights  # takes seconds to import

    preset = ResNet34_Weights.IMAGENET1K_V1.transforms()
    return tuple(preset.mean), tuple(preset.std)


def _large(place: Path) -> tuple[tuple[str, ...], Files, Files]:
    return folder.listing(place, "val")


def found(name: str, root: Path) -> str | None:
    """Where below ``root`` it lies, "." for ``root`` itself; None if it is not there."""
    place = _place(name, root)
    return str(place.relative_to(root)) if (place / "train").is_dir() else None


def _place(name: str, root: Path) -> Path:
    """The folder of its name in ``root``, or ``root`` if it has as many classes."""
    inside = root / FOLDERS[name]
    given = not inside.exists() and len(location.classes(root / "train")) == CLASSES[name]
    return root if given else inside


def _tiny(place: Path) -> tuple[tuple[str, ...], Files, Files]:
    names = location.classes(place / "train")
    train = {name: _of_class(place / "train", name) for name in names}
    sorted_ones = set(names) & set(location.classes(place / "val"))
    test = {name: _of_class(place / "val", name) for name in names} if sorted_ones else _noted(place, names)
    for half, classes in (("train", train), ("val", test)):
        for name, images in classes.items():
            if not images:
                raise UserError(f"{place / half} has no images of class {name!r}; unpack the archive again")
    return tuple(names), folder.collect(place / "train", train), folder.collect(place / "val", test)


def _noted(place: Path, names: list[str]) -> dict[str, list[str]]:
    """Validation files of each class as ``val_annotations.txt`` tells."""
    notes = place / "val" / "val_annotations.txt"
    found: dict[str, list[str]] = {name: [] for name in names}
    try:
        lines = files.place(notes, "notes").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise UserError(f"cannot read {notes} ({error.strerror}); unpack the archive again") from None
    for number, line in enumerate(lines, 1):
        file, _, rest = line.partition("\t")  # a file's name, its class, and a box that nothing here needs
        name = rest.partition("\t")[0]
        if name not in found:
            raise UserError(
                f"{notes}, line {number}: no training images of class {name[:40]!r}; unpack the archive again"
            )
        found[name].append(f"images/{file}")
    there = {f"images/{path.name}" for path in (notes.parent / "images").glob("*")}
    if missing := sorted(set(chain.from_iterable(found.values())) - there):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UserError(
            f"{notes.parent} lacks {missing[0]}{more}, which {notes.name} lists; unpack the archive again"
        )
    return {name: sorted(images) for name, images in found.items()}


def _of_class(half: Path, name: str) -> list[str]:
    """Files of a class, in ``<class>/images`` or, without it, in ``<class>``."""
    inside = f"{name}/images" if (half / name / "images").is_dir() else name
    return [f"{inside}/{file}" for file in folder.images_in(half / inside)] if (half / name).is_dir() else []
