"""Two trainings at once: each in a process of its own, whose idle threads do what the setting says."""

import pytest
import torch

from snnbook.bench import busy
from snnbook.bench.busy import Peer

CPU = torch.device("cpu")


def test_both_make_their_steps_and_libgomp_has_the_setting(monkeypatch, capfd):
    told = {"OMP_DISPLAY_ENV": "VERBOSE", "OMP_NUM_THREADS": "1"}
    settings = {"its own": told, "some": told | {"GOMP_SPINCOUNT": "500"}}
    monkeypatch.setattr(busy, "SETTINGS", settings)
    group = busy.busy(CPU)
    measured = next(group)
    names = [f"{name}, {count}" for name in settings for count in ("alone", "two at once")]
    assert list(measured.variants) == names
    assert measured.base == ("its own, alone",)
    for name in names[1::2]:
        measured.variants[name]()
    group.close()
    said = capfd.readouterr().err
    if "GOMP_SPINCOUNT" in said:  # torch has libgomp here
        assert {line.strip() for line in said.splitlines() if "GOMP_SPINCOUNT" in line} == {
            "GOMP_SPINCOUNT = '300000'",
            "GOMP_SPINCOUNT = '500'",
        }


def test_a_training_that_ended_is_told_and_not_waited_for():
    peer = Peer({"PYTHONPATH": "/nowhere", "PYTHONHOME": "/nowhere"})
    with pytest.raises(RuntimeError, match="a training ended with code 1"):
        peer.end()
    peer.close()


def test_a_gpu_has_no_such_threads():
    assert list(busy.busy(torch.device("cuda"))) == []
