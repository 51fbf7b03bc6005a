"""Folders of images: every pixel, few a class, and what is wrong named in one line."""

import shutil

import numpy as np
import pytest
from PIL import Image

from bad_input import one_line
from snnbook import data
from snnbook.data import DataConfig


def test_folder_reads_every_pixel(tree):
    (tree / "train" / "ant" / "notes.txt").write_text("no image")
    (tree / "train" / ".hidden").mkdir()
    loaded = data.load(DataConfig("folder", size=6), tree)
    assert loaded.classes == ("ant", "cat")
    assert loaded.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    for i, image in enumerate(loaded.train_images):
        file = tree / "train" / loaded.classes[i // 3] / f"{i % 3}.png"
        assert np.array_equal(image.permute(1, 2, 0).numpy(), np.array(Image.open(file)))
    assert sorted(loaded.test_labels.tolist()) == [0, 0, 1, 1]


def test_folder_resizes_and_crops(tree):
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, 3:13] = 200  # the central square, and what the filter sees beside it
    Image.fromarray(pixels).save(tree / "train" / "ant" / "0.png")
    image = data.load(DataConfig("folder", size=4), tree).train_images[0]
    assert image.shape == (3, 4, 4) and (image == 200).all()


def test_folder_few_a_class(tree):
    loaded = data.load(DataConfig("folder", size=6, train_per_class=2, test_limit=2), tree)
    assert loaded.train_labels.tolist() == [0, 0, 1, 1] and sorted(loaded.test_labels.tolist()) == [0, 1]


def test_image_that_never_changes_is_normalized_to_zero(tree):
    for file in tree.glob("*/*/*.png"):
        Image.new("RGB", (6, 6), (9, 9, 9)).save(file)
    images, _ = next(iter(data.test_batches(data.load(DataConfig("folder", size=6), tree), 4)))
    assert images.abs().max() < 1e-5


def test_bad_folders(tree):
    config = DataConfig("folder", size=6)
    one_line(lambda: data.load(config), "--data DIR")
    one_line(lambda: data.load(config, tree / "nowhere"), tree / "nowhere" / "train")
    (tree / "empty" / "train").mkdir(parents=True)
    one_line(lambda: data.load(config, tree / "empty"), "no class folders")
    one_line(lambda: data.load(DataConfig("cifar10"), tree), "2 classes", "'folder'")
    (tree / "test" / "cat").rename(tree / "test" / "cow")
    one_line(lambda: data.load(config, tree), "'cat' only in train", "'cow' only in test")
    shutil.rmtree(tree / "test" / "cow")
    (tree / "test" / "cat").mkdir()
    one_line(lambda: data.load(config, tree), tree / "test" / "cat", "no images")


@pytest.mark.parametrize("stream", [False, True])
def test_one_class_is_told(tree, stream):
    """Every network is right on it: the usual slip is a folder one level off."""
    for half in ("train", "test"):
        shutil.rmtree(tree / half / "cat")
    one_line(
        lambda: data.load(DataConfig("folder", size=6, stream=stream), tree), "only the class 'ant'", "level"
    )


def test_recordings_of_one_class_are_told(tmp_path):
    for half in ("train", "test"):
        (tmp_path / half / "wave").mkdir(parents=True)
        (tmp_path / half / "wave" / "a.npz").touch()
    one_line(
        lambda: data.load(DataConfig("recordings", size=6, frames=2), tmp_path),
        "only the class 'wave'",
        "*.npz",
    )


@pytest.mark.parametrize("damage", ["torn", "text", "empty", "deep"])
def test_corrupt_image_is_named(tree, damage):
    file = tree / "train" / "cat" / "2.png"
    if damage == "deep":
        Image.fromarray(np.full((6, 6), 40000, np.uint16)).save(file)
    else:
        file.write_bytes({"torn": file.read_bytes()[:60], "text": b"not a picture", "empty": b""}[damage])
    one_line(lambda: data.load(DataConfig("folder", size=6), tree), file, "replace or delete it")
