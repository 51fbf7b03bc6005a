"""Sets of recordings by name, from folders written as the authors of each give them out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

import event_files
from bad_input import one_line
from event_files import made
from snnbook import data
from snnbook.data import DataConfig, cifar10_dvs, dvs_gesture, events, recorded


@pytest.fixture
def nmnist(tmp_path):
    for half, number in (("Train", 2), ("Test", 1)):
        for digit in range(10):
            folder = tmp_path / "nmnist" / half / str(digit)
            folder.mkdir(parents=True)
            for index in range(number):
                rows = made(40, (34, 34), seed=100 * digit + index + 50 * (half == "Test"))
                (folder / f"{index:05}.bin").write_bytes(event_files.nmnist(rows))
    return tmp_path


def test_nmnist_comes_in_its_own_division(nmnist):
    config = DataConfig("nmnist", size=34, frames=3, split_by="time")
    found = data.load(config, nmnist)
    assert found.shape == (3, 2, 34, 34) and found.classes == tuple("0123456789")
    assert found.train_labels.bincount().tolist() == [2] * 10 and len(found.test_labels) == 10
    expected = events.as_bytes(events.to_frames(made(40, (34, 34), seed=301), 3, 34, "time"))
    assert (found.train_images[found.train_labels == 3] == torch.from_numpy(expected)).flatten(1).all(1).any()
    assert found.cut == (1200, 0, 0) and "0 of 1,200 events are in no frame" in found.summary()
    by_number = data.load(replace(config, split_by="number", train_per_class=1, size=17), nmnist)
    assert by_number.cut.dropped == 20 and by_number.cut.events == 800 and by_number.shape == (3, 2, 17, 17)
    assert data.load(config, nmnist / "nmnist").fingerprint == found.fingerprint


def test_what_is_missing_of_nmnist_is_told(nmnist, tmp_path_factory):
    config = DataConfig("nmnist", frames=2)
    empty = tmp_path_factory.mktemp("empty")
    one_line(lambda: data.load(config, empty), "no N-MNIST in", "garrickorchard.com", "--data DIR")
    assert not list(empty.iterdir())  # nothing was downloaded
    (empty / "nmnist").mkdir()
    (empty / "nmnist" / "Train.zip").write_bytes(b"half of it")
    one_line(lambda: data.load(config, empty), "Train.zip has another MD5 than the published 20959b8e")
    assert (empty / "nmnist" / "Train.zip").exists()
    (nmnist / "nmnist" / "Train" / "3" / "00000.bin").write_bytes(b"1234567")
    one_line(lambda: data.load(config, nmnist), "3/00000.bin", "multiple of 5")
    (nmnist / "nmnist" / "Train" / "3" / "00000.bin").write_bytes(b"")
    one_line(lambda: data.load(config, nmnist), "3/00000.bin: 0 events cannot fill 2 frames")
    one_line(lambda: replace(config, frames=None), "frames is not set, but nmnist are events")


@pytest.fixture
def gestures(tmp_path):
    place = tmp_path / "dvs_gesture" / "DvsGesture"
    place.mkdir(parents=True)
    for user, half in (("user01_led", "train"), ("user24_lab", "test")):
        rows = made(400, (128, 128), 1_100_000, seed=ord(user[5]), start=2**31 - 500_000)
        (place / f"{user}.aedat").write_bytes(event_files.aedat3(rows, 50))
        start = rows[0, 0]
        lines = [f"{c},{start + 100_000 * (c - 1)},{start + 100_000 * c}" for c in range(1, 12)]
        (place / f"{user}_labels.csv").write_text(
            "\n".join(["class,startTime_usec,endTime_usec", *lines]) + "\n"
        )
        (place / f"trials_to_{half}.txt").write_text(f"{user}.aedat\n\n")
    return tmp_path


def test_gestures_are_windows_of_recordings(gestures):
    config = DataConfig("dvs_gesture", size=32, frames=2, split_by="time")
    found = data.load(config, gestures)
    assert found.classes == dvs_gesture.CLASSES and found.train_labels.tolist() == list(range(11))
    assert sorted(found.test_labels.tolist()) == list(range(11)) and found.shape == (2, 2, 32, 32)
    rows = made(400, (128, 128), 1_100_000, seed=ord("1"), start=2**31 - 500_000)
    third = rows[(rows[:, 0] >= rows[0, 0] + 200_000) & (rows[:, 0] < rows[0, 0] + 300_000)]
    whole = data.load(replace(config, size=128), gestures)
    expected = events.as_bytes(events.to_frames(third, 2, 128, "time"))
    assert torch.equal(whole.train_images[2], torch.from_numpy(expected))
    place = gestures / "dvs_gesture" / "DvsGesture"
    assert data.load(config, place).fingerprint == found.fingerprint
    (place / "user24_lab_labels.csv").write_text("class,startTime_usec,endTime_usec\n12,5,9\n")
    one_line(lambda: data.load(config, gestures), "user24_lab_labels.csv", "no class from 1 to 11")
    (place / "user24_lab.aedat").unlink()
    one_line(lambda: data.load(config, gestures), "lacks user24_lab.aedat, which trials_to_test.txt lists")
    one_line(lambda: data.load(config, gestures / "none"), "no DVS128 Gesture", "research.ibm.com/dvsgesture")


def write_shd(path, recordings, classes=20, **others):
    h5py = pytest.importorskip("h5py", reason="h5py, of the extra events, is not installed")
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, "w") as content:
        for key, kind in (("times", np.float16), ("units", np.uint16)):
            rows = content.create_dataset(
                f"spikes/{key}", (len(recordings),), h5py.vlen_dtype(np.dtype(kind))
            )
            for index, recording in enumerate(recordings):
                rows[index] = recording[key].astype(kind)
        content["labels"] = np.arange(len(recordings)) % classes
        content["extra/keys"] = [f"word {number}".encode() for number in range(classes)]
        for key, values in others.items():
            del content[key]
            content[key] = values


def spikes(count, seed):
    draw = np.random.default_rng(seed)
    return {"times": np.sort(draw.uniform(0, 1.2, count)), "units": draw.integers(0, 700, count)}


@pytest.fixture
def shd(tmp_path):
    for half, number in (("train", 40), ("test", 20)):
        write_shd(tmp_path / "shd" / f"shd_{half}.h5", [spikes(80, seed) for seed in range(number)])
    return tmp_path


@pytest.mark.parametrize("way", ["number", "time", "20 ms"])
def test_each_spike_counts_once(shd, way):
    found = data.load(DataConfig("shd", size=700, frames=70, split_by=way), shd)
    assert found.shape == (70, 700, 1, 1) and found.classes[3] == "word 3" and found.channels == 700
    kept = 70 if way == "number" else 80
    assert (found.train_images.sum((1, 2, 3, 4)) == kept).all() and found.cut.dropped == 60 * (80 - kept)
    assert found.padded == (way == "20 ms")
    images, _, *ends = next(data.test_batches(found, 20))
    assert images.shape == (70, 20, 700, 1, 1) and torch.equal(images, images.round())  # counts, as they were
    assert images.sum() == 20 * kept and len(ends) == found.padded


def test_channels_are_brought_together_with_their_neighbours(shd):
    whole = data.load(DataConfig("shd", size=700, frames=5, split_by="time"), shd)
    few = data.load(DataConfig("shd", size=70, frames=5, split_by="time"), shd)
    assert torch.equal(few.train_images, whole.train_images.unflatten(2, (70, 10)).sum(3).byte())
    one_line(lambda: data.load(DataConfig("shd", size=701, frames=5), shd), "700 channels")


def test_spikes_in_any_order_keep_their_channels_in_groups_of_unlike_sizes(tmp_path):
    few = {"times": np.array([0.75, 0.25, 0.5]), "units": np.array([699, 2, 467])}  # the last first
    for half in ("train", "test"):
        write_shd(tmp_path / "shd" / f"shd_{half}.h5", [few])
    found = data.load(DataConfig("shd", size=300, frames=3), tmp_path)
    assert found.train_images[0, :, :, 0, 0].nonzero().tolist() == [[0, 0], [1, 200], [2, 299]]


def test_bad_spikes_are_told(shd):
    config = DataConfig("shd", size=10, frames=1)
    one_line(
        lambda: data.load(DataConfig("ssc", frames=1), shd), "no ssc_train.h5 and no ssc_test.h5", "zenkelab"
    )
    place = shd / "shd2"
    write_shd(place / "shd_train.h5", [spikes(9000, 0)] * 2)
    write_shd(place / "shd_test.h5", [spikes(80, 1)])
    one_line(lambda: data.load(replace(config, size=1), place), "spikes 9000 times in one frame")
    write_shd(shd / "a" / "shd_train.h5", [spikes(80, 0)], labels=[1, 2])
    one_line(lambda: write_test(shd / "a", config), "shd_train.h5", "[1, 2] entries")
    write_shd(shd / "b" / "shd_train.h5", [spikes(80, 0)], labels=[20])
    one_line(lambda: write_test(shd / "b", config), "no labels from 0 to 19")
    far = spikes(80, 0)
    write_shd(shd / "c" / "shd_train.h5", [far | {"units": far["units"] + 1000}])
    one_line(lambda: write_test(shd / "c", config), "a channel below 700")
    (shd / "d").mkdir()
    (shd / "d" / "shd_train.h5").write_bytes(b"half of it")
    one_line(lambda: write_test(shd / "d", config), "cannot read spikes from", "shd_train.h5")


def write_test(place, config):
    write_shd(place / "shd_test.h5", [spikes(80, 1)])
    data.load(config, place)


@pytest.fixture
def own(tmp_path):
    """Two classes, of an oblong sensor, in three formats."""
    for half, number in (("train", 3), ("test", 1)):
        for label, name in enumerate(("left", "right")):
            folder = tmp_path / half / name
            folder.mkdir(parents=True)
            for index in range(number):
                rows = made(90, (40, 24), 1000 + 4000 * index, 10 * label + index)
                columns = dict(zip("txyp", rows.T, strict=True))
                if index == 1:
                    (folder / "b.bin").write_bytes(event_files.nmnist(rows))
                else:
                    np.savez(folder / f"{index}.npz", **columns, width=40, height=24)
    (tmp_path / "sensor.txt").write_text("40x24\n")
    return tmp_path


def test_recordings_of_one_s_own_keep_their_proportions(own):
    found = data.load(DataConfig("recordings", size=24, frames=4, split_by="time"), own)
    assert found.shape == (4, 2, 24, 40) and found.classes == ("left", "right")
    rows = made(90, (40, 24), 1000, 10)
    expected = events.as_bytes(events.to_frames(rows, 4, (40, 24), "time"))
    assert torch.equal(found.train_images[3], torch.from_numpy(expected))
    assert data.load(DataConfig("recordings", size=12, frames=4), own).shape == (4, 2, 12, 20)
    one_line(lambda: data.load(DataConfig("recordings", frames=4)), "say where they are with --data DIR")


def test_windows_keep_the_clock_and_pad_the_end(own):
    found = data.load(DataConfig("recordings", size=24, frames=4, split_by="1 ms"), own)
    assert (
        found.padded and found.cut.padded == 4 and "4 recordings end before the last frame" in found.summary()
    )
    longer = [
        made(90, (40, 24), 1000 + 4000 * index, 10 * label + index)[:, 0]
        for label in (0, 1)
        for index in (1, 2)
    ]
    assert found.cut.dropped == sum(int((t - t[0] >= 4000).sum()) for t in longer) > 0
    for name in ("digit_events", "cifar10_dvs"):
        one_line(lambda name=name: DataConfig(name, frames=4, split_by="1 ms"), "recordings of one length")


def test_sensors_are_told_or_asked_for(own):
    config = DataConfig("recordings", size=24, frames=4)
    (own / "sensor.txt").write_text("forty")
    one_line(lambda: data.load(config, own), "sensor.txt reads 'forty'", "346x260")
    (own / "sensor.txt").write_text("24 x 40")
    one_line(lambda: data.load(config, own), "given as 24x40 and its file says 40x24")
    (own / "sensor.txt").unlink()
    one_line(lambda: data.load(config, own), "b.bin does not tell its sensor's size", "a file sensor.txt")
    for path in own.rglob("*.bin"):
        np.savez(
            path.with_suffix(".npz"), **dict(zip("txyp", made(20, (8, 8)).T, strict=True)), width=8, height=8
        )
        path.unlink()
    one_line(lambda: data.load(config, own), "sensors 40x24 (0.npz) and 8x8 (b.npz)")


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 20), st.integers(0, 99))
def test_a_frame_with_an_event_is_never_empty_at_any_size(width, height, size, seed):
    frames = events.to_frames(made(3, (width, height), seed=seed), 3, (width, height))
    found = recorded.pictures(frames, size)
    assert found.shape == (3, 2, size, max(1, round(size * width / height)))
    assert (found.max((1, 2, 3)) == 255).all()
    if min(width, found.shape[-1]) > 1:
        counts = torch.from_numpy(frames).double()
        theirs = interpolate(counts, size=found.shape[-2:], mode="bilinear", antialias=True).clamp(min=0)
        assert np.abs(found - 255 * (theirs / theirs.amax((1, 2, 3), keepdim=True)).numpy()).max() < 0.51
    if size == height:
        assert np.array_equal(found, events.as_bytes(frames))


def test_cifar10_dvs_can_be_seen_as_the_sensor_does():
    rows = made(50, (128, 128))
    t, x, y, p = rows.T
    shown = torch.from_numpy(events.to_frames(np.stack([t, y, x, p], 1), 2, 128))
    assert np.array_equal(cifar10_dvs.as_the_sensor(shown), events.to_frames(rows, 2, 128))
