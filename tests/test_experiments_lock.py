"""A lock is its holder's, and the system's when the holder is gone."""

import fcntl
import os
import subprocess
import sys

import pytest

from snnbook.experiments.runs import lock


def test_a_lock_is_free_when_its_holder_was_killed(tmp_path):
    code = "import sys, time; from pathlib import Path; from snnbook.experiments.runs.lock import hold\n"
    code += "with hold(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "lock"], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    with open(tmp_path / "lock") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    holder.kill()
    holder.wait()
    with lock.hold(tmp_path / "lock", patience=2):
        assert (tmp_path / "lock").read_text().startswith(f"process {os.getpid()} on ")
