"""CIFAR10-DVS, from recordings as SpikingJelly unpacks them."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from bad_input import one_line
from event_cases import recording
from snnbook import data
from snnbook.data import DataConfig, cifar10_dvs, events

LARGE = DataConfig("cifar10_dvs", size=48, frames=4, split_by="time")


@pytest.fixture
def recordings(tmp_path):
    """Two training and one test recording a class, as SpikingJelly unpacks them."""
    pytest.importorskip("spikingjelly")
    for index, name in enumerate(cifar10_dvs.CLASSES):
        folder = tmp_path / "cifar10_dvs" / "events_np" / name
        folder.mkdir(parents=True)
        for number in (0, 10, 900):
            t, x, y, p = recording(100, 128, seed=1000 * index + number).T
            np.savez(folder / f"cifar10_{name}_{number}.npz", t=t.astype(">u4"), x=x, y=y, p=p)
    return tmp_path


def test_recordings_become_frames(recordings):
    found = data.load(LARGE, recordings)
    assert found.shape == (4, 2, 48, 48) and found.classes == cifar10_dvs.CLASSES
    assert found.train_labels.bincount().tolist() == [2] * 10
    assert sorted(found.test_labels.tolist()) == list(range(10))
    cut = dict(size=48, frames=4, split_by="time", accumulate="count")
    rows = recording(100, 128, seed=3010)
    ours = torch.from_numpy(cifar10_dvs.cut(dict(zip("txyp", rows.T, strict=True)), 128, 128, **cut))
    assert (found.train_images[found.train_labels == 3] == ours).flatten(1).all(1).any()
    # Each polarity by itself, and an average, not a choice of pixels.
    share = events.to_frames(rows, 4, 128, "time")[:, 1].sum() / 100
    assert float(ours[:, 1].sum() / ours.sum()) == pytest.approx(share, abs=0.05)


def test_frames_are_cut_once_and_again_after_a_kill(recordings, monkeypatch):
    first = data.load(LARGE, recordings)
    calls = []
    cut = cifar10_dvs.cut
    monkeypatch.setattr(cifar10_dvs, "cut", lambda *a, **k: calls.append(1) or cut(*a, **k))
    assert data.load(LARGE, recordings).fingerprint == first.fingerprint and not calls
    place = recordings / "cifar10_dvs"
    (place / "frames_4_time_count_48.building").touch()  # killed in the middle of it
    (place / "frames_4_time_count_48" / "cat" / "cifar10_cat_0.npz").unlink()
    assert data.load(LARGE, recordings).fingerprint == first.fingerprint and len(calls) == 30
    few = data.load(replace(LARGE, train_per_class=1), recordings)
    assert len(few.train_labels) == 10 and len(few.test_labels) == 10


def test_what_is_missing_or_damaged_is_told(recordings, tmp_path_factory, monkeypatch):
    empty = tmp_path_factory.mktemp("empty")
    one_line(lambda: data.load(LARGE, empty), "no CIFAR10-DVS in", "figshare.com", "--data DIR")
    assert not list(empty.iterdir())
    data.load(LARGE, recordings)
    place = recordings / "cifar10_dvs"
    (place / "frames_4_time_count_48" / "cat" / "cifar10_cat_0.npz").write_bytes(b"half of it")
    one_line(lambda: data.load(LARGE, recordings), "cifar10_cat_0.npz holds no frames", "delete its folder")
    (place / "events_np" / "dog" / "cifar10_dog_900.npz").unlink()
    one_line(lambda: data.load(replace(LARGE, frames=2), recordings), "lacks training or test recordings")
    (place / "events_np" / "dog" / "cifar10_dog_0.npz").write_bytes(b"half of it")
    one_line(lambda: data.load(replace(LARGE, frames=3), recordings), "cannot read the recordings in")
    monkeypatch.setitem(sys.modules, "spikingjelly.datasets", None)
    one_line(lambda: data.load(LARGE, recordings), "spikingjelly", "pip install -e '.[events]'")
