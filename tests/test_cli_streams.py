"""Every command says that its output could not be written, and nothing when nobody wants the rest."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import snnbook

COMMANDS = ("list", "run", "reproduce", "report", "claims", "receipt", "check", "bench", "doctor")
LIGHT = [
    ["--help"],
    ["--version"],
    *([name, "--help"] for name in COMMANDS),
    ["list"],
    ["report", "joint-table4"],
]
FULL = Path("/dev/full")


def command(arguments, unbuffered=False, **streams):
    environment = {**os.environ, "PYTHONPATH": str(Path(snnbook.__file__).parents[1])}
    environment.pop("PYTHONUNBUFFERED", None)
    environment |= {"PYTHONUNBUFFERED": "1"} if unbuffered else {}
    line = [sys.executable, "-m", "snnbook", *arguments]
    return subprocess.run(line, stderr=subprocess.PIPE, text=True, env=environment, timeout=120, **streams)


@pytest.mark.skipif(not FULL.exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("unbuffered", [True, False])
@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_a_full_disk_is_told(arguments, unbuffered):
    with open(FULL, "w") as full:
        done = command(arguments, unbuffered, stdout=full)
    assert done.returncode == 1
    assert done.stderr.startswith("snnbook: No space left on device") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_a_closed_pipe_is_no_matter(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        done = command(arguments, stdout=pipe)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["reproduce", "joint-table4", "--dry-run"], 0),
        (["run", "joint-table4/ann", "joint-table4/snn", "--bare", "--set", "recipe.epochs=1"], 1),
    ],
)
def test_training_that_nobody_watches_any_more_is_no_success(arguments, code, tmp_path):
    places = ["--results", str(tmp_path / "results"), "--work", str(tmp_path / "runs")]
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        done = command([*arguments, *places], stdout=pipe)
    assert done.returncode == code and ("nobody reads the output" in done.stderr) == bool(code)
