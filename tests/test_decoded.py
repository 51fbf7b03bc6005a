"""Image files are decoded once, and only those that are kept."""

import numpy as np
import pytest
from PIL import Image

from bad_input import one_line
from snnbook import files
from snnbook.data import DataConfig, decoded, folder, load
from snnbook.errors import UserError


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Two classes of eight images for training and three for the test; all of them are worth keeping."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(decoded, "WORTH", 1)
    noise = np.random.RandomState(0)
    for half, count in (("train", 8), ("test", 3)):
        for name in ("cat", "dog"):
            place = tmp_path / "data" / half / name
            place.mkdir(parents=True)
            for index in range(count):
                Image.fromarray(noise.randint(0, 256, (6, 6, 3), dtype=np.uint8)).save(place / f"{index}.png")
    return tmp_path / "data"


@pytest.fixture
def opened(monkeypatch):
    """Files that were decoded."""
    seen, decode = [], folder.decode
    monkeypatch.setattr(
        folder, "decode", lambda file, transform: seen.append(file) or decode(file, transform)
    )
    return seen


CONFIG = DataConfig(name="folder", size=6)


def test_the_second_time_no_file_is_decoded(tree, opened):
    first = load(CONFIG, tree)
    assert len(opened) == 22
    opened.clear()
    again = load(CONFIG, tree)
    assert opened == [] and again.fingerprint == first.fingerprint


def test_a_changed_image_is_decoded_anew(tree, opened):
    first = load(CONFIG, tree)
    Image.fromarray(np.zeros((6, 6, 3), dtype=np.uint8)).save(tree / "train/cat/3.png")
    opened.clear()
    again = load(CONFIG, tree)
    assert len(opened) == 16  # its half, and not the other
    assert again.fingerprint != first.fingerprint
    assert again.train_images[3].max() == 0


def test_a_damaged_cache_is_made_anew(tree, opened):
    first = load(CONFIG, tree)
    for path in decoded.folder().iterdir():
        path.write_bytes(path.read_bytes()[:100])
    opened.clear()
    assert load(CONFIG, tree).fingerprint == first.fingerprint
    assert len(opened) == 22


def test_where_nobody_has_a_home_all_is_as_without(tree, opened, monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(decoded.Path, "home", homeless)
    fingerprints = {load(CONFIG, tree).fingerprint for _ in range(2)}
    assert len(fingerprints) == 1 and len(opened) == 44


def test_where_nothing_can_be_kept_all_is_as_without(tree, opened, monkeypatch):
    def full(path, content):
        raise UserError("the disk is full")

    monkeypatch.setattr(files, "write_array", full)
    fingerprints = {load(CONFIG, tree).fingerprint for _ in range(2)}
    assert len(fingerprints) == 1 and len(opened) == 44


def test_only_images_that_are_kept_are_decoded(tree, opened, monkeypatch):
    monkeypatch.setattr(decoded, "WORTH", 10**6)
    few = load(DataConfig(name="folder", size=6, train_per_class=2, test_limit=2), tree)
    assert len(opened) == len(few.train_labels) + len(few.test_labels) == 6


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", ["a.png", "a#1.png"])
def test_a_link_that_leads_nowhere_is_told_by_its_name(tree, name, streamed):
    (tree / "test/cat" / name).symlink_to(tree / "gone.png")
    told = f"cannot read {tree / 'test/cat' / name} (No such file or directory)"
    one_line(lambda: load(DataConfig(name="folder", size=6, stream=streamed), tree), told)


def test_a_file_that_vanishes_after_it_was_listed(tree):
    _, train, _ = folder.listing(tree)
    (tree / "train/cat/3.png").unlink()
    one_line(lambda: folder.read_files(train, 6), f"cannot read {tree / 'train/cat/3.png'} (No such")
    parts = train._replace(names=np.char.add(train.names, b"#0"))
    one_line(lambda: decoded.kept(parts, (), lambda found: True, list), tree / "train/cat/3.png#0", "No such")
