"""Recordings as whole numbers, and frames whose sum is what went in."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bad_input import one_line
from event_files import made
from snnbook.data.events import Events, as_bytes, cut, pad, to_frames

WIDE = (7, 4)
ROWS = made(40, WIDE)
WAYS = ("number", "time", "10 ms", "999us", "3 s")
recordings = st.builds(
    lambda times, width, height, seed, start: Events.of(
        np.stack(
            [
                start + np.sort(np.array(times)),
                *(np.random.default_rng(seed).integers(0, n, len(times)) for n in (width, height, 2)),
            ],
            axis=1,
        ),
        (width, height),
    ),
    st.lists(st.integers(0, 2**40), min_size=1, max_size=30),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(0, 99),
    st.sampled_from([0, -5, 2**31 - 7, 2**32 - 7, 10**15]),
)


@settings(max_examples=60, deadline=None)
@given(recordings, st.integers(1, 12), st.sampled_from(WAYS))
def test_every_event_is_in_one_frame_or_among_those_left_out(events, frames, way):
    if len(events) < frames and way in ("number", "time"):
        one_line(lambda: cut(events, frames, split_by=way), "cannot fill")
        return
    found, dropped = cut(events, frames, split_by=way)
    assert found.shape == (frames, 2, *events.sensor[::-1]) and found.min() >= 0
    assert found.sum() + dropped == len(events)
    kept = len(events) - dropped
    place = (events.polarity * events.sensor[1] + events.y) * events.sensor[0] + events.x
    assert np.array_equal(found.sum(0).ravel(), np.bincount(place[:kept], minlength=found[0].size))
    assert dropped == 0 if way == "time" else dropped < frames or way != "number"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 10**5), min_size=1, max_size=30), st.integers(1, 5000))
def test_windows_are_as_long_as_they_say(times, length):
    rows = np.zeros((len(times), 4), int)
    rows[:, 0] = np.sort(times)
    found = to_frames(rows, None, 1, f"{length} us").sum((1, 2, 3))
    assert found.tolist() == np.bincount((rows[:, 0] - rows[0, 0]) // length).tolist() and found[-1] > 0
    longer = to_frames(rows, len(found) + 2, 1, f"{length} us").sum((1, 2, 3))
    assert longer.tolist() == [*found, 0, 0]  # the rest is empty
    short, dropped = cut(rows, 1, 1, f"{length} us")
    assert short.sum() == found[0] and dropped == found[1:].sum()


@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "u2", "i4", "u4", "u8", ">u4", ">i2"])
@pytest.mark.parametrize("way", ["number", "time", "1 ms"])
def test_the_type_of_the_numbers_changes_nothing(kind, way):
    few = ROWS.copy()
    few[:, 0] = np.sort(np.arange(40) % 120)
    expected = to_frames(few, 5, WIDE, way)
    assert np.array_equal(to_frames(few.astype(kind), 5, WIDE, way), expected)
    found = Events(*(column.astype(kind) for column in few.T), WIDE)
    assert all(column.dtype == np.int64 for column in (found.t, found.x, found.y, found.polarity))
    assert np.array_equal(to_frames(found, 5, split_by=way), expected)


def test_four_hundred_seconds_of_uint32_are_cut_as_those_of_int64():
    t = np.linspace(0, 400_000_000, 50)
    rows = np.zeros((50, 4), np.int64)
    rows[:, 0] = t
    for kind in (np.uint32, np.int32, np.uint64):
        assert to_frames(rows.astype(kind), 10, 1, "time").sum((1, 2, 3)).tolist() == [5] * 10


def test_polarities_are_told_apart_however_they_are_written():
    expected = ROWS[:, 3]
    for written in (
        expected > 0,
        2 * expected - 1,
        (2 * expected - 1).astype(np.int8),
        expected.astype(np.uint8),
    ):
        assert np.array_equal(Events(*ROWS.T[:3], written, WIDE).polarity, expected)
    ones = np.ones(40, int)
    assert (
        Events(*ROWS.T[:3], -ones, WIDE).polarity.sum() == 0
        and Events(*ROWS.T[:3], ones, WIDE).polarity.all()
    )
    for wrong in (ones - expected - 1 + 0, ones * 2, expected - 2):
        mixed = wrong.copy()
        mixed[:2] = (-1, 0)
        one_line(lambda mixed=mixed: Events(*ROWS.T[:3], mixed, WIDE), "polarities", "-1 and +1")


@pytest.mark.parametrize("kind", [np.uint8, np.uint64, np.int64])
def test_what_is_out_of_order_is_refused_or_sorted_with_a_word(kind):
    t = np.array([5, 9, 7, 7, 12], kind)
    x = np.arange(5)
    columns = (t, x, np.zeros(5, int), x % 2)
    one_line(lambda: Events(*columns, 5), "not in order of time", "number 2 is 2 us", "in_order")
    found = Events.in_order(*columns, (5, 1))
    assert found.t.tolist() == [5, 7, 7, 9, 12] and found.x.tolist() == [0, 2, 3, 1, 4]
    later = np.array([5_000_000, 3, 4, 5, 6])
    one_line(lambda: Events.in_order(later, *columns[1:], 5), "5,000,000 to 3", "began anew")


@pytest.mark.parametrize(
    ("columns", "sensor", "told"),
    [
        ((ROWS[:, 0] / 1e6, *ROWS.T[1:]), WIDE, "np.rint(1e6 * t)"),
        ((ROWS[:9, 0], *ROWS.T[1:]), WIDE, "[9, 40, 40, 40]"),
        (ROWS.T, (4, 7), "sensor of 4x7"),
        (ROWS.T, (7, 4, 2), "expected its width and height"),
        (ROWS.T, (0, 4), "a side of the sensor is 0"),
        ((np.full(40, 2**63, np.uint64), *ROWS.T[1:]), WIDE, "less than 2**63"),
        (([[1]], [0], [0], [0]), WIDE, "shape [1, 1]"),
        ((*ROWS.T[:2], ROWS[:, 2] - 1, ROWS[:, 3]), WIDE, "y reaches from -1"),
        ((["a"], [0], [0], [0]), WIDE, "t is <U1"),
    ],
)
def test_what_is_no_recording_is_told(columns, sensor, told):
    one_line(lambda: Events(*columns, sensor), told)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"split_by": "0 ms"}, "a window such as '10 ms'"),
        ({"split_by": 10}, "split_by is 10"),
        ({"frames": None}, "frames is None"),
        ({"size": None}, "size is not given"),
        ({"events": Events.of(ROWS, WIDE), "size": 7}, "sensor 7x4; leave size out"),
        ({"frames": 0}, "frames is 0"),
        ({"frames": 2**40, "split_by": "1 us"}, "at hand"),
    ],
)
def test_cuts_that_make_no_sense(options, told):
    one_line(lambda: to_frames(**{"events": ROWS, "frames": 3, "size": WIDE, **options}), told)
    one_line(lambda: to_frames(Events.of(ROWS[:0], WIDE), None, split_by="1 ms"), "0 events")
    far = np.array([[-(2**62), 0, 0, 0], [2**62, 0, 0, 0]])
    one_line(lambda: to_frames(far, 2, 1, "time"), "another unit")


def test_a_part_in_time_is_half_open():
    events = Events.of(ROWS, WIDE)
    start, stop = int(events.t[3]), int(events.t[20])
    part = events.between(start, stop)
    assert np.array_equal(part.rows(), ROWS[(ROWS[:, 0] >= start) & (ROWS[:, 0] < stop)])


def test_recordings_of_different_lengths_are_padded_at_the_end():
    parts = [as_bytes(to_frames(made(30, WIDE, span, 1), None, WIDE, "1 ms")) for span in (2000, 5000, 900)]
    padded, lengths = pad(parts)
    assert lengths.tolist() == [len(part) for part in parts] and padded.shape == (3, max(lengths), 2, 4, 7)
    for whole, part in zip(padded, parts, strict=True):
        assert np.array_equal(whole[: len(part)], part) and not whole[len(part) :].any()
    one_line(lambda: pad([]), "none")
    one_line(lambda: pad([parts[0], parts[0][..., :3]]), "expected one sensor")
