"""A graph of NIR, with whatever graphs are inside it, as nodes and who reads whom; and what runs such a thing."""

from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
from torch import Tensor, nn

from snnbook.checks import shown
from snnbook.deploy.names import free
from snnbook.deploy.wiring import INPUT
from snnbook.errors import UserError


class Wired(nn.Module):
    """Layers and who reads whom; what several put out is added.

    Args:
        layers: by a name that a module can have, see :func:`snnbook.deploy.names.free`.
        sources: the names that each reads, in an order in which each comes after what it reads; the last one is
            the output.  ``"input"`` is what the network is given.
    """

    def __init__(self, layers: dict[str, nn.Module], sources: dict[str, tuple[str, ...]]):
        super().__init__()
        self.layers, self.sources = nn.ModuleDict(layers), sources

    def forward(self, x: Tensor) -> Tensor:
        values = {INPUT: x}
        for name, sources in self.sources.items():
            total = values[sources[0]]
            for source in sources[1:]:
                total = total + values[source]
            values[name] = self.layers[name](total) if name in self.layers else total
        return values[name]


class Flat:
    """Nodes and edges of a graph and the graphs inside it, under names that modules can have."""

    def __init__(self):
        self.nodes: dict[str, Any] = {}
        self.edges: set[tuple[str, str]] = set()

    def takes_vectors(self) -> bool:
        """Its input is no map ``(C, H, W)``, whether or not the writer left the batch in its shape."""
        (node,) = [x for name, x in self.nodes.items() if name in self.inputs]
        return 0 < np.size(node.input_type["input"]) < 3

    def take(self, graph, prefix: str = "") -> dict[str, list[str]]:
        """Add a graph's nodes and edges; returns its doors, the names of its nodes Input and Output."""
        names: dict[str, str] = {}
        inside: dict[str, dict[str, list[str]]] = {}
        for name, node in graph.nodes.items():
            if kind(node) == "NIRGraph":
                inside[name] = self.take(node, f"{prefix}{name}_")
            else:
                names[name] = free(prefix + name, self.nodes, () if kind(node) == "Input" else (INPUT,))
                self.nodes[names[name]] = node

        def door(name: str, which: str) -> str:
            """Where an edge to or from a node ends: inside, if that is a graph."""
            if name not in graph.nodes:
                raise UserError(f"an edge of the graph leads to {shown(name)}, which is no node of it")
            if name in names:
                return names[name]
            doors = inside[name][which]
            if len(doors) != 1:
                raise UserError(
                    f"the graph {name} inside the graph has {len(doors)} nodes {which}; expected one"
                )
            return doors[0]

        self.edges |= {(door(start, "Output"), door(end, "Input")) for start, end in graph.edges}
        return {
            which: [names[name] for name in names if kind(graph.nodes[name]) == which]
            for which in ("Input", "Output")
        }

    def order(self) -> dict[str, tuple[str, ...]]:
        """The names that each node reads, the input's called ``"input"``; the output last."""
        before: dict[str, list[str]] = {name: [] for name in self.nodes}
        for start, end in sorted(self.edges):
            before[end].append(start)
        try:
            order = list(TopologicalSorter(before).static_order())
        except CycleError as error:
            raise UserError(
                f"the graph has a loop ({' - '.join(error.args[1][:4])}); recurrence is not read"
            ) from None
        whole = {door: [n for n in order if kind(self.nodes[n]) == door] for door in ("Input", "Output")}
        inputs = [name for name in whole["Input"] if not before[name]]
        readers = {start for start, _ in self.edges}
        outputs = [name for name in whole["Output"] if name not in readers]
        if len(inputs) != 1 or len(outputs) != 1:
            raise UserError(
                f"the graph has {len(inputs)} inputs and {len(outputs)} outputs; expected one of each"
            )
        self.inputs, named = inputs, {inputs[0]: INPUT}
        reached, sources = {inputs[0]}, {}
        for name in order:
            read = [n for n in before[name] if n in reached]
            if not before[name] or name == inputs[0]:
                continue
            if len(read) < len(before[name]):
                lost = (set(before[name]) - reached).pop()
                raise UserError(
                    f"{lost} in the graph has no way from the input; expected a graph in one piece"
                )
            reached.add(name)
            sources[name] = tuple(named.get(n, n) for n in read)
        sources[outputs[0]] = sources.pop(outputs[0])
        return sources


def kind(node) -> str:
    return type(node).__name__
