"""Memory is asked about before it is filled, and a container has what is left below its limit."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bad_input import one_line
from snnbook import data, room
from snnbook.backbones import NetworkConfig
from snnbook.data import DataConfig, cifar10_dvs, events
from snnbook.trainers import METHODS, build_method
from test_data_cifar import archive  # noqa: F401

HUGE = st.integers(10**5, 2**63 - 1)


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """A machine of 1000 kB whose control groups the test writes: ``group("a/b", limit, used, cached)``."""
    monkeypatch.setattr(room, "_of_allocator", lambda: 0)
    monkeypatch.setattr(room, "SYSTEM", tmp_path)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9000 kB\nMemAvailable: 1000 kB\n")

    def group(place, limit, used=None, cached=None, version=2):
        names = room.V2 if version == 2 else room.V1
        folder = tmp_path / "sys/fs/cgroup" / ("" if version == 2 else "memory") / place
        folder.mkdir(parents=True, exist_ok=True)
        values = [limit, used, None if cached is None else f"anon 5\n{names[2]} {cached}\n"]
        for name, value in zip((*names[:2], "memory.stat"), values, strict=True):
            if value is not None:
                (folder / name).write_text(f"{value}\n")

    group.mine = (tmp_path / "proc/self/cgroup").write_text
    return group


@pytest.mark.parametrize("version", [1, 2])
def test_what_is_in_use_is_not_at_hand(groups, version):
    groups("", 9000, version=version)
    assert room.at_hand() == 9000
    groups("", 9000, 4000, version=version)
    assert room.at_hand() == 5000
    groups("", 9000, 4000, 3000, version=version)  # caches are given back
    assert room.at_hand() == 8000
    groups("", 9000, 9500, version=version)
    groups("", 9000, 9500, 0, version=version)
    assert room.at_hand() == 0
    groups("", "max" if version == 2 else 2**63 - 4096, 4000, version=version)
    assert room.at_hand() == 1000 * 1024


@pytest.mark.parametrize(
    "line", ["0::/a/b", "7:memory:/a/b", "7:memory,hugetlb:/a/b", "7:hugetlb,memory:/a/b"]
)
def test_the_narrowest_of_the_groups_around_counts(groups, line):
    version = 2 if line.startswith("0") else 1
    groups.mine(f"9:cpu:/x\n{line}\n")
    groups("a/b", 900_000, 100_000, version=version)
    groups("a", 600_000, 100_000, version=version)
    groups("other", 7, version=version)
    assert room.at_hand() == 500_000


def test_what_was_freed_and_is_kept_for_later_is_at_hand(groups, monkeypatch):
    monkeypatch.setattr(room, "_of_allocator", lambda: 500)
    groups("", 9000, 9000)
    assert room.at_hand() == 500


@given(text=st.text(max_size=30))
@settings(deadline=None, max_examples=30)
def test_files_of_the_system_that_are_no_numbers_are_no_limit(tmp_path_factory, text):
    here = tmp_path_factory.mktemp("fs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "SYSTEM", here)
        for name in ("proc/self/cgroup", *(f"sys/fs/cgroup/memory.{x}" for x in ("max", "current", "stat"))):
            (here / name).parent.mkdir(parents=True, exist_ok=True)
            (here / name).write_text(text)
        assert room.at_hand() >= 0


@given(size=HUGE)
@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_images_of_any_size_are_asked_for_only_if_they_fit(tree, size):
    for name, options in {
        "digits": {},
        "digit_events": {"frames": 2},
        "folder": {},
    }.items():
        one_line(
            lambda name=name, options=options: data.load(DataConfig(name, size, **options), tree), "at hand"
        )
    one_line(lambda: data.load(DataConfig("folder", size, stream=True), tree), "at hand")
    one_line(lambda: events.to_frames(np.array([[0, 0, 0, 0], [1, 0, 0, 1]]), 2, size), "at hand")


@given(steps=st.integers(10**11, 2**63 - 1))
@settings(deadline=None, max_examples=10)
def test_time_of_any_length_is_asked_for_only_if_it_fits(steps):
    one_line(
        lambda: NetworkConfig("convnet", width=2, time_steps=steps), "time_steps is", "expected", "at most"
    )
    one_line(lambda: data.load(DataConfig("digit_events", 8, frames=steps)), "at hand")


def test_time_steps_that_do_not_fit_are_told(monkeypatch):
    found = data.load(DataConfig("digits", 8))
    network, config = NetworkConfig("convnet", width=2, time_steps=9000), METHODS["direct"].Config()
    monkeypatch.setattr(room, "at_hand", lambda: 1000)
    one_line(lambda: build_method("direct", config, network, found), "at hand", "fewer time steps")


def test_cifar_and_recordings_have_to_fit(archive, tmp_path, monkeypatch):  # noqa: F811
    config = DataConfig("cifar10", size=10**6, download=True)
    one_line(lambda: data.load(config, tmp_path / "data"), "at hand", "data.size")
    (tmp_path / "cifar10_dvs" / "events_np").mkdir(parents=True)
    monkeypatch.setattr(cifar10_dvs, "_reader", lambda: pytest.fail("read"))
    one_line(lambda: data.load(DataConfig("cifar10_dvs", size=10**6, frames=9), tmp_path), "at hand")
