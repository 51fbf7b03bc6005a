"""Files of events, written by hand from the formats' descriptions, read back."""

import sys
from importlib import import_module

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import event_files
from bad_input import one_line
from event_files import made
from snnbook.data import cifar10_dvs
from snnbook.data.events import Events, formats, read, to_frames
from snnbook.errors import UserError

BIG = (346, 260)


def put(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    return path


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 50), st.integers(0, 99), st.integers(1, 2**20), st.integers(1, 9))
def test_bytes_become_the_events_they_were(count, seed, span, block):
    rows = made(count, (34, 34), span, seed)
    assert np.array_equal(np.stack(formats.nmnist(event_files.nmnist(rows))[:4], 1), rows)
    late = rows + np.array([2**31 - span // 2, 0, 0, 0])  # the clock's 31 bits run over within
    found = formats.aedat(event_files.aedat3(late, block))
    assert np.array_equal(np.stack(found[:4], 1), late) and found.sensor == (128, 128)
    found = formats.aedat(event_files.aedat2(rows))
    assert np.array_equal(np.stack(found[:4], 1), rows) and found.sensor == (128, 128)


def test_a_dvs128_sends_zero_for_on_and_counts_from_the_lower_right(tmp_path):
    """As jAER's ``DVS128.Extractor`` has it, and libcaer's translator of what comes over USB."""
    address = 3 << 8 | 10 << 1 | 0
    content = event_files.DVS128 + address.to_bytes(4, "big") + (7).to_bytes(4, "big")
    assert read(put(tmp_path, "a.aedat", content)).rows().tolist() == [[7, 117, 124, 1]]


def test_the_marker_of_a_clock_that_ran_over_is_no_event(tmp_path):
    rows = made(200, (34, 34), 300_000)
    content = event_files.nmnist(rows)
    assert len(content) == 5 * (200 + rows[-1, 0] // 8192)
    found = read(put(tmp_path, "a.bin", content), 34)
    assert (
        found.y.max() < 34
        and found.t[-1] == rows[-1, 0]
        and to_frames(found, 10, split_by="time").sum() == 200
    )


def test_aedat2_knows_its_chip_and_what_is_no_event(tmp_path):
    rows = made(30, (128, 128))
    content = bytearray(event_files.aedat2(rows))
    begin = len(event_files.DVS128)
    content[begin + 2] |= 0x80  # bit 15: from outside
    assert len(read(put(tmp_path, "a.aedat", content))) == 29
    davis = event_files.DVS128.replace(b"retina.DVS128", b"retina.Tmpdiff128")
    other = event_files.aedat2(rows, davis)
    one_line(lambda: read(put(tmp_path, "b.aedat", other)), "Tmpdiff128", "expected a DVS128")
    content[begin] |= 0x80  # as a DAVIS has it
    one_line(lambda: read(put(tmp_path, "c.aedat", content)), "bits that a DVS128 has not")
    wraps = made(20, (128, 128), 1000, start=2**32 - 500)
    found = read(put(tmp_path, "d.aedat", event_files.aedat2(wraps)))
    assert np.array_equal(np.diff(found.t), np.diff(wraps[:, 0]))


@pytest.mark.parametrize("name", ["a.npz", "a.h5"])
def test_arrays_of_one_s_own(tmp_path, name):
    path, (t, x, y, p) = tmp_path / name, made(30, BIG).T

    def write(group="", **arrays):
        if name.endswith("npz"):
            np.savez(path, **arrays)
            return
        with pytest.importorskip("h5py").File(path, "w") as content:
            for key, values in arrays.items():
                content[group + key] = values

    write("events/", t=t.astype(np.uint32), x=x.astype(np.uint16), y=y, p=p > 0)
    one_line(lambda: read(path), "does not tell its sensor's size", "sensor=(width, height)")
    assert np.array_equal(read(path, BIG).rows(), made(30, BIG))
    write(t=t, x=x, y=y, polarity=2 * p - 1, width=346, height=260)
    assert np.array_equal(read(path).rows(), made(30, BIG)) and read(path).sensor == BIG
    one_line(lambda: read(path, (260, 346)), "given as 260x346 and its file says 346x260")
    write(t=t[::-1], x=x, y=y, p=p, width=346, height=260)
    one_line(lambda: read(path), str(path)[-20:], "not in order of time", "sort=True")
    assert np.array_equal(read(path, sort=True).t, t)
    write(t=t, x=x, y=y)
    one_line(lambda: read(path, BIG), "it has no p but t, x, y")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.bin", b"1234567", "multiple of 5"),
        ("a.aedat", b"", "AEDAT of version unknown"),
        ("a.aedat", b"#!AER-DAT1.0\r\n", "version 1.0"),
        ("a.aedat", b"#!AER-DAT2.0", "does not end"),
        ("a.aedat", event_files.DVS128 + b"123", "multiple of 8"),
        ("a.aedat", event_files.aedat3(made(9))[:-3], "3 bytes too early"),
        ("a.aedat", event_files.aedat3(made(9)) + b"12345", "too early"),
        ("a.aedat", event_files.GESTURE + b"\1\0\1\0" + b"\xff" * 24, "makes no sense"),
        ("a.npz", b"junk", "cannot read events"),
        ("a.h5", b"junk", "a.h5"),
        ("a.es", b"Event Stream", "np.savez"),
        ("a.xyz", b"", "has no known format"),
        ("a.npz", b"\x93NUMPY\x01\0junk", "cannot read events"),
        ("a.raw", b"junk", "a.raw"),
        ("a.dat", b"", "a.dat"),
        ("a.aedat4", b"junk", "a.aedat4"),
    ],
)
def test_bad_files_are_one_line_each(tmp_path, name, content, told):
    if name.endswith("h5"):
        pytest.importorskip("h5py")
    one_line(lambda: read(put(tmp_path, name, content), 34), "eventcv" if missing(name) else told)
    one_line(lambda: read(tmp_path / f"none{name}", 34), f"none{name}" if not missing(name) else "eventcv")
    one_line(lambda: read(tmp_path, 34), "a folder")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.sampled_from(["nmnist", "aedat2", "aedat3", "npz"]))
