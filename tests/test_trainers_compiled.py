"""Compiled training: one graph whatever the method keeps, CUDA graphs where there is CUDA and one process."""

import pytest
import torch

from graph_cases import CASES, batches, made, trained
from snnbook.backbones import NetworkConfig
from snnbook.errors import UserError
from snnbook.trainers.loop.compiled import compiled
from snnbook.trainers.loop.fits import explain_torch_errors
from snnbook.trainers.switch import Switch, SwitchConfig


@pytest.mark.parametrize(
    ("device", "alone", "mode"),
    [("cuda", True, "reduce-overhead"), ("cuda", False, None), ("cpu", True, None)],
)
def test_graphs_are_for_one_process_on_a_gpu(device, alone, mode, monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "compile", lambda method, mode=None: asked.append(mode) or method)
    learner = compiled(lambda x, y: {"ce": x + y}, torch.device(device), alone)
    assert learner(torch.tensor(1), torch.tensor(2)) == {"ce": torch.tensor(3)}
    assert asked == [mode]


def test_without_a_compiler_it_is_said_in_one_line():
    torch._dynamo.reset()
    with pytest.raises(UserError, match="compiler that works") as refused, explain_torch_errors():
        torch.compile(lambda x: x.sin() + 1, options={"cpp.cxx": ("nowhere/g++",)})(torch.rand(7))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("case", CASES)
def test_a_step_is_one_graph_that_stays(case):
    """Nothing that a method keeps from step to step lets it be traced anew."""
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    plain, traced = made(case), made(case)
    torch.compiler.reset()
    learner = torch.compile(traced, backend=backend, fullgraph=True)
    for step, batch in enumerate(batches()):
        torch.testing.assert_close(learner(*batch), plain(*batch))
        if step == 1:
            graphs.clear()  # the first step may find other shapes than those after it
    assert not graphs
    if hasattr(plain, "notes"):
        assert traced.notes() == plain.notes()


def test_a_change_of_loss_is_two_graphs():
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    network = NetworkConfig("dense", width=4, time_steps=2, options={"depth": 2})
    method = Switch(SwitchConfig(at=3), network, 4, 1)
    torch.compiler.reset()
    learner = torch.compile(method, backend=backend)
    for epoch in range(6):
        method.begin_epoch(epoch)
        learner(torch.rand(4, 1, 4, 4), torch.arange(4))
    assert len(graphs) == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs take CUDA")
@pytest.mark.parametrize("case", CASES)
def test_a_graph_changes_no_number(case):
    device = torch.device("cuda")
    assert trained(case, device, True)[0] == trained(case, device, False)[0]
