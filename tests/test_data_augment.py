"""Augmentations, each with a draw for every image."""

import pytest
import torch

from snnbook.data.augment import AUGMENTATIONS, autoaugment, crop, cutout, flip


def test_crop_is_a_window_of_the_padded_image():
    images = torch.randint(1, 256, (500, 3, 32, 24), dtype=torch.uint8)
    draws = torch.rand(500, 2)
    draws[0], draws[1] = 0.0, 1 - 2**-24  # the corners
    cropped = crop(images, draws)
    padded = torch.nn.functional.pad(images, (3, 3, 4, 4))
    corners = set()
    for image, draw, got in zip(padded, draws, cropped, strict=True):
        top, left = int(draw[0] * 9), int(draw[1] * 7)
        corners.add((top, left))
        assert torch.equal(got, image[:, top : top + 32, left : left + 24])
    assert {(0, 0), (8, 6)} <= corners and len(corners) > 50


def test_flip_swaps_about_half():
    images = torch.randint(0, 256, (1000, 1, 4, 6), dtype=torch.uint8)
    flipped = flip(images, torch.rand(1000, 2, generator=torch.Generator().manual_seed(0)))
    same = (flipped == images).flatten(1).all(1)
    assert 400 < same.sum() < 600
    assert torch.equal(flipped[~same], images[~same].flip(3))


def test_cutout_is_one_clipped_square():
    images = torch.full((2000, 2, 32, 32), 7, dtype=torch.uint8)
    draws = torch.rand(2000, 2, generator=torch.Generator().manual_seed(0))
    holes = cutout(images, draws) == 0
    assert torch.equal(holes[:, 0], holes[:, 1])
    height, width = holes[:, 0].any(2).sum(1), holes[:, 0].any(1).sum(1)
    assert torch.equal(height * width, holes[:, 0].flatten(1).sum(1)), "not a rectangle"
    center = (draws * 32).long()
    expected = (center + 8).clamp(max=32) - (center - 8).clamp(min=0)
    assert torch.equal(torch.stack((height, width), 1), expected)
    assert height.max() == 16 and height.min() == 8


@pytest.mark.parametrize("channels", [1, 3])
def test_autoaugment_draws_for_each_image(channels):
    image = torch.randint(0, 256, (1, channels, 16, 16), dtype=torch.uint8)
    draws = torch.rand(64, 2, generator=torch.Generator().manual_seed(0))
    augmented = autoaugment(image.expand(64, -1, -1, -1), draws)
    assert augmented.shape == (64, channels, 16, 16) and augmented.dtype == torch.uint8
    assert len({one.numpy().tobytes() for one in augmented}) > 16
    # The same draw gives the same image, whatever stands around it in the batch.
    assert torch.equal(autoaugment(image, draws[40:41])[0], augmented[40])


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_no_images_stay_none(name):
    images = torch.empty(0, 3, 16, 16, dtype=torch.uint8)
    found = AUGMENTATIONS[name](images, torch.empty(0, 2))
    assert (found.shape, found.dtype) == (images.shape, images.dtype)
