"""What processes send each other is plain, and on one machine no other can reach them.

Started by ``torchrun``, this file is one of them and writes what it saw.
"""

import json
import os
import pickle
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from hypothesis import given, settings
from hypothesis import strategies as st

from bad_input import one_line
from snnbook.errors import UserError
from snnbook.trainers.loop import distributed
from snnbook.trainers.loop.distributed import join
from snnbook.trainers.loop.fit import _resumed

NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False)
PLAIN = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
VALUES = [
    None,
    True,
    0,
    -(2**60),
    0.1,
    1e-310,
    float("inf"),
    "",
    "λ ±\n",
    [],
    {},
    [{"a": [None, "x" * 99_999]}],
]


@given(value=PLAIN)
@settings(deadline=None, max_examples=100)
def test_what_is_plain_arrives_as_it_was(value):
    assert distributed._unpacked(distributed._packed(value)) == value


@pytest.mark.parametrize("value", [{1, 2}, torch.ones(2), print, b"x", [1j], {(1, 2): 3}, {"a": {1}}])
def test_what_is_not_plain_is_refused(value):
    one_line(lambda: distributed._packed(value), "expected numbers, texts")


def listening() -> list[str]:
    """Addresses, in hexadecimal, at which this process takes connections."""
    own = set()
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # that of the folder itself is closed by now
            own.add(os.readlink(f"/proc/self/fd/{name}").removeprefix("socket:[").rstrip("]"))
    found = []
    for table in ("tcp", "tcp6"):
        lines = [line.split() for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
        found += [line[1].partition(":")[0] for line in lines if line[3] == "0A" and line[9] in own]
    return found


def worker(folder: Path) -> None:
    def never(*_, **__):
        raise AssertionError("a pickle")

    pickle.loads = pickle.Unpickler = pickle._Unpickler = never
    found = {}
    with join(torch.device("cpu")) as (world, _):
        for module in (dist, dist.distributed_c10d):
            module.broadcast_object_list = module.all_gather_object = never
        rank = world.rank
        found["decided"] = [world.decide(lambda value=value: value) for value in VALUES]
        found["gathered"] = [world.gather([rank, value] if rank else value) for value in VALUES]
        total = world.total({("a", str(rank)): 1, ("b", ""): 0.5})
        found["total"] = [[*key, value] for key, value in total.items()]
        found["mean"] = world.mean({"x": [rank, 1.0]})
        for name, call in {
            "refused": lambda: world.decide(lambda: no("in one line")),
            "checkpoint": lambda: _resumed(folder / f"{rank}.pt", "it", world),
        }.items():
            try:
                call()
            except UserError as error:
                found[name] = str(error)
        found["listening"] = listening()
        found["interfaces"] = [os.environ.get(f"{name}_SOCKET_IFNAME") for name in ("GLOO", "NCCL")]
    (folder / f"process{rank}.json").write_text(json.dumps(found))


def no(text):
    raise UserError(text)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("peers")
    torch.save({"identity": "it", "method": {}}, folder / "0.pt")
    environment = {key: value for key, value in os.environ.items() if "SOCKET_IFNAME" not in key}
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", __file__, str(folder)]
    environment["OMP_NUM_THREADS"] = "1"
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"process{rank}.json").read_text()) for rank in range(2)]


def test_both_get_the_same_without_a_pickle(two):
    for seen in two:
        assert seen["decided"] == VALUES
        assert seen["gathered"] == [[value, [1, value]] for value in VALUES]
        assert seen["total"] == [["a", "0", 1], ["b", "", 1.0], ["a", "1", 1]]
        assert seen["mean"] == {"x": [0.5, 1.0]}
        assert seen["refused"] == "in one line"


def test_a_checkpoint_that_one_of_them_does_not_see_is_told_by_both(two):
    assert all("processes do not see the same checkpoint" in seen["checkpoint"] for seen in two)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_on_one_machine_they_listen_on_loopback_alone(two):
    for seen in two:
        assert seen["listening"] and seen["interfaces"] == ["lo", "lo"]  # which a host's name may not lead to
        assert {address[-8:] for address in seen["listening"]} == {"0100007F"}  # 127.0.0.1


def test_a_place_that_somebody_chose_stays(monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "eth7")
    monkeypatch.delenv("NCCL_SOCKET_IFNAME", raising=False)
    distributed._stay_on_this_machine()
    assert os.environ["GLOO_SOCKET_IFNAME"] == "eth7"
    assert os.environ.pop("NCCL_SOCKET_IFNAME", "lo") in ("lo", "lo0")


if __name__ == "__main__":
    worker(Path(sys.argv[1]))
