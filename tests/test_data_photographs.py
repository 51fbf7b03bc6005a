"""Photographs and drawings as a viewer shows them: upright, and on white where they are transparent."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from snnbook import data
from snnbook.data import DataConfig, folder

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 4, 3), dtype=np.uint8)


def decoded(file):
    return folder.decode(file, lambda image: image)


# What a viewer does, by the number in the tag "Orientation".
TURNS = {
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: np.rot90,
}


@pytest.mark.parametrize("suffix", ["png", "tiff", "webp", "jpg"])
@pytest.mark.parametrize("orientation", range(10))
def test_a_photograph_is_turned_as_its_orientation_says(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    plain, turned = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    lossless = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(PIXELS).save(plain, **lossless)
    Image.fromarray(PIXELS).save(turned, exif=exif, **lossless)
    assert np.array_equal(decoded(turned), TURNS.get(orientation, lambda x: x)(decoded(plain)))


@given(torn=st.binary(max_size=60))
@settings(deadline=None, max_examples=40)
def test_torn_exif_spoils_no_pixel(tmp_path_factory, torn):
    file = tmp_path_factory.mktemp("torn") / "a.png"
    Image.fromarray(PIXELS).save(file, exif=b"Exif\0\0" + torn)
    found = decoded(file)
    assert np.array_equal(np.sort(found, axis=None), np.sort(PIXELS, axis=None))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB", "L", "1"])
def test_what_is_transparent_is_white_and_what_is_not_stays(tmp_path, mode):
    image = Image.fromarray(PIXELS).convert("RGB")
    alpha = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(6, 4) % 2 * 255)
    options = {}
    if mode == "RGBA":
        image.putalpha(alpha)
    elif mode == "LA":
        image = image.convert("L")
        image.putalpha(alpha)
    else:
        image = image.convert(mode)
        options = {"transparency": {"RGB": tuple(PIXELS[0, 0].tolist())}.get(mode, image.getpixel((0, 0)))}
    image.save(tmp_path / "a.png", **options)
    with Image.open(tmp_path / "a.png") as saved:
        whole = np.asarray(saved.convert("RGBA"))
    hidden, shown = whole[..., 3] == 0, decoded(tmp_path / "a.png")
    assert hidden.any() and (shown[hidden] == 255).all()
    assert np.array_equal(shown[~hidden], whole[~hidden][:, :3])


def test_half_transparent_is_half_white(tmp_path):
    Image.new("RGBA", (2, 2), (100, 0, 255, 128)).save(tmp_path / "a.png")
    assert np.abs(decoded(tmp_path / "a.png").astype(int) - [177, 127, 255]).max() <= 1


@pytest.mark.parametrize("streamed", [False, True])
def test_folders_hold_what_is_seen(tree, monkeypatch, streamed):
    monkeypatch.setenv("SNNBOOK_WORKERS", "0")
    config = DataConfig("folder", size=6, stream=streamed)

    def first():
        return next(data.batches(data.load(config, tree), 6, seed=0, epoch=0))[0]

    plain = first()
    for file in tree.glob("train/*/*.png"):
        pixels = np.asarray(Image.open(file))
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 3
        opaque = np.dstack([pixels[::-1, ::-1], np.full((6, 6), 255, np.uint8)])
        Image.fromarray(opaque).save(file, exif=exif)
    assert (first() == plain).all()
