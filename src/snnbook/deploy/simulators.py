"""A graph of NIR run by another library, with the settings that it takes to compute what this one does."""

import importlib.util
from collections.abc import Callable
from graphlib import TopologicalSorter
from importlib.metadata import version as version_of

import torch
from torch import Tensor, nn

from snnbook.deploy.extra import package, quiet
from snnbook.deploy.targets import DT, TARGETS, target_named
from snnbook.deploy.wiring import watched
from snnbook.errors import UserError, one_line


def installed(target: str) -> bool:
    """Whether a target can be run here."""
    return all(importlib.util.find_spec(name) is not None for name in (target, "nir", "nirtorch"))


def version(target: str) -> str:
    return f"{target} {version_of(target)}"


def run(graph, target: str, frames: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """What a library makes of a graph that was written for it.

    Args:
        graph: of :func:`to_nir`, for this target.
        target: a library that is installed.
        frames: ``[T, B, C, H, W]``.

    Returns:
        Outputs ``[T, B, ...]``, and spikes of each neuron's node ``[T, B, ...]``.

    Raises:
        UserError: no such target, not installed, or it cannot load the graph.
    """
    target_named(target)
    if target is None or not installed(target):
        raise UserError(
            f"{target} is not installed; get it: make simulators, or run one of {', '.join(TARGETS)}"
        )
    with quiet(), torch.no_grad():
        try:
            return RUNS[target](graph, frames)
        except Exception as error:  # whatever a library makes of a graph
            raise UserError(f"{target} cannot run the graph: {one_line(error)[:250]}") from error


def _snntorch(graph, frames: Tensor):
    loader = package("snntorch.import_nir", "runs graphs of NIR")
    return _step_by_step(loader.import_from_nir(graph), graph, frames)


def _spikingjelly(graph, frames: Tensor):
    loader = package("spikingjelly.activation_based.nir_exchange", "runs graphs of NIR")
    return _step_by_step(loader.import_from_nir(graph, dt=DT), graph, frames)


def _norse(graph, frames: Tensor):
    norse = package("norse.torch", "runs graphs of NIR")
    return _step_by_step(_in_order(norse.from_nir(graph, dt=DT), graph), graph, frames)


def _sinabs(graph, frames: Tensor):
    loader, layers, activation = (
        package(f"sinabs.{name}", "runs graphs of NIR") for name in ("nir", "layers", "activation")
    )
    steps, batch = frames.shape[:2]
    network = _in_order(loader.from_nir(graph, batch_size=batch), graph)
    for layer in network.modules():
        if isinstance(layer, layers.LIFSqueeze):
            layer.spike_fn, layer.reset_fn = activation.SingleSpike, activation.MembraneReset()
    with watched(_neurons(network, graph)) as seen:
        output = _first(network(frames.transpose(0, 1).flatten(0, 1)))  # sample after sample

    def unfold(x):
        return x.unflatten(0, (batch, steps)).transpose(0, 1)

    return unfold(output), {name: unfold(x[0]) for name, x in seen.items()}


RUNS: dict[str, Callable] = {
    "snntorch": _snntorch,
    "spikingjelly": _spikingjelly,
    "norse": _norse,
    "sinabs": _sinabs,
}


def _in_order(network: nn.Module, graph) -> nn.Module:
    """What nirtorch.load made runs its nodes depth first, a sum before all that it adds is there."""
    before = {name: [] for name in graph.nodes}
    for start, end in graph.edges:
        before[end].append(start)
    place = {name: number for number, name in enumerate(TopologicalSorter(before).static_order())}
    network.execution_order.sort(key=lambda node: place[node.name])
    return network


def _step_by_step(network: nn.Module, graph, frames: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    state, outputs = None, []
    with watched(_neurons(network, graph)) as seen:
        for frame in frames:
            output, state = network(frame, state)
            outputs.append(output)
    return torch.stack(outputs), {name: torch.stack(x) for name, x in seen.items()}


def _neurons(network: nn.Module, graph) -> dict[str, nn.Module]:
    names = [name for name, node in graph.nodes.items() if type(node).__name__ in ("LIF", "IF")]
    return {name: network.get_submodule(name) for name in names}


def _first(x):
    return x[0] if isinstance(x, tuple) else x
