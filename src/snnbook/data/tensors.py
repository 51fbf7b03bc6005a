"""Images and labels of your own as the library holds them, or one line that says why it cannot."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snnbook.checks import shown
from snnbook.errors import UserError, one_line
from snnbook.inputs import VECTORS

Pair = tuple[Tensor, Tensor]
SHAPES = "[N, C, H, W], grey images [N, H, W], or event frames [N, T, C, H, W]"


def images(value: object, what: str) -> Tensor:
    """Images as uint8, or as float32 in [0, 1], ``[N, C, H, W]``; event frames ``[N, T, C, H, W]``.

    Args:
        value: a tensor or a NumPy array of bytes or floats, with an axis of channels or without.
        what: its name in messages.

    Raises:
        UserError: it is none, empty, of another type or shape, holds NaN, or leaves [0, 1].
    """
    found = tensor(value, what)
    if found.dtype != torch.uint8 and not found.is_floating_point():
        kind = str(found.dtype).removeprefix("torch.")
        raise UserError(f"{what} are {kind}; expected bytes (uint8) or floats in [0, 1]; convert them first")
    shape = list(found.shape)
    if found.dim() not in (3, 4, 5):
        raise UserError(f"{what} have shape {shape}; expected {SHAPES}{VECTORS if len(shape) == 2 else ''}")
    if not found.numel():
        raise UserError(
            f"{what} are empty, of shape {shape}; expected at least one image of at least one pixel"
        )
    check_channels_first(found, what, SHAPES)
    if found.is_floating_point():
        found = found.float()
        low, high = (float(bound) for bound in found.aminmax())
        if not (low >= 0 and high <= 1):  # NaN is both
            values = "NaN" if low != low else f"values from {low:.6g} to {high:.6g}"
            raise UserError(
                f"{what} hold {values}; expected bytes (uint8) or floats in [0, 1]; "
                "divide by 255, clamp, or leave a Normalize out"
            )
    return found.unsqueeze(1) if found.dim() == 3 else found


def check_channels_first(images: Tensor, what: str, expected: str) -> None:
    """Raise a UserError if ``images`` look like ``[..., H, W, C]``: 1 to 4 channels behind two longer axes.

    One entry behind two axes of different lengths may as well be a signal of many channels, ``[N, C, H, 1]``.

    Args:
        images: grey ones without an axis of channels pass.
        what: their name in messages.
        expected: their right shapes, in messages.
    """
    shape = list(images.shape)
    if len(shape) < 4 or min(shape[-3:-1]) <= 4 or not 1 <= shape[-1] <= 4:
        return
    if shape[-1] > 1 or shape[-3] == shape[-2]:
        raise UserError(
            f"{what} have shape {shape}, channels last; expected {expected}; movedim(-1, -3) puts them first"
        )


def labels(value: object, count: int, what: str, classes: int | None = None) -> Tensor:
    """Class numbers, int64 ``[N]``.

    Args:
        value: a tensor or a NumPy array of whole numbers.
        count: how many there have to be, one an image.
        what: its name in messages.
        classes: they have to be below, if it is known.

    Raises:
        UserError: they are not.
    """
    found = tensor(value, what)
    kind = str(found.dtype).removeprefix("torch.")
    if found.dim() != 1:
        hint = "one-hot? take argmax(1)" if found.dim() == 2 else "flatten them"
        raise UserError(
            f"{what} have shape {list(found.shape)}; expected [N], the number of each image's class; {hint}"
        )
    if found.is_floating_point() or found.is_complex() or found.dtype == torch.bool:
        raise UserError(f"{what} are {kind}; expected whole numbers, the class of each image; call .long()")
    if len(found) != count:
        raise UserError(f"{what} are {len(found)}, but there are {count} images; expected one for each")
    found = found.long()
    low, high = (int(bound) for bound in found.aminmax())
    if low < 0 or (classes is not None and high >= classes):
        most = f"0 to {classes - 1}" if classes is not None else "0 on"
        raise UserError(f"{what} reach from {low} to {high}; expected class numbers from {most}")
    return found


def lengths(value: object, train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """How many frames each recording has, int64 ``[N]``, in training and in the test.

    Args:
        value: a pair of tensors or NumPy arrays of whole numbers.
        train, test: their frames, ``[N, T, C, H, W]``.

    Raises:
        UserError: no pair; images that do not move; not a number from 1 to T for each recording, or one that goes
            on behind its end.
    """
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise UserError(f"lengths are {shown(value)}; expected a pair, those of training and of the test")
    if train.dim() != 5:
        raise UserError(f"images have shape {list(train.shape)}; expected event frames [N, T, C, H, W]")
    first, last = value
    return _lengths(first, train, "the training lengths"), _lengths(last, test, "the test lengths")


def _lengths(value: object, frames: Tensor, what: str) -> Tensor:
    found = tensor(value, what)
    kind, count, steps = str(found.dtype).removeprefix("torch."), *frames.shape[:2]
    if found.shape != (count,) or found.is_floating_point() or found.is_complex() or kind == "bool":
        shape = list(found.shape)
        raise UserError(
            f"{what} are {kind} of shape {shape}; expected {count} whole numbers, one a recording"
        )
    found = found.long().to(frames.device)
    low, high = (int(bound) for bound in found.aminmax())
    if low < 1 or high > steps:
        raise UserError(f"{what} reach from {low} to {high}; expected 1 to {steps}, the number of frames")
    behind = torch.arange(steps, device=frames.device) >= found[:, None]
    if late := int((frames.flatten(2).any(2) & behind).any(1).sum()):
        raise UserError(f"{late} recordings go on behind {what}; expected empty frames there")
    return found


def halves(train: tuple[Any, Any], test: tuple[Any, Any], classes: int | None = None) -> tuple[Pair, Pair]:
    """Training and test images with their labels, each checked by itself and against the other.

    Raises:
        UserError: see :func:`images` and :func:`labels`; or the halves differ in shape, type or device.
    """
    found = []
    for (pixels, numbers), half in ((train, "training"), (test, "test")):
        pixels = images(pixels, f"the {half} images")
        numbers = labels(numbers, len(pixels), f"the {half} labels", classes)
        found.append((pixels, numbers))
    (a, a_labels), (b, b_labels) = found
    if a.shape[1:] != b.shape[1:]:
        shapes = f"{list(a.shape[1:])} in training and {list(b.shape[1:])} in the test"
        raise UserError(f"an image has shape {shapes}; expected one shape in both; resize one of them")
    if a.dtype != b.dtype:
        kinds = f"{a.dtype} and test images {b.dtype}".replace("torch.", "")
        raise UserError(f"training images are {kinds}; expected both as bytes or both as floats")
    devices = dict.fromkeys(str(x.device) for x in (a, a_labels, b, b_labels))
    if len(devices) > 1:
        raise UserError(
            f"images and labels are on {' and '.join(devices)}; expected one device; move them to 'cpu'"
        )
    return found[0], found[1]


def names(classes: object, train: object, test: object) -> tuple[str, ...]:
    """Class names: those given, or ``"0"``, ``"1"``, ... up to the largest label.

    Raises:
        UserError: fewer than two, one twice, or labels so large that they cannot be class numbers.
    """
    if classes is None:
        most = 1 + max(
            int(tensor(x, "the labels").max()) if len(tensor(x, "the labels")) else 0 for x in (train, test)
        )
        count = len(tensor(train, "the labels"))
        if most > max(count, 2):
            raise UserError(
                f"labels reach {most - 1}, but there are {count} training images; "
                "expected classes numbered from 0; number them anew, or name them in classes"
            )
        found: tuple[str, ...] = tuple(map(str, range(most)))
    elif (
        isinstance(classes, str)
        or not isinstance(classes, Sequence)
        or not all(isinstance(x, str) for x in classes)
    ):
        raise UserError(f"classes is {shown(classes)}; expected the names of the classes, a list of strings")
    else:
        found = tuple(classes)
    if len(found) < 2 or len(set(found)) < len(found):
        what = (
            f"{shown(list(found))}, one of them twice"
            if len(set(found)) < len(found)
            else f"only {len(found)}"
        )
        raise UserError(f"classes are {what}; expected at least two different ones")
    return found


def tensor(value: object, what: str) -> Tensor:
    """A plain, dense tensor of the same numbers, which shares memory with ``value`` where it can.

    Raises:
        UserError: ``value`` is no tensor and no array of numbers.
    """
    if isinstance(value, np.ndarray):
        return _of_array(value, what)
    if not isinstance(value, Tensor):
        hint = "; torch.tensor(...) makes one" if isinstance(value, list | tuple) else ""
        raise UserError(f"{what} are a {type(value).__name__}; expected a tensor or a NumPy array{hint}")
    if value.is_meta or value.layout != torch.strided or value.is_quantized:
        kind = "on the meta device" if value.is_meta else "sparse or quantized"
        raise UserError(f"{what} are {kind}; expected a dense tensor that holds its numbers")
    return value.detach().as_subclass(Tensor)


def _of_array(value: np.ndarray, what: str) -> Tensor:
    if isinstance(value, np.ma.MaskedArray):
        raise UserError(f"{what} are a masked array; expected a plain one; call .filled(...)")
    if value.dtype.kind not in "biuf":
        raise UserError(
            f"{what} are an array of {value.dtype}; expected numbers; call .astype(...) or np.stack(...)"
        )
    value = value.astype(value.dtype.newbyteorder("="), copy=False)
    # torch takes no array that runs backward, and warns of one that must not be written.
    if not value.flags.writeable or any(stride < 0 for stride in value.strides):
        value = value.copy()
    try:
        return torch.from_numpy(value)
    except (TypeError, ValueError) as error:  # longdouble, for one
        raise UserError(
            f"{what} cannot become a tensor ({one_line(error)[:100]}); convert them first"
        ) from None
