"""Files that are not whole, or not what their ending says: one line, or the events up to there and no others."""

import io
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import event_files
from bad_input import one_line
from event_files import made
from snnbook.data.events import read
from snnbook.data.events.reading import SUFFIXES
from snnbook.errors import UserError

BIG = (346, 260)
CUT = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def eventcv():
    return pytest.importorskip("eventcv", reason="eventcv, of the extra events, is not installed")


def saved(rows, path, eventcv):
    eventcv.save(eventcv.from_numpy(rows[:, [1, 2, 0, 3]], sensor_size=BIG, time_unit="us"), str(path))
    return path.read_bytes()


def events_or_one_line(path, content, rows):
    """How many were read, the first ones of the rows; None if the file was refused."""
    path.write_bytes(content)
    try:
        found = read(path, BIG, sort=True).rows()
    except UserError as error:
        assert "\n" not in str(error) and len(str(error)) < 400
        return None
    assert np.array_equal(found, rows[: len(found)])
    return len(found)


@CUT
@given(kind=st.sampled_from(["evt2", "evt3", "dat"]), share=st.floats(0, 1))
def test_what_was_cut_off_is_told_unless_it_ends_with_an_event(tmp_path, eventcv, kind, share):
    rows = made(40, BIG, 60_000, start=4096)
    content = getattr(event_files, kind)(rows)
    body = content.index(b"% end\n") + 6 if kind != "dat" else content.rindex(b"\n") + 3
    path, place = tmp_path / ("a.dat" if kind == "dat" else "a.raw"), round(share * len(content))
    word = {"evt2": 4, "evt3": 2, "dat": 8}[kind]
    found = events_or_one_line(path, content[:place], rows)
    assert found is None or (place >= body and (place - body) % word == 0) or content[:place].endswith(b"\n")


@CUT
@given(share=st.floats(0, 1))
def test_an_aedat4_has_all_its_events_or_none(tmp_path, eventcv, share):
    rows = made(400, BIG, 60_000)
    content = saved(rows, tmp_path / "a.aedat4", eventcv)
    place = round(share * len(content))
    found = events_or_one_line(tmp_path / "a.aedat4", content[:place], rows)
    assert found == 400 if place == len(content) else found in (400, None)  # behind them is a table


def test_an_aedat4_without_a_table_ends_with_a_packet(tmp_path, eventcv):
    """As a recorder leaves it that was stopped: the table's place is -1, and there is none."""
    rows = made(400, BIG, 60_000)
    content = saved(rows, tmp_path / "a.aedat4", eventcv)
    (length,) = struct.unpack_from("<I", content, 14)
    packets = 18 + length
    end = packets + 8 + struct.unpack_from("<i", content, packets + 4)[0]
    place = content.index(struct.pack("<q", end), 18, packets)
    stopped = content[:place] + struct.pack("<q", -1) + content[place + 8 : end]
    assert events_or_one_line(tmp_path / "b.aedat4", stopped, rows) == 400
    assert events_or_one_line(tmp_path / "b.aedat4", stopped[:-1], rows) is None
    assert events_or_one_line(tmp_path / "b.aedat4", stopped + b"123", rows) is None


def test_a_part_of_an_archive_is_no_recording(tmp_path):
    content, rows = io.BytesIO(), made(40, BIG)
    np.savez(content, **dict(zip("txyp", rows.T, strict=True)), width=346, height=260)
    whole = content.getvalue()
    assert events_or_one_line(tmp_path / "a.npz", whole, rows) == 40
    for place in range(0, len(whole), 37):
        assert events_or_one_line(tmp_path / "a.npz", whole[:place], rows) is None


@pytest.mark.parametrize("suffix", [name for name in SUFFIXES if name != ".es"])
def test_text_under_another_name(tmp_path, suffix):
    if suffix == ".h5":
        pytest.importorskip("h5py")
    if suffix in (".raw", ".dat", ".aedat4"):
        pytest.importorskip("eventcv")
    path = tmp_path / f"a{suffix}"
    path.write_text("t,x,y,p\n" + "12345,17,34,1\n" * 50)
    one_line(lambda: read(path, BIG, sort=True), f"a{suffix} (", "expected a whole file of that format")


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (b"% evt 2.1\n% geometry 346x260\n% end\n", "EVT 2.1; expected EVT 2 or EVT 3"),
        (b"% format EVT21;height=260;width=346\n% end\n", "EVT 21;"),
        (b"% evt 4.0\n% end\n", "EVT 4.0;"),
        (b"% evt 2.0\n% format EVT3\n% end\n", "EVT 2.0 and 3;"),
        (b"% date 2026-01-01\n% end\n", "EVT none;"),
        (b"% evt 2.0\n% geometry 346x26", "ends within its header"),
        (b"", "has no header"),
    ],
)
def test_encodings_that_are_another(tmp_path, eventcv, head, told):
    """eventcv takes the 64-bit words of EVT 2.1 for EVT 2, and finds events in them."""
    path = tmp_path / "a.raw"
    path.write_bytes(head + (b"" if b"26" in head[-3:] else struct.pack("<4Q", *range(4))))
    one_line(lambda: read(path, BIG, sort=True), told)


def test_a_dat_file_of_triggers_holds_no_events(tmp_path, eventcv):
    content = bytearray(event_files.dat(made(10, BIG)))
    content[content.rindex(b"\n") + 1] = 0x0E
    (tmp_path / "a.dat").write_bytes(content)
    one_line(lambda: read(tmp_path / "a.dat"), "events of type 0x0e")


@pytest.mark.parametrize("kind", ["evt3", "evt2"])
def test_a_quiet_camera_s_clock_goes_on(tmp_path, eventcv, kind):
    """EVT3's clock has 24 bits, 17 seconds; eventcv sees that it ran over if events are at both of its ends."""
    rows = made(200, BIG, 120_000_000)
    (tmp_path / "a.raw").write_bytes(getattr(event_files, kind)(rows))
    assert np.array_equal(read(tmp_path / "a.raw").rows(), rows)


@pytest.mark.parametrize("name", ["a.npz", "a.h5"])
@pytest.mark.parametrize("form", ["columns", "fields", "none"])
def test_arrays_in_columns_or_fields(tmp_path, name, form):
    rows = made(0 if form == "none" else 30, BIG)
    kinds = dict(t=np.uint32, x=np.uint16, y=np.uint16, p=bool)
    content = {key: rows[:, i].astype(kind) for i, (key, kind) in enumerate(kinds.items())}
    if form == "fields":
        fields = np.zeros(len(rows), list(kinds.items()))
        for key, values in content.items():
            fields[key] = values
        content = {"events": fields}
    if form == "none":
        content = {key: np.array([]) for key in content}  # numbers of a type that says nothing
    if name == "a.npz":
        np.savez(tmp_path / name, **content)
    else:
        with pytest.importorskip("h5py").File(tmp_path / name, "w") as file:
            for key, values in content.items():
                file[key] = values
    assert np.array_equal(read(tmp_path / name, BIG).rows(), rows)


def test_what_is_not_there_is_no_torn_file(tmp_path):
    (tmp_path / "a.npz").symlink_to(tmp_path / "gone")
    one_line(lambda: read(tmp_path / "a.npz", BIG), "No such file")
