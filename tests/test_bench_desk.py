"""The step of the desk: every variant runs, earlier code too, and each moment of it has a layer."""

import json

import pytest
import torch
from torch import nn

from snnbook import bench
from snnbook.backbones import NetworkConfig, build_snn
from snnbook.baselines.snntorch_network import SnnTorchConfig, SnnTorchNetwork
from snnbook.bench import desk, earlier, run
from snnbook.bench.layers import BETWEEN, by_kind, layer_times
from snnbook.bench.measurement import batch_of, spiking
from snnbook.cli.arguments import parser
from snnbook.errors import UserError

CPU = torch.device("cpu")
NETWORK = NetworkConfig("vgg11", width=4, time_steps=2)


def test_every_variant_runs(monkeypatch):
    monkeypatch.setattr(desk, "unavailable", lambda: "no git")
    measured = desk._desk(2, 2, CPU, width=4)
    assert {"snnTorch, its loop", "snnbook", "snnbook, bfloat16"} <= measured.variants.keys()
    assert measured.absent["snnbook of 02ee4c6, bfloat16"] == "no git"
    assert measured.seen_through in measured.variants and measured.base[0] in measured.variants
    for name, variant in measured.variants.items():
        if "compiled" not in name:  # takes a C++ compiler and a while
            variant()


@pytest.mark.skipif(earlier.unavailable() is not None, reason="a clone without its history")
def test_earlier_code_takes_steps_and_may_end():
    step = earlier.Earlier({"name": "vgg11", "width": 4, "time_steps": 2}, 2, CPU)
    step()
    step()
    step.process.kill()
    with pytest.raises(UserError, match="ended"):
        step()
    step.close()
    assert step.process.returncode is not None


def test_earlier_code_may_be_absent(monkeypatch):
    monkeypatch.setattr(earlier, "COMMIT", "0" * 40)
    assert "is not here" in earlier.unavailable()


@pytest.mark.parametrize("name", ["vgg9", "vgg11"])
def test_snntorchs_vgg_is_ours_with_biases(name):
    network = NetworkConfig(name, width=4, time_steps=2)
    theirs, ours = SnnTorchNetwork(SnnTorchConfig(), network, 10), build_snn(network, 10)
    shapes = [
        [p.shape for m in net.modules() if isinstance(m, kind) for p in m.parameters(recurse=False)]
        for net, kind in ((theirs, nn.Conv2d), (ours, nn.Conv2d))
    ]
    assert [s for s in shapes[0] if len(s) == 4] == shapes[1] and len(shapes[0]) == 2 * len(shapes[1])
    assert theirs(*batch_of(2, CPU))["ce"] > 0
    kinds = (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, nn.Linear)
    orders = [[type(m) for m in net.modules() if isinstance(m, kinds)] for net in (theirs, ours)]
    assert orders[0] == orders[1]


def test_each_moment_has_a_layer():
    step = spiking(NETWORK, *batch_of(4, CPU), dtype=torch.bfloat16)
    rows = layer_times(step, rounds=1)
    leaves = {name for name, m in step.method.named_modules() if not any(m.children())}
    assert leaves == {row["layer"] for row in rows} - {BETWEEN, "optimizer"}
    for row in rows:
        assert row["forward"] >= 0 and row["backward"] >= 0
        if row["kind"] in ("Conv2d", "BatchNorm2d", "LIF", "MaxPool2d"):
            assert row["forward"] > 0 and row["backward"] > 0, row
    shares = by_kind(rows)
    assert sum(shares.values()) == pytest.approx(1)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert not any(m._forward_hooks for m in step.method.modules())


def test_an_operations_way_back_is_its_layers():
    """Two layers alike, of which one has a thousand times the work."""

    class Method(nn.Module):
        def __init__(self):
            super().__init__()
            self.small, self.large = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 25, padding=12)

        def forward(self, images, labels):
            return {"loss": (self.large(self.small(images)) * 2).square().mean()}

    rows = {row["layer"]: row for row in layer_times(bench.measure.Step(Method(), *batch_of(16, CPU)))}
    for way in ("forward", "backward"):
        assert rows["large"][way] > rows["small"][way]
    assert rows[BETWEEN]["backward"] > 0


def test_the_record_has_them(tmp_path, monkeypatch, capsys):
    def tiny(device):
        monkeypatch.setattr(desk, "unavailable", lambda: "no git")
        measured = desk._desk(2, 2, device, width=4)
        kept = {name: measured.variants[name] for name in (*measured.base, desk.OURS)}
        yield desk.Measurement("tiny", kept, measured.base, 2, {}, desk.OURS)

    monkeypatch.setitem(run.GROUPS, "desk", tiny)
    bench.main(["desk"], "cpu", 1, tmp_path)
    record = json.loads((tmp_path / "bench/cpu/desk.json").read_text())
    rows = record["measurements"]["tiny"][desk.OURS]["layers"]
    assert {"layer", "kind", "forward", "backward"} == rows[0].keys()
    assert "Conv2d backward" in capsys.readouterr().out


def test_help_names_every_group(capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["bench", "--help"])
    shown = capsys.readouterr().out
    assert all(f"\n{name} " in shown for name in run.GROUPS)
