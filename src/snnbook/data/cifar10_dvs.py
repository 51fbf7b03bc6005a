"""CIFAR10-DVS (Li et al. 2017): images of CIFAR-10 moved on a screen before an event camera of 128x128 pixels.

SpikingJelly unpacks the archives and reads the recordings (the extra ``events``); frames are cut here.

The picture that is shown is SpikingJelly's, which most work on these data has trained on, and not the sensor's:
columns and rows are exchanged.  ON and OFF are the sensor's.  :func:`as_the_sensor` takes frames back;
:func:`snnbook.data.events.read` reads an ``.aedat`` file as the sensor saw it.
"""

import hashlib
import shutil
import sys
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch.nn import functional as F

from snnbook import bars, files, room
from snnbook.data import events
from snnbook.data.dataset import Files, Images
from snnbook.data.folder import BAR_FROM, collect
from snnbook.errors import UserError

FOLDER = "cifar10_dvs"
SENSOR = 128  # pixels a side
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TESTED_FROM = 900  # recordings of a class are numbered from 0 to 999; nobody has divided them officially


def listing(
    root: Path, size: int, frames: int, split_by: str, accumulate: str
) -> tuple[tuple[str, ...], Files, Files]:
    """Class names, training and test recordings, as files of frames, which are cut first if they are not there.

    Recordings 0 to 899 of each class train and 900 to 999 test, as in the public code of Deng et al. (2022).

    Args:
        root: the data folder.  ``root/cifar10_dvs``, or ``root`` itself, holds what SpikingJelly knows:
            ``events_np/<class>/*.npz``, or ``download/<class>.zip``, which it unpacks.  Nothing is downloaded, and
            no archive is touched.  Frames go beside them, into a folder named after the settings; of runs that
            start together one cuts, and the others wait.
        size: side to which frames are resized, see :func:`cut`.
        frames, split_by, accumulate: as in :func:`snnbook.data.events.to_frames`.

    Raises:
        UserError: SpikingJelly is not installed, the recordings are not there, or are damaged.
    """
    place = _place(root)
    archives = all((place / "download" / f"{name}.zip").is_file() for name in CLASSES)
    if not ((place / "events_np").is_dir() or archives):
        raise UserError(
            f"no CIFAR10-DVS in {place}; {advice(root)}, or name another data folder with --data DIR"
        )
    one = f"a recording in {frames} frames of {size} pixels a side"
    room.check(16 * frames * size * size, room.at_hand(), one, advice="choose fewer frames or smaller ones")
    reader = _reader()
    made = f"frames_{frames}_{split_by}_{accumulate}_{size}"
    try:
        with files.hold(place / ".lock", "these recordings"), bars.others():
            if not (place / "events_np").exists():
                _check_archives(place / "download", dict(row[::2] for row in reader.resource_url_md5()))
            _remove_unfinished(place / made)
            source = reader(
                place,
                data_type="frame",
                custom_integrate_function=partial(
                    cut, size=size, frames=frames, split_by=split_by, accumulate=accumulate
                ),
                custom_integrated_frames_dir_name=made,
            )
    except (OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"cannot read the recordings in {place} ({reason}); unpack them again") from None
    halves = {"train": {}, "test": {}}
    for path, label in source.samples:
        half = "train" if _number(Path(path)) < TESTED_FROM else "test"
        halves[half].setdefault(source.classes[label], []).append(
            f"{source.classes[label]}/{Path(path).name}"
        )
    if tuple(source.classes) != CLASSES or any(len(found) < len(CLASSES) for found in halves.values()):
        raise UserError(
            f"{place} lacks training or test recordings of a class; expected 0 to 999 of each of "
            f"{', '.join(CLASSES)}; unpack the archives again"
        )
    return CLASSES, *(
        collect(Path(source.root), {name: sorted(half[name]) for name in CLASSES}) for half in halves.values()
    )


def found(root: Path) -> str | None:
    """Where below ``root`` it lies, "." for ``root`` itself; None if it is not there."""
    place = _place(root)
    return str(place.relative_to(root)) if place.is_dir() else None


def _place(root: Path) -> Path:
    """The folder of its name in ``root``, or ``root`` if that is it."""
    inside = root / FOLDER
    given = (root / "events_np").is_dir() or (root / "download" / f"{CLASSES[0]}.zip").is_file()
    return root if given and not inside.exists() else inside


