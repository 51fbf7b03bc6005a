"""Augmentation of a whole batch on its device, with a draw for each image.

Each function takes images ``[B, C, H, W]``, bytes or floats in [0, 1], and two uniform numbers in [0, 1) for
each, float32 ``[B, 2]``, and returns images of the same shape and type; black is 0.  The draws come from outside,
so that the same ones serve any device.  Frames of events come with their steps among the channels, so that all
steps are treated alike.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def crop(images: Tensor, draws: Tensor) -> Tensor:
    """A random window of the image's own size, after padding with black: 4 pixels where the side is 32."""
    height, width = images.shape[-2:]
    down, right = height // 8, width // 8
    padded = F.pad(images, (right, right, down, down))
    top = (draws[:, 0] * (2 * down + 1)).long()
    left = (draws[:, 1] * (2 * right + 1)).long()
    rows = top[:, None] + torch.arange(height, device=images.device)  # [B, H]
    columns = left[:, None] + torch.arange(width, device=images.device)  # [B, W]
    return _taken(padded, rows, columns)


def _taken(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Of each image, its own rows ``[B, H]`` and columns ``[B, W]``."""
    image = torch.arange(images.shape[0], device=images.device)[:, None, None, None]
    channel = torch.arange(images.shape[1], device=images.device)[:, None, None]
    return images[image, channel, rows[:, None, :, None], columns[:, None, None, :]]


def flip(images: Tensor, draws: Tensor) -> Tensor:
    """Left and right swapped, for every other image on average."""
    return torch.where((draws[:, 0] < 0.5)[:, None, None, None], images.flip(3), images)


def roll(images: Tensor, draws: Tensor) -> Tensor:
    """Moved by up to 5 pixels of 48 along each axis; what leaves on one side comes back on the other.

    The augmentation of event frames in Deng et al. (2022, A.1).
    """
    height, width = images.shape[-2:]
    moved = [
        (torch.arange(side, device=images.device) - _shift(side, draws[:, axis])[:, None]) % side
        for axis, side in enumerate((height, width))
    ]
    return _taken(images, *moved)


def _shift(side: int, draw: Tensor) -> Tensor:
    """Whole pixels, each from ``-reach`` to ``reach`` equally likely, ``[B]``."""
    reach = round(side * 5 / 48)
    return (draw * (2 * reach + 1)).long() - reach


def cutout(images: Tensor, draws: Tensor) -> Tensor:
    """A black square, half the side long, centred anywhere, clipped at borders (DeVries & Taylor 2017)."""
    inside = []
    for axis, side in enumerate(images.shape[-2:]):
        first = (draws[:, axis] * side).long() - side // 4
        offset = torch.arange(side, device=images.device) - first[:, None]  # [B, side]
        inside.append((offset >= 0) & (offset < side // 2))
    rows, columns = inside
    return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0)


def autoaugment(images: Tensor, draws: Tensor) -> Tensor:
    """AutoAugment's CIFAR-10 policy (Cubuk et al. 2019) for bytes, filling with grey.

    Torchvision's transform, one image after another: by far the slowest step here, on any device.
    """
    from torchvision.transforms import v2  # takes seconds to import, and other augmentations do not need it

    policy = v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10, fill=128)
    seeds = (draws[:, 0].double() * 2**24).long().tolist()  # a float32 draw holds 24 random bits
    augmented = []
    # Torchvision draws from the global generator of the CPU: lend it each image's seed, then put it back.
    with torch.random.fork_rng(devices=[]):
        for image, seed in zip(images, seeds, strict=True):
            torch.default_generator.manual_seed(seed)
            augmented.append(policy(image))
    return torch.stack(augmented) if augmented else images.clone()


AUGMENTATIONS = {"crop": crop, "flip": flip, "roll": roll, "cutout": cutout, "autoaugment": autoaugment}
