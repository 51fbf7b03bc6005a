"""Variables of the environment that are numbers, or one line that says they are not."""

import pytest
import torch
import torch.distributed as dist
from hypothesis import given, settings
from hypothesis import strategies as st

from bad_input import one_line
from snnbook.data import stream
from snnbook.trainers.loop import processes
from snnbook.trainers.loop.distributed import join

NUMBERS = st.sampled_from(
    ["", " ", "x", "-1", "1.5", "nan", "inf", "1e400", "9" * 6000, "1_0", "0x1", "²", "2 "]
)
RANKS = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}


@given(
    name=st.sampled_from(["SNNBOOK_WORKERS", "LOCAL_WORLD_SIZE"]),
    text=NUMBERS | st.integers(-3, 10**30).map(str),
)
@settings(deadline=None, max_examples=60)
def test_processes_that_read_are_a_number_that_can_be(name, text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, text)
        try:
            assert 0 <= stream.workers() <= stream.MOST_WORKERS
        except Exception:
            one_line(stream.workers, name)


@given(changed=st.dictionaries(st.sampled_from([*RANKS]), NUMBERS | st.integers(-1, 3).map(str), max_size=2))
@settings(deadline=None, max_examples=60)
def test_who_this_process_is_must_make_sense(changed):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"TORCHELASTIC_RUN_ID": "1", **RANKS, **changed}.items():
            patch.setenv(name, value)
        try:
            processes.check()
        except Exception:
            one_line(processes.check)
        else:
            assert processes.rank() < processes.size() and processes.local_rank() < processes.local_size()


def test_a_rank_beyond_the_last_is_refused(monkeypatch):
    for name, value in {"TORCHELASTIC_RUN_ID": "1", **RANKS, "RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    one_line(processes.check, "RANK is 1", "at most 0")


@pytest.mark.parametrize("port", [None, "x", "-1", "99999"])
def test_no_place_to_meet_is_told(monkeypatch, port):
    here = RANKS | {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "localhost"}
    here |= {} if port is None else {"MASTER_PORT": port}
    for name in ("MASTER_PORT", "MASTER_ADDR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TORCHELASTIC_RUN_ID": "1", **here}.items():
        monkeypatch.setenv(name, value)
    assert not dist.is_initialized()

    def meet():
        with join(torch.device("cpu")):
            pass

    one_line(meet, "processes cannot meet", "torchrun")


@pytest.mark.parametrize("value", ["x", "", "0", "-1", "9" * 5000])
def test_a_world_of_no_size_is_refused(monkeypatch, value):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("WORLD_SIZE", value)

    def meet():
        with join(torch.device("cpu")):
            pass

    one_line(meet, "WORLD_SIZE")
