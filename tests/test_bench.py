"""The benchmark measures ratios in turn; what they are is no test's business."""

import torch

from snnbook import bench


def test_ratios_are_taken_within_rounds():
    calls = []
    variants = {name: lambda name=name: calls.append(name) for name in ("a", "b")}
    found = bench.ratios(variants, "a", rounds=3, synchronize=lambda: None)
    assert calls == ["a", "b"] * (bench.WARM_UP + 3)
    assert found["a"]["ratio"] == found["a"]["least"] == found["a"]["most"] == 1
    assert found["b"]["least"] <= found["b"]["ratio"] <= found["b"]["most"]


def test_every_variant_of_a_step_runs_and_learns():
    variants = bench.training_step(2, 2, torch.device("cpu"), width=4)
    assert {"ANN on T*B images", "snnbook", "snnbook, joint", "snnTorch"} <= variants.keys()
    for step in variants.values():
        step()


def test_every_variant_of_the_layer_runs():
    for step in bench.lif_layer(2, torch.device("cpu")).values():
        step()
