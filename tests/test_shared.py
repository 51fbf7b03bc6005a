"""Test files shared out: each is run once, whoever comes first, and whatever its fixtures."""

import os
import re
import subprocess
import sys

import pytest

FILE = """\
import os
import time
import pytest

@pytest.fixture(scope="module")
def opened():
    with open("log.txt", "a") as log: log.write("open {name}\\n")
    yield
    with open("log.txt", "a") as log: log.write("close {name}\\n")

@pytest.mark.parametrize("i", range(3))
def test_one(opened, i):
    time.sleep(0.05)
    assert "SNNBOOK_SHARE" not in os.environ  # of a pytest that a test starts
    assert i != {fails}
"""


@pytest.fixture
def suite(tmp_path):
    for name, fails in (("a", 9), ("b", 9), ("c", 1), ("d", 9)):
        (tmp_path / f"test_{name}.py").write_text(FILE.format(name=name, fails=fails))
    (tmp_path / "conftest.py").write_text(
        "import shared\ndef pytest_configure(config): shared.register(config)\n"
    )
    (tmp_path / "share").mkdir()
    return tmp_path


def begin(suite, **environment):
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-p", "no:randomly"]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SNNBOOK_SHARE")}
    kept |= {"PYTHONPATH": os.path.dirname(__file__), "SNNBOOK_SHARE": "share"} | environment
    return subprocess.Popen(command, cwd=suite, env=kept, stdout=subprocess.PIPE, text=True)


def test_two_processes_run_each_file_once_between_them(suite):
    first, second = begin(suite), begin(suite, SNNBOOK_SHARE_FROM="end")
    said = [process.communicate()[0] for process in (first, second)]
    ran = [re.findall(r"test_(\w)\.py::test_one\[(\d)\] (?:PASSED|FAILED)", text) for text in said]
    assert sorted(ran[0] + ran[1]) == [(name, str(i)) for name in "abcd" for i in range(3)]
    assert not {name for name, _ in ran[0]} & {name for name, _ in ran[1]}
    names = [list(dict.fromkeys(name for name, _ in one)) for one in ran]
    assert names[0] == sorted(names[0]) and names[1] == sorted(names[1], reverse=True)
    assert sorted([first.returncode, second.returncode]) == [0, 1]  # the failure counts in one of them
    log = (suite / "log.txt").read_text().split()
    assert sorted(zip(log[::2], log[1::2], strict=True)) == [
        (what, name) for what in ("close", "open") for name in "abcd"
    ]


def test_who_finds_nothing_left_has_not_failed(suite):
    assert begin(suite).wait() == 1
    late = begin(suite)
    assert "no tests ran" in late.communicate()[0]
    assert late.returncode == 0


def test_alone_a_process_runs_all(suite):
    alone = begin(suite, SNNBOOK_SHARE="")
    assert "1 failed, 11 passed" in alone.communicate()[0]
