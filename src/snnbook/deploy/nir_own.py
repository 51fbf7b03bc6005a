"""What this library wrote beside the numbers of a graph, as far as they are still the numbers that it wrote."""

import math
from typing import Any

import numpy as np

from snnbook.deploy.nir_graph import kind
from snnbook.deploy.targets import Numbers, Target


def own_numbers(
    nodes: dict[str, Any], sources: dict[str, tuple[str, ...]], target: Target
) -> tuple[dict[str, Numbers], dict[str, float]]:
    """The neurons that are as they were written, and the factors that weights were written with, both by name.

    Where a neuron's reader multiplies the current otherwise than the network does, the weights that it reads make
    up for it.  Either both are taken for what they were in the network, or both for what stands in the graph: one
    alone would have the factor twice, or not at all.

    Args:
        nodes: of the graph.
        sources: the names that each reads.
        target: whom the graph was written for.
    """
    readers: dict[str, set[str]] = {}
    for name, read in sources.items():
        for source in read:
            readers.setdefault(source, set()).add(name)
    own, factors = {}, {}
    for name in sources.keys() & nodes.keys():
        if (found := _numbers(nodes[name], target)) is None:
            continue
        factor = found.gain / target.gain(found.decay)
        if factor != 1:
            if any(readers[s] != {name} or _scale(nodes.get(s)) != factor for s in sources[name]):
                continue
            factors |= dict.fromkeys(sources[name], factor)
        own[name] = found
    return own, factors


def _numbers(node, target: Target) -> Numbers | None:
    said = node.metadata
    if kind(node) not in ("LIF", "IF") or not {"decay", "threshold", "strict", "gain"} <= said.keys():
        return None
    try:
        decay, threshold, gain = (float(said[key]) for key in ("decay", "threshold", "gain"))
        found = Numbers(decay, threshold, bool(said["strict"]), gain)
        written = target.parameters(decay, threshold, found.strict)
    except (TypeError, ValueError):
        return None
    if kind(node) == "IF":
        written = {"r": target.rate, **{key: written[key] for key in ("v_threshold", "v_reset")}}
    if not target.obeys_r:
        del written["r"]
    return found if all(np.all(getattr(node, key) == value) for key, value in written.items()) else None


def _scale(node) -> float:
    try:
        return float(np.asarray(node.metadata["scale"]))
    except (AttributeError, KeyError, TypeError, ValueError):
        return math.nan
