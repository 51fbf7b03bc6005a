"""Recordings are read and cut once, and cut anew when anything has changed that frames depend on."""

import os

import numpy as np
import pytest
import torch

import event_files
from bad_input import one_line
from event_files import made
from snnbook import data, room
from snnbook.data import DataConfig, decoded, recorded
from snnbook.data.events import cut

CONFIG = DataConfig("recordings", size=10, frames=4, split_by="time")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(decoded, "WORTH", 1)
    for half, number in (("train", 3), ("test", 2)):
        for name in ("left", "right"):
            folder = tmp_path / "own" / half / name
            folder.mkdir(parents=True)
            for index in range(number):
                path = folder / f"{index}.bin"  # whose sensor is said beside it
                path.write_bytes(event_files.nmnist(made(50 + index, (30, 20), seed=len(str(path)) + index)))
    (tmp_path / "own" / "sensor.txt").write_text("34x34")
    return tmp_path / "own"


@pytest.fixture
def counted(monkeypatch):
    """How many recordings were cut."""
    seen = []
    monkeypatch.setattr(recorded.events, "cut", lambda *given: seen.append(given) or cut(*given))
    return seen


def same(a, b):
    return (
        torch.equal(a.train_images, b.train_images)
        and torch.equal(a.test_images, b.test_images)
        and (a.cut, a.fingerprint, a.shape) == (b.cut, b.fingerprint, b.shape)
    )


@pytest.mark.parametrize("split_by", ["time", "number", "50 ms"])
def test_the_second_time_nothing_is_cut(tree, counted, split_by):
    config = DataConfig("recordings", size=10, frames=4, split_by=split_by)
    first = data.load(config, tree)
    assert len(counted) == 10 and first.cut.events == sum(50 + i for i in (0, 1, 2, 0, 1, 2, 0, 1, 0, 1))
    counted.clear()
    assert same(data.load(config, tree), first) and not counted
    again = data.load(config, tree)
    again.train_images.zero_()  # memory of its own
    assert same(data.load(config, tree), first)


@pytest.mark.parametrize(
    ("changed", "recut"),
    [
        (dict(size=9), 10),
        (dict(frames=5), 10),
        (dict(split_by="number"), 10),
        (dict(accumulate="binary"), 10),
        (dict(test_limit=3), 3),
        (dict(train_per_class=2), 4),
        (dict(label_noise=0.5), 0),
    ],
)
def test_what_frames_depend_on_has_them_cut_anew(tree, counted, changed, recut):
    data.load(CONFIG, tree)
    counted.clear()
    data.load(DataConfig(**{**vars(CONFIG), **changed}), tree)
    assert len(counted) == recut


def test_a_changed_file_and_another_sensor_are_seen(tree, counted):
    first = data.load(CONFIG, tree)
    path = tree / "train" / "left" / "1.bin"
    path.write_bytes(event_files.nmnist(made(51, (30, 20), seed=99)))
    os.utime(path, ns=(1, 1))
    counted.clear()
    assert not same(data.load(CONFIG, tree), first) and len(counted) == 6  # its half
    (tree / "sensor.txt").write_text("34x36")
    counted.clear()
    assert len(counted) == 0 and data.load(CONFIG, tree).shape == (4, 2, 10, 9) and len(counted) == 10


def test_what_was_kept_in_part_is_made_anew(tree, counted):
    first = data.load(CONFIG, tree)
    for length in (0, 60, 200, 300):
        for path in decoded.folder().iterdir():
            path.write_bytes(path.read_bytes()[:length])
        counted.clear()
        assert same(data.load(CONFIG, tree), first) and len(counted) == 10
    for path in decoded.folder().iterdir():
        np.save(path, np.zeros(500, np.uint8))
    assert same(data.load(CONFIG, tree), first)


def test_what_was_kept_has_to_fit_into_memory(tree, monkeypatch):
    data.load(CONFIG, tree)
    monkeypatch.setattr(room, "at_hand", lambda: 100)
    one_line(lambda: data.load(CONFIG, tree), "recordings takes", "keep fewer recordings")


def test_few_are_not_kept(tree, monkeypatch):
    monkeypatch.setattr(decoded, "WORTH", 10**6)
    data.load(CONFIG, tree)
    assert not decoded.folder().exists()
