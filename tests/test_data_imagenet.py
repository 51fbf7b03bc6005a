"""ImageNet and Tiny-ImageNet, as their networks expect them."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from bad_input import one_line
from snnbook import data
from snnbook.data import DataConfig, imagenet


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setenv("SNNBOOK_WORKERS", "0")


def imitate(root, monkeypatch):
    """Both of them, with three classes."""
    monkeypatch.setattr(imagenet, "CLASSES", {"imagenet": 3, "tiny_imagenet": 3})
    rng = np.random.default_rng(1)
    tiny, large = root / "tiny-imagenet-200", root / "imagenet"
    (tiny / "val" / "images").mkdir(parents=True)
    notes = []
    for name in ("n03", "n01", "n02"):
        (tiny / "train" / name / "images").mkdir(parents=True)
        (tiny / "train" / name / f"{name}_boxes.txt").write_text("")
        for half in ("train", "val"):
            (large / half / name).mkdir(parents=True)
            Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(
                large / half / name / "0.JPEG"
            )
        for i in range(2):
            image = Image.fromarray(rng.integers(0, 256, (64, 64), dtype=np.uint8))  # some are grey
            image.save(tiny / "train" / name / "images" / f"{name}_{i}.JPEG")
            image.save(tiny / "val" / "images" / f"val_{len(notes)}.JPEG")
            notes.append(f"val_{len(notes)}.JPEG\t{name}\t0\t0\t62\t62")
    (tiny / "val" / "val_annotations.txt").write_text("\n".join(notes) + "\n")


@pytest.mark.parametrize("streamed", [False, True])
def test_tiny_imagenet_has_its_own_folders(tmp_path, monkeypatch, streamed):
    imitate(tmp_path, monkeypatch)
    loaded = data.load(DataConfig("tiny_imagenet", size=64, stream=streamed), tmp_path)
    assert loaded.classes == ("n01", "n02", "n03")
    assert loaded.train_labels.tolist() == [0, 0, 1, 1, 2, 2]
    ((images, labels),) = data.test_batches(loaded, 10)
    # A test image is a copy of a training image of its class.
    whole, known = next(data.batches(loaded, 6, seed=0, epoch=0))
    for image, label in zip(images, labels, strict=True):
        twin = (whole == image).flatten(1).all(1)
        assert known[twin].tolist() == [label]


@pytest.mark.parametrize("streamed", [False, True])
def test_tiny_imagenet_half_unzipped(tmp_path, monkeypatch, streamed):
    imitate(tmp_path, monkeypatch)
    val, config = (
        tmp_path / "tiny-imagenet-200" / "val",
        DataConfig("tiny_imagenet", size=64, stream=streamed),
    )
    (val / "images" / "val_3.JPEG").unlink()
    told = f"{val} lacks images/val_3.JPEG, which val_annotations.txt lists"
    one_line(lambda: data.load(config, tmp_path), told)
    shutil.rmtree(val / "images")
    one_line(lambda: data.load(config, tmp_path), f"{val} lacks images/val_0.JPEG and 5 more")


def test_tiny_imagenet_that_is_incomplete(tmp_path, monkeypatch):
    imitate(tmp_path, monkeypatch)
    place, config = tmp_path / "tiny-imagenet-200", DataConfig("tiny_imagenet", size=64)
    notes = place / "val" / "val_annotations.txt"
    content = notes.read_text()
    notes.write_text(content.replace("n02", "n09"))
    one_line(lambda: data.load(config, tmp_path), notes, "line 5", "'n09'")
    notes.write_text(content.replace("n02", "n01"))
    one_line(lambda: data.load(config, tmp_path), place / "val", "no images of class 'n02'")
    notes.unlink()
    one_line(lambda: data.load(config, tmp_path), notes)
    shutil.rmtree(place / "train" / "n01")
    one_line(lambda: data.load(DataConfig("imagenet"), tmp_path / "other"), "image-net.org", "--data DIR")
    one_line(lambda: data.load(config, tmp_path / "other"), "tiny-imagenet-200.zip", tmp_path / "other")


@pytest.mark.parametrize("streamed", [False, True])
def test_imagenet_is_seen_as_its_networks_expect(tmp_path, monkeypatch, streamed):
    imitate(tmp_path, monkeypatch)
    loaded = data.load(DataConfig("imagenet", size=28, stream=streamed), tmp_path)
    assert loaded.mean == (0.485, 0.456, 0.406) and loaded.std == (0.229, 0.224, 0.225)
    images, labels = next(data.test_batches(loaded, 3))
    usual = transforms.Compose(
        [
            transforms.Resize(32),
            transforms.CenterCrop(28),
            transforms.ToTensor(),
            transforms.Normalize(loaded.mean, loaded.std),
        ]
    )
    for image, label in zip(images, labels, strict=True):
        with Image.open(tmp_path / "imagenet" / "val" / loaded.classes[label] / "0.JPEG") as file:
            torch.testing.assert_close(image, usual(file), rtol=1e-5, atol=1e-5)


def test_part_of_imagenet_does_not_pass_for_it(tmp_path, monkeypatch):
    imitate(tmp_path, monkeypatch)
    monkeypatch.setattr(imagenet, "CLASSES", {"imagenet": 1000})
    one_line(lambda: data.load(DataConfig("imagenet"), tmp_path), "3 classes, imagenet has 1000", "'folder'")
