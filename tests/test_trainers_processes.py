"""What one process of several is told, and a world of one."""

import pytest
import torch
from torch import nn

from snnbook.errors import UserError
from snnbook.trainers.loop import processes
from snnbook.trainers.loop.distributed import ALONE, World, join


@pytest.mark.parametrize("device", ["cuda:1", "mps"])
def test_a_device_that_cannot_be_shared_out_is_refused(monkeypatch, device):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="each process takes its own GPU"), join(torch.device(device)):
        pass


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    for name, value in {"WORLD_SIZE": "64", "LOCAL_WORLD_SIZE": "64", "LOCAL_RANK": "3"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="64 processes on a node with"), join(torch.device("cuda")):
        pass


def test_the_first_speaks_and_whoever_cannot_tell_at_once(monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    monkeypatch.setenv("RANK", "1")
    assert processes.first()  # of nobody else
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    for number, speaks in {"0": True, "1": False, " 12 ": False, "x": True, "": True, "-1": True}.items():
        monkeypatch.setenv("RANK", number)
        assert processes.first() is speaks
    monkeypatch.delenv("RANK")
    assert processes.first()


def test_a_world_of_one_changes_nothing():
    method = nn.Linear(2, 2)
    assert ALONE.wrap(method, torch.device("cpu")) is method
    assert ALONE.mean({"a": [1, 2]}) == {"a": [1, 2]}
    assert ALONE.total({"a": 3}) == {"a": 3}
    assert ALONE.decide(lambda: 5) == 5
    assert World() == ALONE
