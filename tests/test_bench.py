"""The benchmark measures ratios in turn; what they are is no test's business."""

import json
import os
import sys
from types import SimpleNamespace

import pytest
import torch

from snnbook import bench
from snnbook.bench import groups, measure, run
from snnbook.errors import UserError
from snnbook.kernels import kernel_name

CPU = torch.device("cpu")


def test_ratios_are_taken_within_rounds():
    calls = []
    variants = {name: lambda name=name: calls.append(name) for name in ("a", "b")}
    found = bench.ratios(variants, ("a",), rounds=3)
    assert calls == ["a", "b"] * (measure.WARM_UP + 3)
    assert found["a"]["ratio"] == found["a"]["least"] == found["a"]["most"] == 1
    assert found["b"]["least"] <= found["b"]["ratio"] <= found["b"]["most"]


def test_times_are_in_milliseconds(monkeypatch):
    ticks = iter(range(1000))  # a second from one look at the clock to the next
    monkeypatch.setattr(measure, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    found = bench.ratios({"a": lambda: None, "b": lambda: next(ticks)}, ("a",), rounds=2)
    assert (found["a"]["each"], found["b"]["each"]) == ([1000, 1000], [2000, 2000])
    assert (found["b"]["milliseconds"], found["b"]["ratio"]) == (2000, 2)


@pytest.mark.parametrize("before", [None, "reference"])
def test_a_kernel_is_lent_and_given_back(before, monkeypatch):
    monkeypatch.delenv("SNNBOOK_KERNEL", raising=False)
    if before:
        monkeypatch.setenv("SNNBOOK_KERNEL", before)
    with measure.using_kernel(None):
        assert kernel_name() == (before or "autograd")
    with measure.using_kernel("compiled"):
        assert kernel_name() == "compiled"
    assert os.environ.get("SNNBOOK_KERNEL") == before


def test_a_step_computes_in_its_precision_and_forgets_the_last_one():
    seen = []

    class Linear(torch.nn.Linear):
        def forward(self, images, labels):
            seen.append(super().forward(images.flatten(1)).dtype)
            return {"ce": self.weight.sum()}

    for dtype in (None, torch.bfloat16):
        step = measure.Step(Linear(4, 2), torch.rand(2, 1, 2, 2), torch.zeros(2).long(), dtype=dtype)
        step()
        step()
        assert torch.equal(step.method.weight.grad, torch.ones(2, 4))  # of one step
    assert seen == 2 * [torch.float32] + 2 * [torch.bfloat16]


def test_a_base_may_be_a_sum():
    found = bench.ratios({"a": lambda: None, "b": lambda: None}, ("a", "b"), rounds=1)
    assert found["a"]["ratio"] + found["b"]["ratio"] == pytest.approx(1)


def test_kept_bytes_count_a_storage_once_and_no_weights():
    weight = torch.ones(100, requires_grad=True)
    assert bench.kept_bytes(lambda: weight + 2) == 0
    x = torch.ones(100, requires_grad=True)
    assert bench.kept_bytes(lambda: (x * weight) * (x.view(10, 10).flatten() * weight)) == 3 * 400 + 400
    assert bench.kept_bytes(lambda: (x * weight) * (x * weight), [weight]) == 3 * 400


def test_every_variant_of_a_step_runs():
    measured = groups._step(2, 2, CPU, width=4)
    expected = {"ANN on T*B images", "snnbook", "snnbook, bfloat16, spikes as bytes", "snnTorch, its loop"}
    assert expected <= measured.variants.keys()
    for name, variant in measured.variants.items():
        if "compiled" in name:  # takes a C++ compiler and a while
            variant.kernel = "autograd"
        variant()


def test_every_variant_of_the_layer_runs(monkeypatch):
    compiled = sys.modules["snnbook.kernels.compiled"]  # the function of that name hides the module
    monkeypatch.setattr(compiled, "_compiled", lambda body, *_: body)
    for step in groups._layer(2, 2, CPU, channels=2).variants.values():
        step()


def test_libraries_compute_the_same_spikes():
    """Or their times could not be compared."""
    pytest.importorskip("spikingjelly")
    from snnbook.bench.variants import SnnTorchNeuron, SpikingJellyNeuron
    from snnbook.neurons import preset

    current = torch.randn(8, 50)
    ours = preset("joint_asnn", time_steps=4)(current)
    assert 0 < ours.mean() < 1
    assert torch.equal(SpikingJellyNeuron(4)(current), ours)
    assert torch.equal(SnnTorchNeuron(4)(current), ours)


def test_a_record_a_group_with_what_is_absent(tmp_path, monkeypatch, capsys):
    def tiny(device):
        variants = {"a": lambda: None, "b": lambda: None}
        yield groups.Measurement("two things", variants, ("a",), 10, {"c": "not installed"})

    monkeypatch.setitem(run.GROUPS, "tiny", tiny)
    bench.main(["tiny"], "cpu", 2, tmp_path)
    record = json.loads((tmp_path / "bench/cpu/tiny.json").read_text())
    assert record["measurements"]["two things"]["a"]["images_per_second"] > 0
    assert record["measurements"]["two things"]["c"] == {"absent": "not installed"}
    assert record["environment"]["device_type"] == "cpu"
    assert "not measured: not installed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["leyer"],), "no group of measurements 'leyer'; did you mean 'layer'"),
        (([], "cpu", 0), "rounds is 0"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(UserError, match=message):
        bench.main(*arguments)