def test_whatever_is_damaged_is_events_or_one_line(tmp_path, draw, kind):
    rows = made(20, (34, 34))
    if kind == "npz":
        np.savez(tmp_path / "whole.npz", **dict(zip("txyp", rows.T, strict=True)), width=34, height=34)
        content = bytearray((tmp_path / "whole.npz").read_bytes())
    else:
        content = bytearray(getattr(event_files, kind)(rows))
    for _ in range(draw.draw(st.integers(1, 3))):
        place = draw.draw(st.integers(0, len(content) - 1))
        content[place : place + draw.draw(st.integers(0, 2))] = draw.draw(st.binary(max_size=3))
    content = content[: draw.draw(st.integers(0, len(content)) | st.just(len(content)))]
    path = put(tmp_path, {"nmnist": "a.bin", "npz": "a.npz"}.get(kind, "a.aedat"), content)
    try:
        found = read(path, {"nmnist": 34, "npz": None}.get(kind, 128), sort=True)
    except UserError as error:
        assert "\n" not in str(error) and len(str(error)) < 400
    else:
        assert (np.diff(found.t) >= 0).all() and (not len(found) or found.x.max() < found.sensor[0])


def missing(name):
    from importlib.util import find_spec

    return name.endswith((".raw", ".dat", ".aedat4")) and find_spec("eventcv") is None


@pytest.mark.parametrize("name", ["a.raw", "a.h5"])
def test_what_is_not_installed_is_told(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "eventcv" if name == "a.raw" else "h5py", None)
    one_line(lambda: read(put(tmp_path, name, b"")), "cannot be imported", "pip install -e '.[events]'")


