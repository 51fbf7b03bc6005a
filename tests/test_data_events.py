"""Event data: what a camera puts out, how it is cut into frames, and batches of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bad_input import one_line
from event_cases import SMALL, recording
from snnbook import data
from snnbook.data import DataConfig, batches, digit_events, events
from snnbook.data.augment import AUGMENTATIONS, roll

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


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"threshold": float("nan")}, ("threshold is nan", "above 0")),
        ({"threshold": "0.1"}, ("threshold is '0.1'",)),
        ({"video": [[-np.inf], [0.0], [1.0]]}, ("video holds -inf", "add a ground brightness")),
        ({"video": [[0.0], [np.nan], [1.0]]}, ("video holds nan", "above 0")),
        ({"video": [[0.0], [1.0, 2.0], [1.0]]}, ("video cannot become an array",)),
        ({"video": 3.0}, ("3 times belong to 0 moments",)),
        ({"video": [], "times": []}, ("0 times belong to 0 moments",)),
        ({"times": [2000, 1000, 0]}, ("times fall", "sort")),
        ({"times": [0, 1000, np.inf]}, ("no finite numbers",)),
        ({"times": [[0], [1], [2]]}, ("times [K]",)),
    ],
)
@pytest.mark.filterwarnings("error")
def test_what_no_camera_sees_is_told(change, told):
    given = {"video": [[0.0], [1.0], [0.0]], "times": [0, 1000, 2000], "threshold": 0.1}
    one_line(lambda: events.record(**given | change), *told)


def test_lists_are_recorded_as_arrays():
    video, times = [[0.0], [1.0], [0.5]], [0, 1000, 1000]  # two moments may have one time
    ours, theirs = events.record(video, times, 0.1), events.record(np.array(video), np.array(times), 0.1)
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert len(ours[0]) == 15 and (np.diff(ours[0]) >= 0).all()


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
        (lambda rows: rows + np.array([0, 3, 0, 0]), "expected x from 0 to 5"),
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
