"""Threads: idle ones sleep soon wherever snnbook starts something, and a run takes those that pay."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnbook import doctor, threads

# Idle threads


@pytest.mark.parametrize("theirs", [{}, {"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "ACTIVE"}])
def test_what_nobody_chose_is_set_and_what_somebody_did_stays(theirs):
    environment = dict(theirs)
    assert threads.calm(environment) is not bool(theirs)
    assert environment == (theirs or {"GOMP_SPINCOUNT": threads.SPINS})


def python(code, **environment):
    kept = {key: value for key, value in os.environ.items() if key not in threads.SPINNING}
    return subprocess.run(
        [sys.executable, "-c", code], env=kept | environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()


CHILD = "import os, subprocess, sys; import snnbook\n"
CHILD += "print('torch' in sys.modules, os.environ['GOMP_SPINCOUNT'], flush=True)\n"
CHILD += "subprocess.run([sys.executable, '-c', 'import os; print(os.environ[\"GOMP_SPINCOUNT\"])'])"


def test_importing_the_library_sets_it_before_torch_and_for_all_that_is_started():
    assert python(CHILD) == [f"False {threads.SPINS}", threads.SPINS]
    assert python(CHILD, GOMP_SPINCOUNT="20") == ["False 20", "20"]


def test_these_tests_and_make_have_it_too():
    assert not (threads.LATE and threads.CALMED)
    (made,) = [
        line
        for line in (Path(__file__).parents[1] / "Makefile").read_text().splitlines()
        if "GOMP_SPINCOUNT" in line
    ]
    assert made == f"export GOMP_SPINCOUNT ?= {threads.SPINS}"


def test_libgomp_sees_it():
    """Libgomp itself says what it read, when torch has loaded it."""
    told = "import os; os.environ['OMP_DISPLAY_ENV'] = 'VERBOSE'; import snnbook, torch"
    kept = {key: value for key, value in os.environ.items() if key not in threads.SPINNING}
    said = subprocess.run([sys.executable, "-c", told], env=kept, capture_output=True, text=True).stderr
    if "GOMP_SPINCOUNT" not in said:
        pytest.skip("torch has another OpenMP here")
    assert f"GOMP_SPINCOUNT = '{threads.SPINS}'" in said


def test_doctor_tells_where_it_came_too_late(monkeypatch):
    late = "import sys, types; sys.modules['torch'] = types.ModuleType('torch')\n"
    late += "from snnbook import threads; print(threads.advice())"
    (said,) = python(late)
    assert f"set GOMP_SPINCOUNT={threads.SPINS} before" in said
    (said,) = python(late, GOMP_SPINCOUNT="20")  # theirs, which torch did see
    assert "GOMP_SPINCOUNT=20" in said and "before" not in said
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr(threads, "free", lambda: 1)
    assert "OMP_NUM_THREADS=3 for every run; 1 of" in doctor._threads()
    assert threads.advice() in doctor._threads()


# Cores


def test_cores_are_those_of_the_mask_and_the_quota(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(16), raising=False)
    for quota, cores in ((float("inf"), 16), (100.0, 16), (2.0, 2), (1.9, 1), (0.1, 1)):
        monkeypatch.setattr(threads, "quota", lambda quota=quota: quota)
        assert threads.cores() == cores


def system(folder, groups, limits):
    """A /proc and a /sys as control groups fill them."""
    (folder / "proc/self").mkdir(parents=True)
    (folder / "proc/self/cgroup").write_text("".join(f"{line}\n" for line in groups))
    for name, content in limits.items():
        (folder / "sys/fs/cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "sys/fs/cgroup" / name).write_text(content)
    return folder


V1 = ["4:memory:/m", "2:cpu,cpuacct:/docker/abc", "1:name=systemd:/", "0::/"]


@pytest.mark.parametrize(
    ("groups", "limits", "quota"),
    [
        (["0::/"], {}, float("inf")),
        (["0::/"], {"cpu.max": "max 100000\n"}, float("inf")),
        (["0::/"], {"cpu.max": "150000 100000\n"}, 1.5),
        (
            ["0::/a/b"],
            {"cpu.max": "800000 100000", "a/cpu.max": "400000 100000", "a/b/cpu.max": "max 1"},
            4.0,
        ),
        (["0::/a/b"], {"a/b/cpu.max": "20000 100000"}, 0.2),
        (["0::/a"], {"cpu.max": "nonsense"}, float("inf")),
        (V1, {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, float("inf")),
        (V1, {"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}, 2.0),
        (V1, {"cpu/docker/abc/cpu.cfs_quota_us": "50", "cpu/docker/abc/cpu.cfs_period_us": "100"}, 0.5),
    ],
)
def test_the_quota_is_the_least_of_a_groups_and_those_above_it(tmp_path, groups, limits, quota):
    assert threads.quota(system(tmp_path, groups, limits)) == quota


def test_without_control_groups_there_is_no_quota(tmp_path):
    assert threads.quota(tmp_path) == float("inf")
    assert threads.quota() > 0


@settings(deadline=None, max_examples=50)
@given(
    busy=st.lists(st.floats(0, 1), min_size=1, max_size=16),
    cores=st.integers(1, 16),
    ticks=st.integers(1, 100),
)
def test_free_cores_are_those_that_others_leave(busy, cores, ticks):
    before = {core: (5, 50) for core in range(len(busy))}
    after = {core: (5 + round(ticks * share), 50 + ticks) for core, share in enumerate(busy)}
    looks = iter((before, after))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "_busy", lambda: next(looks))
        patch.setattr(threads, "SAMPLE", 0)
        patch.setattr(threads, "cores", lambda: cores)
        free = threads.free()
    idle = sum(1 - (a[0] - 5) / ticks for a in after.values())
    assert 1 <= free <= cores
    assert free in (1, cores) or abs(free - idle) <= 0.5 + 1e-9


def test_a_system_that_does_not_tell_is_judged_by_its_load(monkeypatch):
    monkeypatch.setattr(threads, "_busy", lambda: None)
    monkeypatch.setattr(threads, "cores", lambda: 4)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    for load, free in ((0.1, 4), (5.2, 3), (20.0, 1)):
        monkeypatch.setattr(os, "getloadavg", lambda load=load: (load, 0, 0))
        assert threads.free() == free


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ticks_are_read_of_the_cores_of_the_mask(tmp_path, monkeypatch):
    stat = tmp_path / "stat"
    stat.write_text("cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 1 2 3 40 5 6 7 8 1 1\ncpu1 1 1 1 1 1 1 1 1 0 0\nintr 5\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert threads._busy(stat) == {0: (27, 72)}
    assert threads._busy(tmp_path / "nothing") is None


# The choice

COUNTS = st.dictionaries(st.integers(1, 64), st.floats(1e-6, 1e3), min_size=1)


@settings(deadline=None, max_examples=100)
@given(work=st.floats(0, 1e15), free=st.integers(1, 300))
def test_small_networks_and_single_cores_have_one_thread(work, free):
    counts = threads.counts(work, free)
    assert counts[0] == 1 and counts[-1] <= free and list(counts) == sorted(set(counts))
    if work < threads.SMALL:
        assert counts == (1,)
    else:
        assert counts[-1] == free
        assert all(later <= 2 * before for before, later in pairwise(counts))


@settings(deadline=None, max_examples=100)
@given(seconds=COUNTS, scale=st.sampled_from([0.25, 1.0, 8.0]))
def test_no_more_threads_than_pay(seconds, scale):
    chosen = threads.fewest(seconds)
    assert chosen in seconds
    assert threads.fewest({count: scale * each for count, each in seconds.items()}) == chosen
    assert threads.PAYS * seconds[chosen] <= min(seconds.values())
    assert all(threads.PAYS * seconds[n] > min(seconds.values()) for n in seconds if n < chosen)


def test_more_threads_that_are_no_faster_are_left_to_others():
    assert threads.fewest({1: 10.0, 2: 10.0, 4: 10.0}) == 1
    assert threads.fewest({1: 10.0, 2: 700.0}) == 1  # somebody else is on the second core
    assert threads.fewest({1: 10.0, 2: 6.0, 4: 5.5, 8: 5.4}) == 2
    assert threads.fewest({1: 10.0, 2: 9.0, 4: 4.0}) == 4
