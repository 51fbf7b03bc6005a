"""Data given in another way than the usual one: taken for what they are, and for nothing else."""

import shutil

import numpy as np
import pytest
from PIL import Image

from bad_input import one_line
from snnbook import data
from snnbook.data import DataConfig, cifar10_dvs, imagenet, location
from snnbook.data import folder as folders
from snnbook.experiments.matrix import plan
from test_data_cifar import archive  # noqa: F401
from test_data_imagenet import imitate


def tree(root, classes, name=None):
    known = location.AMONG.get(name, ())
    for half in ("train", "test"):
        for number in range(classes):
            folder = root / half / (known[number] if number < len(known) else f"c{number:03d}")
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((4, 4, 3), number, np.uint8)).save(folder / "0.png")
    return root


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize(
    ("name", "count", "other"), [("cifar10", 10, "cifar100"), ("cifar100", 100, "cifar10")]
)
def test_a_tree_of_cifar_is_one_of_them(tmp_path, name, count, other, inside):
    tree(tmp_path / name if inside else tmp_path, count, name)
    assert location.found(name, tmp_path) == (f"{name}/train" if inside else "train")
    assert location.found(other, tmp_path) is None
    assert data.load(DataConfig(name, size=4), tmp_path).num_classes == count
    parts = [f"no {other} in"] if inside else [f"has {count} classes", "--data DIR"]
    one_line(lambda: data.load(DataConfig(other, download=not inside), tmp_path), *parts)


@pytest.mark.parametrize(("name", "count"), [("cifar10", 10), ("cifar100", 100)])
def test_as_many_classes_do_not_make_it_cifar(tmp_path, name, count):
    root = tree(tmp_path / "own", count)
    assert location.found(name, root) is None
    one_line(
        lambda: data.load(DataConfig(name, download=True), root),
        f"{count} classes (c000",
        "'folder'",
        "--data DIR",
    )
    shutil.move(root, tmp_path / name)
    for place in (tmp_path, tmp_path / name):  # its folder says what it is
        assert data.load(DataConfig(name, size=4), place).num_classes == count


def test_of_a_tree_of_cifar_only_what_is_kept_is_decoded(tmp_path, monkeypatch):
    for folder in tree(tmp_path / "cifar10", 10).glob("*/*"):
        for number in range(1, 5):
            shutil.copy(folder / "0.png", folder / f"{number}.png")
    seen, decode = [], folders.decode
    monkeypatch.setattr(folders, "decode", lambda file, cut: seen.append(file) or decode(file, cut))
    found = data.load(DataConfig("cifar10", size=4, train_per_class=2, test_limit=5), tmp_path)
    assert len(found.train_labels) == 20 and len(seen) == 25


def test_a_tree_of_another_set_does_not_hide_what_is_there(archive, tmp_path):  # noqa: F811
    root = tree(tmp_path / "data", 100)
    one_line(lambda: data.load(DataConfig("cifar10", download=True), root), "100 classes")
    found = data.load(DataConfig("cifar10", download=True), tmp_path / "other")
    shutil.move(tmp_path / "other" / "cifar-10-batches-py", root)
    assert data.load(DataConfig("cifar10"), root).fingerprint == found.fingerprint
    assert data.load(DataConfig("cifar10"), root / "cifar-10-batches-py").fingerprint == found.fingerprint


@pytest.mark.parametrize("layout", ["<class>", "<class>/images", "flat training"])
@pytest.mark.parametrize("named", [True, False])
def test_tiny_imagenet_sorted_or_by_its_own_name(tmp_path, monkeypatch, layout, named):
    imitate(tmp_path, monkeypatch)
    config, place = DataConfig("tiny_imagenet", size=64), tmp_path / "tiny-imagenet-200"
    before = data.load(config, tmp_path)
    if layout == "flat training":
        for folder in list(place.glob("train/*/images")):
            for file in list(folder.iterdir()):
                file.rename(folder.parent / file.name)
            folder.rmdir()
    else:
        for line in (place / "val" / "val_annotations.txt").read_text().splitlines():
            file, name = line.split("\t")[:2]
            to = place / "val" / layout.replace("<class>", name)
            to.mkdir(parents=True, exist_ok=True)
            (place / "val" / "images" / file).rename(to / file)
        (place / "val" / "images").rmdir()
    if named:
        place = place.rename(tmp_path / "mine")
    assert data.load(config, place).fingerprint == before.fingerprint
    assert imagenet.found("tiny_imagenet", place) == "."
    assert imagenet.found("tiny_imagenet", tmp_path / "elsewhere") is None


def test_imagenet_by_its_own_name(tmp_path, monkeypatch):
    imitate(tmp_path, monkeypatch)
    config = DataConfig("imagenet", size=32)
    assert data.load(config, tmp_path / "imagenet").fingerprint == data.load(config, tmp_path).fingerprint
    monkeypatch.setitem(imagenet.CLASSES, "imagenet", 1000)
    one_line(lambda: data.load(config, tmp_path / "imagenet"), "no imagenet in")


def test_tiny_imagenet_with_notes_that_are_no_text(tmp_path, monkeypatch):
    imitate(tmp_path, monkeypatch)
    notes = tmp_path / "tiny-imagenet-200" / "val" / "val_annotations.txt"
    notes.write_bytes(b"\xff\xfe\t\x80" * 200)
    one_line(lambda: data.load(DataConfig("tiny_imagenet", size=64), tmp_path), notes, "line 1")


@pytest.mark.parametrize("folder", [cifar10_dvs.FOLDER, *imagenet.FOLDERS.values()])
def test_a_plan_takes_a_folder_given_by_its_own_name(tmp_path, folder):
    assert not plan._there(folder, tmp_path)
    (tmp_path / folder).mkdir()
    assert plan._there(folder, tmp_path) and plan._there(folder, tmp_path / folder)
    assert not plan._there(folder, tmp_path / "other" / folder)
    (tmp_path / folder / "events_np").mkdir()
    assert cifar10_dvs.found(tmp_path / folder) == "."
