"""Event data: what a camera puts out, how it is cut into frames, and networks that take them."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bad_input import one_line
from snnbook import data, trainers
from snnbook.analysis import landscape, measure, observe, scalability
from snnbook.analysis.config import AnalysisConfig
from snnbook.backbones import NetworkConfig, build_snn
from snnbook.data import DataConfig, batches, cifar10_dvs, digit_events, events
from snnbook.data.augment import AUGMENTATIONS, roll
from snnbook.losses import sdt
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.recipe import Recipe

SMALL = DataConfig("digit_events", size=16, frames=3, train_per_class=2, test_limit=20)
NETWORK = NetworkConfig("vggsnn", width=2, time_steps=3, neuron="tet")


@pytest.fixture(scope="module")
def small():
    return data.load(SMALL)


def recording(count=200, size=6, seed=0):
    draw = np.random.default_rng(seed)
    columns = (
        np.sort(draw.integers(0, 1000, count)),
        *draw.integers(0, size, (2, count)),
        draw.integers(0, 2, count),
    )
    return np.stack(columns, axis=1)


# A camera


def test_an_edge_sends_off_events_where_it_leaves_and_on_events_where_it_arrives():
    video = np.array(
        [[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]]
    )  # light goes from pixel 0 to pixel 1; pixel 2 never changes
    t, pixel, polarity = events.record(video, np.array([0, 1000]), threshold=0.25)
    assert t.tolist() == [250, 250, 500, 500, 750, 750, 1000, 1000]
    assert t[pixel == 0].tolist() == t[pixel == 1].tolist() == [250, 500, 750, 1000]
    assert set(polarity[pixel == 0]) == {0} and set(polarity[pixel == 1]) == {1} and 2 not in pixel


def test_a_pixel_remembers_its_last_event_and_not_the_last_moment():
    t, _, polarity = events.record(
        np.array([[0.0], [0.2], [0.4], [0.25]]), 1000 * np.arange(4), threshold=0.3
    )
    assert t.tolist() == [1500] and polarity.tolist() == [
        1
    ]  # 0.3 above the first moment; 0.05 below it is nothing


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.floats(0.05, 1))
def test_events_tell_the_brightness_up_to_a_threshold(seed, threshold):
    video = np.random.default_rng(seed).normal(size=(6, 2, 3))
    t, pixel, polarity = events.record(video, 10 * np.arange(6), threshold)
    assert (np.diff(t) >= 0).all() and t.min(initial=0) >= 0 and t.max(initial=0) <= 50
    told = threshold * np.bincount(pixel, 2 * polarity - 1, minlength=6)
    assert (np.abs(told - (video[-1] - video[0]).ravel()) < threshold * (1 + 1e-6)).all()


def test_a_camera_that_makes_no_sense():
    one_line(lambda: events.record(np.zeros((2, 1)), np.arange(2), 0.0), "threshold is 0.0")
    one_line(lambda: events.record(np.zeros((2, 1)), np.arange(3), 0.1), "3 times belong to 2 moments")


# Digits before it


def test_a_saccade_goes_along_a_triangle_and_comes_home():
    path = digit_events.saccade(4)
    assert len(path) == len(digit_events.times()) == 61 and digit_events.times()[-1] == 300_000
    assert path[[0, 20, 40, 60]].tolist() == [[0, 0], [0, 4], [4, 2], [0.04, 0]]
    assert (path[:21, 0] == 0).all() and path.min() >= 0 and path.max() <= 4


def test_a_view_is_the_digit_moved():
    digits = np.random.default_rng(0).integers(0, 256, (2, 4, 4)).astype(np.uint8)
    seen = (
        np.exp(digit_events.view(digits, np.array([[0.0, 0.0], [1.0, 2.0], [0.5, 0.0]]))) - digit_events.DARK
    )
    assert seen.shape == (3, 2, 5, 6)
    ink = np.pad(digits / 255, ((0, 0), (0, 1), (0, 2)))
    np.testing.assert_allclose(seen[0], ink, atol=1e-5)
    np.testing.assert_allclose(seen[1], np.roll(ink, (1, 2), (1, 2)), atol=1e-5)
    np.testing.assert_allclose(seen[2], (ink + np.roll(ink, 1, 1)) / 2, atol=1e-5)


def test_a_movement_along_an_edge_does_not_show_it():
    """A horizontal bar: while it moves to the right, only its ends change."""
    bar = torch.zeros(1, 1, 12, 12, dtype=torch.uint8)
    bar[:, :, 5:7, 1:11] = 255
    (found,) = digit_events.record(bar, reach=4)
    t, x, _, polarity = found.T
    assert (np.diff(t) >= 0).all() and t[0] > 0 and t[-1] <= 300_000
    assert x.max() < 16 and set(polarity) == {0, 1}
    inner = (x > 5) & (x < 10)
    assert not (inner & (t <= 100_000)).any() and (inner & (t > 100_000)).any()
    # Home again, all is nearly as it was: as many ON as OFF at each pixel.
    net = np.bincount(found[:, 2] * 16 + x, 2 * polarity - 1)
    assert np.abs(net).max() <= 1


def test_many_digits_are_recorded_as_one(monkeypatch):
    digits = data.digits.load(6)[1].images[:5]
    alone = [digit_events.record(one[None], reach=2)[0] for one in digits]
    monkeypatch.setattr(digit_events, "CHUNK", 2)
    for ours, theirs in zip(digit_events.record(digits, reach=2), alone, strict=True):
        assert np.array_equal(np.sort(ours.view("i8,i8,i8,i8"), 0), np.sort(theirs.view("i8,i8,i8,i8"), 0))


def test_digit_events_are_the_digits_split_and_the_same_again(small):
    assert small.shape == (3, 2, 16, 16) and (small.frames, small.channels) == (3, 2)
    assert small.train_labels.bincount().tolist() == [2] * 10 and len(small.test_labels) == 20
    assert small.train_images.dtype == torch.uint8 and small.describe()["shape"] == [3, 2, 16, 16]
    still = data.load(DataConfig("digits", size=8, train_per_class=2, test_limit=20))
    assert torch.equal(small.train_labels, still.train_labels) and torch.equal(
        small.test_labels, still.test_labels
    )
    assert data.load(SMALL).fingerprint == small.fingerprint
    for other in ({"split_by": "time"}, {"accumulate": "binary"}, {"frames": 4}):
        assert data.load(replace(SMALL, **other)).fingerprint != small.fingerprint


# Frames


def reference(rows, frames, size, split_by, accumulate):
    """One event after another."""
    result = np.zeros((frames, 2, size, size), dtype=int)
    first, last = rows[0, 0], rows[-1, 0]
    for index, (t, x, y, p) in enumerate(rows.tolist()):
        step = index // (len(rows) // frames)
        if split_by == "time":
            step = int((t - first) / ((last - first + 1) / frames))
        if step < frames:
            result[step, p, y, x] += 1
    return result if accumulate == "count" else np.minimum(result, 1)


@pytest.mark.parametrize("accumulate", events.ACCUMULATIONS)
@pytest.mark.parametrize("split_by", events.SPLITS)
@pytest.mark.parametrize("count", [7, 203])
def test_frames_are_those_of_a_plain_loop(count, split_by, accumulate):
    rows = recording(count)
    found = events.to_frames(rows, 7, 6, split_by, accumulate)
    assert np.array_equal(found, reference(rows, 7, 6, split_by, accumulate))


@settings(max_examples=30, deadline=None)
@given(st.integers(10, 99), st.integers(1, 10), st.integers(0, 99))
def test_no_event_is_lost_but_a_remainder(count, frames, seed):
    rows = recording(count, seed=seed)
    by_number = events.to_frames(rows, frames, 6).sum((1, 2, 3))
    assert set(by_number) == {count // frames}
    assert events.to_frames(rows, frames, 6, "time").sum() == count


def test_a_pause_leaves_empty_frames_by_time_and_none_by_number():
    rows = recording(100)
    rows[50:, 0] += 9000
    assert (events.to_frames(rows, 10, 6, "time").sum((1, 2, 3)) == 0).sum() == 8
    assert (events.to_frames(rows, 10, 6, "number").sum((1, 2, 3)) == 10).all()


def test_each_frame_is_divided_by_its_own_largest_value():
    frames = np.zeros((3, 2, 2, 2), dtype=int)
    frames[0, 0, 0, 0], frames[0, 1, 1, 1], frames[1, 1, 0, 1] = 5, 2, 7
    found = events.as_bytes(frames)
    assert found.dtype == np.uint8
    assert (found[0, 0, 0, 0], found[0, 1, 1, 1], found[1, 1, 0, 1]) == (255, 102, 255)
    assert found[2].max() == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: rows.astype(float), "float64 of shape [200, 4]"),
        (lambda rows: rows[:, :3], "shape [200, 3]"),
        (lambda rows: rows[:9], "9 events cannot fill 10 frames"),
        (lambda rows: rows[::-1], "not in order of time"),
        (lambda rows: rows + np.array([0, 3, 0, 0]), "x and y from 0 to 5"),
        (lambda rows: rows + np.array([0, 0, 0, 1]), "polarities 0 or 1"),
    ],
)
def test_what_are_no_events_is_told(change, told):
    one_line(lambda: events.to_frames(change(recording()), 10, 6), told)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"frames": None}, "frames is not set, but digit_events are events"),
        ({"frames": 0}, "frames is 0"),
        ({"name": "digits"}, "frames is 3, but digits are images that do not move"),
        ({"split_by": "space"}, "split_by is 'space'; expected one of number, time"),
        ({"accumulate": "sum"}, "accumulate is 'sum'"),
        ({"stream": True}, "stream is true, but digit_events"),
        ({"size": 3}, "size is 3; expected at least 4"),
        ({"train_per_class": 178}, "train_per_class asks class"),
    ],
)
def test_settings_that_make_no_sense(changes, told):
    one_line(lambda: data.load(replace(SMALL, **changes)), told)


# Batches


def test_batches_put_time_first_and_stay_in_the_unit_interval(small):
    images, labels = next(data.test_batches(small, 5))
    assert images.shape == (3, 5, 2, 16, 16) and images.is_contiguous()
    assert torch.equal(images, small.test_images[:5].transpose(0, 1) / 255)
    assert images.min() == 0 and images.amax((2, 3, 4)).eq(1).all()
    assert torch.equal(labels, small.test_labels[:5])


@pytest.mark.parametrize("name", sorted(AUGMENTATIONS.keys() - {"autoaugment"}))
def test_an_augmentation_treats_all_steps_alike(small, name):
    same = small.train_images[:, :1].expand(-1, 3, -1, -1, -1).contiguous()
    images, _ = next(batches(replace(small, train_images=same), 20, seed=0, epoch=0, augment=(name,)))
    plain, _ = next(batches(replace(small, train_images=same), 20, seed=0, epoch=0))
    assert torch.equal(images[0], images[1]) and torch.equal(images[0], images[2])
    assert not torch.equal(images, plain)


def test_roll_moves_in_a_circle_by_up_to_five_pixels_of_48():
    images = torch.randint(256, (500, 4, 48, 48), dtype=torch.uint8)
    draws = torch.rand(500, 2)
    found, shifts = roll(images, draws), (draws * 11).long() - 5
    assert set(shifts.flatten().tolist()) == set(range(-5, 6))
    for before, after, shift in zip(images[:50], found[:50], shifts[:50].tolist(), strict=True):
        assert torch.equal(after, before.roll(shift, (1, 2)))


def test_photographs_policy_is_refused(small):
    one_line(lambda: batches(small, 5, seed=0, epoch=0, augment=("autoaugment",)), "not for event frames")


# Networks


def build(name, small, network=NETWORK, **options):
    torch.manual_seed(0)
    return trainers.build_method(name, trainers.METHODS[name].Config(**options), network, small)


def test_time_is_in_the_data(small):
    wrong = replace(NETWORK, time_steps=4)
    one_line(lambda: build("tet", small, wrong), "digit_events has 3 frames and network.time_steps is 4")
    method = build("direct", small)
    found = scalability(method.network, small, (1, 2), moments=3)
    assert list(found["integrated"]) == [1, 2] and list(found["moments"]) == [1, 2, 3]
    one_line(
        lambda: scalability(method.network, small, (4,), moments=1), "4 steps on digit_events with 3 frames"
    )


def test_the_stem_sees_each_frame_and_a_moment_none_that_follow(small):
    network = build_snn(NETWORK, 10, 2).eval()
    frames = 5 * next(data.test_batches(small, 4))[0]  # bright enough for a fresh network
    later = frames.clone()
    later[2] = frames[2].flip(-1)
    a, b = (network.features(x)[0] for x in (frames, later))
    assert torch.equal(a[:2], b[:2]) and not torch.equal(a[2], b[2])
    resting = network.features(frames[:1].expand(3, -1, -1, -1, -1))[0]
    assert resting.any() and torch.equal(resting, network.features(frames[0])[0])


def test_training_resumes_to_the_same_weights(small, tmp_path):
    recipe = Recipe(epochs=2, batch_size=10, augment=("roll",), test_every=2)
    through = build("tet", small, lam=0.001)
    history = fit(through, small, recipe, seed=0, progress=False)
    assert len(history.accuracy["snn"]) == 1 and history.losses["tet"][1] < history.losses["tet"][0]

    class Killed(Exception):
        pass

    def kill(history):
        raise Killed

    options = dict(seed=0, progress=False, checkpoint=tmp_path / "checkpoint.pt")
    with pytest.raises(Killed):
        fit(build("tet", small, lam=0.001), small, recipe, on_epoch=kill, **options)
    resumed = build("tet", small, lam=0.001)
    again = fit(resumed, small, recipe, **options)
    assert again.losses == history.losses
    for name, tensor in through.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name])


def test_a_record_counts_recordings_and_not_frames(small):
    method = build("tet", small, lam=0.001)
    found = measure(method, small, AnalysisConfig(time_steps=(3,), moments=3, landscape=5, images=10))
    snn = found["snn"]
    assert snn["time_steps"] == 3 and 0 < snn["firing_rate"] < 1
    assert len(snn["landscape"]["sdt"]) == 5


@pytest.mark.parametrize("accumulate", events.ACCUMULATIONS)
def test_the_stem_counts_at_every_step_and_adds_where_frames_are_masks(accumulate):
    small = data.load(replace(SMALL, accumulate=accumulate))
    method = build("direct", small).eval()
    images, labels = next(data.test_batches(small, 8))
    seen = observe(method.backbones()["snn"], lambda: method.predict(images), len(labels))
    stem = seen.layers["stem.0"]
    assert stem.operations == 2 * 2 * 9 * 16 * 16 * 3  # weights, positions, steps
    assert stem.binary == (accumulate == "binary") and seen.time_steps == 3


def test_the_landscape_splits_recordings_and_not_time(small):
    network = build_snn(NETWORK, 10, 2)
    images, labels = next(data.test_batches(small, 20))
    whole, parts = (
        landscape(network, images, labels, {"sdt": sdt}, points=3, radius=0.1, batch_size=n) for n in (20, 7)
    )
    torch.testing.assert_close(whole.losses["sdt"], parts.losses["sdt"], atol=1e-6, rtol=1e-5)


def test_a_network_without_time_sees_the_mean_frame(small):
    images, labels = next(data.test_batches(small, 4))
    ann = build("direct", small, train="ann").eval()
    torch.testing.assert_close(ann.predict(images)["ann"], ann.network(images.mean(0)))
    joint = build("joint", small).eval()
    torch.testing.assert_close(joint.predict(images)["ann"], joint.ann(images.mean(0))[0][-1])
    assert set(joint.train()(images, labels)) >= {"ce", "kld"}


def test_snntorch_is_given_a_frame_at_a_step(small):
    images, _ = next(data.test_batches(small, 4))
    method = build("snntorch", small, replace(NETWORK, name="resnet18")).eval()
    outputs = method.outputs(images)
    later = images.clone()
    later[2] = 0
    assert outputs.shape == (3, 4, 10) and torch.equal(method.outputs(later)[:2], outputs[:2])


# CIFAR10-DVS

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