@pytest.mark.parametrize("written", ["evt2", "evt3", "dat"])
def test_eventcv_is_told_the_unit_and_the_sensor(tmp_path, written):
    pytest.importorskip("eventcv", reason="eventcv, of the extra events, is not installed")
    rows, name = made(300, BIG, 60_000, start=4096), "a.dat" if written == "dat" else "a.raw"
    path = put(tmp_path, name, getattr(event_files, written)(rows))
    found = read(path)
    assert found.sensor == BIG and np.array_equal(found.rows(), rows)
    one_line(lambda: read(path, (640, 480)), "given as 640x480 and its file says 346x260")
    if written != "dat":  # a header that does not tell the sensor
        path = put(tmp_path, name, getattr(event_files, written)(rows, b""))
        one_line(lambda: read(path), "does not tell its sensor's size")
        assert np.array_equal(read(path, BIG).rows(), rows)
        one_line(lambda: read(path, (100, 100)), "on a sensor of 100x100")  # eventcv would leave them out


def test_eventcv_reads_aedat4(tmp_path):
    eventcv = pytest.importorskip("eventcv", reason="eventcv, of the extra events, is not installed")
    rows = made(300, BIG, 60_000)
    columns = rows[:, [1, 2, 0, 3]]
    eventcv.save(eventcv.from_numpy(columns, sensor_size=BIG, time_unit="us"), str(tmp_path / "a.aedat4"))
    found = read(tmp_path / "a.aedat4")
    assert found.sensor == BIG and np.array_equal(found.rows(), rows)


def test_eventcv_reads_a_davis(tmp_path):
    eventcv = pytest.importorskip("eventcv", reason="eventcv, of the extra events, is not installed")
    rows = made(300, BIG, 60_000)
    stream = eventcv.from_numpy(rows[:, [1, 2, 0, 3]], sensor_size=BIG, time_unit="us")
    eventcv.save(stream, str(tmp_path / "a.aedat"))
    found = read(tmp_path / "a.aedat")
    assert found.sensor == BIG and np.array_equal(found.rows(), rows)


def test_a_dat_file_goes_on_after_72_minutes(tmp_path):
    pytest.importorskip("eventcv", reason="eventcv, of the extra events, is not installed")
    rows = made(50, BIG, 1000, start=2**32 - 500)
    found = read(put(tmp_path, "a.dat", event_files.dat(rows)))
    assert np.array_equal(found.rows(), rows)


def spikingjelly(module):
    pytest.importorskip("spikingjelly")
    cifar10_dvs._reader()  # which imports it beside any torchaudio
    return import_module(f"spikingjelly.datasets.{module}")


def test_spikingjelly_reads_the_same_gesture_file(tmp_path):
    rows = made(50, (128, 128))
    path = put(tmp_path, "a.aedat", event_files.aedat3(rows))
    theirs = spikingjelly("utils").load_aedat_v3(path)
    # It takes those that are marked invalid, too.
    known = set(map(tuple, rows))
    valid = [tuple(row) in known for row in np.stack([theirs[key] for key in "txyp"], 1)]
    assert np.array_equal(np.stack([theirs[key][valid] for key in "txyp"], 1), rows)
    assert isinstance(read(path), Events) and np.array_equal(read(path).rows(), rows)


def test_spikingjelly_reads_the_same_nmnist_file_until_its_clock_runs_over(tmp_path):
    rows = made(50, (34, 34), 30_000)
    early = rows[rows[:, 0] < 8192]
    theirs = spikingjelly("utils").load_ATIS_bin(put(tmp_path, "a.bin", event_files.nmnist(early)))
    assert np.array_equal(np.stack([theirs[key] for key in "txyp"], 1).astype(int), early) and len(early) < 50
    theirs = spikingjelly("utils").load_ATIS_bin(put(tmp_path, "a.bin", event_files.nmnist(rows)))
    assert (np.asarray(theirs["y"]) == 240).sum() == 3 and len(read(tmp_path / "a.bin", 34)) == 50


def test_spikingjelly_shows_cifar10_dvs_otherwise(tmp_path):
    rows = made(50, (128, 128))
    path = put(tmp_path, "a.aedat", event_files.aedat2(rows))
    theirs = spikingjelly("cifar10_dvs")._load_origin_data(path)
    columns = [np.asarray(theirs[key]).astype(np.int64) for key in "txyp"]
    shown = torch.from_numpy(to_frames(np.stack(columns, 1), 2, 128))
    assert np.array_equal(cifar10_dvs.as_the_sensor(shown), to_frames(read(path), 2))
    assert not np.array_equal(shown, to_frames(read(path), 2))
