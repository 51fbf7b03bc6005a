"""A lock is its holder's, and the system's when the holder is gone."""

import errno
import fcntl
import os
import subprocess
import sys

import pytest

from bad_input import one_line
from snnbook import files
from snnbook.files import HeldError


def enter(path, patience=0.0):
    with files.hold(path, "this run", patience):
        pass


def test_a_lock_is_free_when_its_holder_was_killed(tmp_path):
    code = "import sys, time; from pathlib import Path; from snnbook.files import hold\n"
    code += "with hold(Path(sys.argv[1]), 'this run'): print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "lock"], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    with open(tmp_path / "lock") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    one_line(lambda: enter(tmp_path / "lock", 0.2), f"process {holder.pid} on ", "is at this run already")
    holder.kill()
    holder.wait()
    with files.hold(tmp_path / "lock", "this run", patience=2):
        assert (tmp_path / "lock.holder").read_text().startswith(f"process {os.getpid()} on ")
    assert not (tmp_path / "lock.holder").exists()


def test_the_body_may_fail_and_what_it_raises_is_its_own(tmp_path):
    for error in (OSError("mine"), TimeoutError("mine"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught, files.hold(tmp_path / "new/lock", "this run"):
            raise error
        assert caught.value is error
        enter(tmp_path / "new/lock")


@pytest.mark.parametrize("left", [None, "", b"\xff\xfe\x00\n\nprocess", "x" * 999, "folder"])
def test_a_name_that_cannot_be_read_is_no_trouble(tmp_path, left):
    path = tmp_path / "lock.holder"
    with files.hold(tmp_path / "lock", "this run"):
        path.unlink()
        if left == "folder":
            path.mkdir()
        elif left is not None:
            path.write_bytes(left if isinstance(left, bytes) else left.encode())
        one_line(lambda: enter(tmp_path / "lock"), "is at this run already")
        with pytest.raises(HeldError):
            enter(tmp_path / "lock")
    enter(tmp_path / "lock")


def refuse(number):
    def call(*_, **__):
        raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EIO])
def test_a_disk_without_locks_is_told_at_once(tmp_path, monkeypatch, number):
    monkeypatch.setattr(fcntl, "flock", refuse(number))
    one_line(lambda: enter(tmp_path / "lock", float("inf")), os.strerror(number), "choose a folder")


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_folder_that_cannot_be_written_is_told_at_once(tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "open", refuse(number))
    one_line(lambda: enter(tmp_path / "lock", float("inf")), os.strerror(number), "choose a folder")


def test_what_stands_in_the_way_is_told_at_once(tmp_path):
    (tmp_path / "lock").mkdir()
    (tmp_path / "file").touch()
    one_line(lambda: enter(tmp_path / "lock"), "cannot lock", "Is a directory")
    one_line(lambda: enter(tmp_path / "file/lock"), "cannot lock", "file/lock")


def test_a_lock_is_what_failed_and_not_the_next_card(tmp_path, monkeypatch):
    """Where no lock can be had at all, no card is waited for."""
    from snnbook.experiments.matrix import cards

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(cards, "cards", lambda: ["GPU-0", "GPU-1"])
    monkeypatch.setattr(fcntl, "flock", refuse(errno.ENOLCK))

    def enter():
        with cards.own_card():
            pytest.fail("a card without a lock")

    one_line(enter, "cannot lock", "No locks available")
