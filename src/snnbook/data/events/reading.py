"""A file of events, whatever its format, as :class:`Events`; or one line that says why not."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from snnbook import files
from snnbook.data.events import formats, headers
from snnbook.data.events.formats import Columns, FormatError
from snnbook.data.events.headers import Header
from snnbook.data.events.recording import Events, sensor_size
from snnbook.errors import UserError, one_line

ROOMY = (2**14, 2**14)  # larger than any sensor: eventcv drops what lies off the one it is told
SAY = "say it: sensor=(width, height), or, for data by name, a file sensor.txt that reads like 346x260"
EVENTS = {"t": ("t", "ts", "times"), "x": ("x", "xs"), "y": ("y", "ys"), "p": ("p", "polarity", "ps")}


def read(path: str | Path, sensor: int | tuple[int, int] | None = None, *, sort: bool = False) -> Events:
    """The recording in a file.

    Args:
        path: its ending tells the format: ``.bin`` (N-MNIST, N-Caltech101); ``.aedat`` (3.1; 2.0 of a DVS128,
            and of a DAVIS by eventcv); ``.npz`` and ``.h5`` (arrays t in microseconds, x, y and p, on top, in a
            group ``events`` or as the fields of an array of that name; width and height where they are stored);
            ``.aedat4``, ``.raw`` (EVT2, EVT3) and ``.dat`` by eventcv (the extra ``events``).
        sensor: its width and height, or the side of a square one.  Where the file tells, this has to be the same.
        sort: put events in order that are not; otherwise such files are refused.

    Raises:
        UserError: no such file or format, a torn file, a sensor that nobody tells, eventcv or h5py missing, or
            what :class:`Events` refuses.
    """
    place = files.place(path, "events")
    if place.suffix.lower() not in SUFFIXES:
        raise UserError(f"{files.shown(place)} has no known format; expected one of {', '.join(SUFFIXES)}")
    told = None if sensor is None else sensor_size(sensor)
    try:
        found = SUFFIXES[place.suffix.lower()](place)
    except UserError:
        raise
    except Exception as error:  # readers raise whatever a torn file made of them
        reason = getattr(error, "strerror", None) or one_line(error)[:200] or type(error).__name__
        raise UserError(
            f"cannot read events from {files.shown(place)} ({reason}); expected a whole file of that format"
        ) from None
    if told and found.sensor and told != found.sensor:
        sizes = "{}x{} and its file says {}x{}".format(*told, *found.sensor)
        raise UserError(f"the sensor of {files.shown(place)} was given as {sizes}; leave it out")
    known = told or found.sensor
    if known is None:
        raise UserError(f"{files.shown(place)} does not tell its sensor's size; {SAY}")
    try:
        return (Events.in_order if sort else Events)(*found[:4], known)
    except UserError as error:
        raise UserError(f"{files.shown(place)}: {error}") from None


def needed(module: str) -> ModuleType:
    """The package ``module`` of the extra ``events``.

    Raises:
        UserError: it cannot be imported.
    """
    try:
        if module == "h5py":
            import h5py as found
        else:
            import eventcv as found
    except ImportError as error:
        raise UserError(
            f"{module}, which reads such files, cannot be imported ({one_line(error)[:100]}); get it: "
            "pip install -e '.[events]'"
        ) from None
    return found


def _bytes(reader: Callable[[bytes], Columns]) -> Callable[[Path], Columns]:
    return lambda path: reader(path.read_bytes())


def _aedat(path: Path) -> Columns:
    content = path.read_bytes()
    return _eventcv(path) if formats.is_davis(content) else formats.aedat(content)


def _refused(path: Path) -> Columns:
    raise FormatError(
        "no reader of Event Stream has a licence as free as this book's; convert it to .npz: "
        "np.savez(file, t=..., x=..., y=..., p=..., width=..., height=...)"
    )


def _npz(path: Path) -> Columns:
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(file):  # which numpy would take for a pickle
            raise FormatError("it is no archive of numpy's, or not all of one")
        file.seek(0)
        with np.load(file, allow_pickle=False) as content:
            return _arrays(dict(content))


def _h5(path: Path) -> Columns:
    with needed("h5py").File(path, "r") as content:
        group = content.get("events", content)
        named = group if hasattr(group, "items") else {"events": group}
        found = {name: values[()] for name, values in named.items() if hasattr(values, "dtype")}
        return _arrays({**dict(content.attrs), **dict(group.attrs), **found})


def _arrays(content: dict[str, Any]) -> Columns:
    rows = np.asarray(content.get("events", ()))
    content |= {name: rows[name] for name in rows.dtype.names or ()}
    named = {key: next((name for name in names if name in content), None) for key, names in EVENTS.items()}
    if missing := [key for key, name in named.items() if name is None]:
        has = ", ".join(sorted(content)[:8]) or "nothing"
        raise FormatError(f"it has no {', '.join(missing)} but {has}")
    pair = content.get("sensor", [content[key] for key in ("width", "height") if key in content])
    sensor = tuple(int(side) for side in np.ravel(pair)) if len(np.ravel(pair)) == 2 else None
    return Columns(*(np.asarray(content[name]) for name in named.values()), sensor)


def _eventcv(path: Path) -> Columns:
    """eventcv guesses the unit of times unless told, and from the events the sensor of which a file is silent."""
    eventcv = needed("eventcv")
    header = HEADERS[path.suffix.lower()](path)
    knows = path.suffix.lower() in (".aedat", ".aedat4")  # these always tell their camera
    options = {} if knows else {"sensor_size": ROOMY}
    stream = eventcv.load(str(path), time_unit="us", **options)
    x, y, t, polarity = stream.numpy().astype(np.int64).T
    sensor = tuple(map(int, stream.sensor_size)) if knows else header.sensor
    t = t if header.clock is None else formats.unwrapped(t, header.clock)
    return Columns(t, x, y, polarity, sensor)


# By what eventcv reads.
HEADERS: dict[str, Callable[[Path], Header]] = {
    ".aedat": lambda path: Header(clock=32),
    ".aedat4": headers.aedat4,
    ".dat": headers.prophesee,
    ".raw": headers.prophesee,
}
SUFFIXES: dict[str, Callable[[Path], Columns]] = {
    ".aedat": _aedat,
    ".aedat4": _eventcv,
    ".bin": _bytes(formats.nmnist),
    ".dat": _eventcv,
    ".es": _refused,
    ".h5": _h5,
    ".npz": _npz,
    ".raw": _eventcv,
}