def _reader() -> type:
    """SpikingJelly's class.

    All its data sets come with it, those of speech, too, which need torchaudio; and that refuses a torch built for
    a CUDA of another minor version.  An empty module in its place serves events as well.
    """
    empty = ModuleType("torchaudio")
    try:
        import torchaudio  # noqa: F401
    except (ImportError, RuntimeError, OSError):
        sys.modules["torchaudio"] = empty
    try:
        from spikingjelly.datasets import CIFAR10DVS
    except ImportError as error:
        raise UserError(
            f"spikingjelly, which reads CIFAR10-DVS, cannot be imported ({error}); get it: "
            "pip install -e '.[events]'"
        ) from None
    finally:
        if sys.modules.get("torchaudio") is empty:
            del sys.modules["torchaudio"]

    class Offline(CIFAR10DVS):
        """SpikingJelly's class, which would delete an archive of another checksum and download it again."""

        @classmethod
        def _check_downloaded_files(cls, download_root: Path) -> None:
            pass  # checked before it was asked

    return Offline


def _check_archives(folder: Path, sums: dict[str, str]) -> None:
    """Refuse archives that are not those of the authors, by MD5; what is plainly torn is told at once."""
    archives = [folder / f"{name}.zip" for name in CLASSES]
    for whole in (zipfile.is_zipfile, lambda archive: _md5(archive) == sums.get(archive.name)):
        for archive in archives:
            if not whole(archive):
                raise UserError(
                    f"{archive} is not the archive of CIFAR10-DVS, or not all of it (another MD5 than "
                    f"{sums.get(archive.name)}); fetch it again from figshare.com"
                )


def _md5(file: Path) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "md5").hexdigest()


def advice(root: Path) -> str:
    """Where to get it, and where to put it."""
    download = root.absolute() / FOLDER / "download"
    return f"fetch its ten archives, one a class, from figshare.com, and put them into {download}"


def read(train: Files, test: Files, size: int, frames: int) -> tuple[Images, Images]:
    """Frames of the recordings listed, uint8 ``[N, T, 2, size, size]`` each.

    Raises:
        UserError: they would not fit into memory, a file is damaged.
    """
    needed = (len(train.labels) + len(test.labels)) * frames * 2 * size * size
    room.check(needed, room.at_hand(), "CIFAR10-DVS")
    return tuple(_read(half, (frames, 2, size, size)) for half in (train, test))


def cut(
    recording: dict, height: int, width: int, *, size: int, frames: int, split_by: str, accumulate: str
) -> np.ndarray:
    """Frames, uint8 ``[T, 2, size, size]``, of one recording ``{"t", "x", "y", "p"}``, ``[M]`` each.

    Each frame is divided by its largest value and then resized, as in the public code of Deng et al. (2022), but
    each polarity by itself: there an image library took polarity 1 for transparency.
    """
    rows = np.stack([np.asarray(recording[key]).astype(np.int64) for key in "txyp"], axis=1)
    rows = rows[np.argsort(rows[:, 0], kind="stable")]  # some recordings go back in time by a tick
    whole = events.to_frames(rows, frames, SENSOR, split_by, accumulate)
    shares = torch.from_numpy(whole / np.maximum(whole.max(axis=(1, 2, 3), keepdims=True), 1))
    small = F.interpolate(shares, size=(size, size), mode="bilinear", antialias=True)
    return (255 * small).round().clamp(0, 255).byte().numpy()


def as_the_sensor(frames: torch.Tensor) -> torch.Tensor:
    """Frames ``[..., 2, H, W]`` as shown, in the sensor's own columns and rows; and back again."""
    return frames.transpose(-2, -1)


def _read(half: Files, shape: tuple[int, ...]) -> Images:
    count = len(half.labels)
    frames = torch.empty(count, *shape, dtype=torch.uint8)
    with ThreadPoolExecutor(8) as pool:  # unpacking happens outside the interpreter's lock
        loaded = pool.map(lambda i: _load(half.path(i), shape), range(count))
        for i, one in enumerate(bars.bar(loaded, "reading frames", total=count, disable=count <= BAR_FROM)):
            frames[i] = torch.from_numpy(one)
    return Images(frames, half.labels)


def _load(file: str, shape: tuple[int, ...]) -> np.ndarray:
    try:
        with np.load(files.place(file, "frames")) as content:
            found = content["frames"]
        if found.shape != shape or found.dtype != np.uint8:
            raise ValueError(f"{found.dtype} of shape {list(found.shape)}")
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{file} holds no frames ({reason}); delete its folder, and they are cut again"
        ) from None
    return found


def _number(file: Path) -> int:
    """Of a recording in its class: ``cifar10_airplane_12.npz`` is number 12."""
    number = file.stem.rpartition("_")[2]
    if not number.isdecimal():
        raise UserError(
            f"{file} has no number; expected names like cifar10_airplane_12.npz; unpack the archives again"
        )
    return int(number)


def _remove_unfinished(frames: Path) -> None:
    """Frames whose cutting was killed: SpikingJelly leaves a mark while it is at work."""
    mark = frames.with_name(f"{frames.name}.building")
    if mark.exists():
        shutil.rmtree(frames, ignore_errors=True)
        mark.unlink()
