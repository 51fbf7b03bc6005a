"""A graph of NIR as a network of this library, and what had to be assumed."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from snnbook import files
from snnbook.checks import check_number, shown
from snnbook.deploy.extra import package
from snnbook.deploy.names import free
from snnbook.deploy.nir_graph import Flat, Wired, kind
from snnbook.deploy.nir_own import own_numbers
from snnbook.deploy.targets import DT, NEUTRAL, TARGETS, Numbers, target_named
from snnbook.deploy.wiring import INPUT
from snnbook.errors import UserError, one_line
from snnbook.folding import SpikingNetwork
from snnbook.neurons import IF, LIF

NORSE_STEP = 1e-3  # norse's export writes dt / (1 / tau): seconds in units of its step
SOURCES = ("nir", *TARGETS)
LEAST = 1e-30  # of a decay: no memory to speak of
KNOWN = "Input, Output, Affine, Linear, Conv2d, AvgPool2d, SumPool2d, Flatten, LIF and IF"


@dataclass(frozen=True)
class Import:
    """A network made of a graph.

    Attributes:
        network: images to what the graph puts out, ``[T, B, ...]``; one that takes vectors takes ``[B, N, 1, 1]``.
        assumed: what the graph does not say, or says otherwise than its writer meant it, and was taken for.
    """

    network: SpikingNetwork
    assumed: str


def from_nir(
    graph: Any, time_steps: int | None = None, source: str | None = None, dt: float | None = None
) -> Import:
    """A graph of NIR as a network, and what was assumed.

    NIR says neither how long a step is nor how one is taken, and its writers do not mean the same.  A file of
    :func:`to_nir` says it all and comes back as it was.  For others, ``source`` names who wrote it:

    * ``"nir"``: what the documentation says, with Euler's step of 0.1 ms; fires above the threshold.
    * ``"snntorch"``: the same; its export writes no kind of reset, and one to zero is assumed.
    * ``"spikingjelly"``: the same, firing at the threshold, too.
    * ``"norse"``: its export writes time constants in units of its step of 1 ms; r is 1.
    * ``"sinabs"``: time constants in steps, ``exp(-1 / tau)``; fires at the threshold; one spike a step and a
      reset to zero, which are not sinabs' defaults, are assumed.  So are ``norm_input=False`` (of LIF not the
      default either), no ``tau_syn`` and no ``min_v_mem``: its export leaves all of these out.

    Args:
        graph: a ``nir.NIRGraph``, or the path of a file.
        time_steps: T of the network; None for what the file says, else 1.
        source: who wrote it; None for what the file says, else ``"nir"``.
        dt: seconds a step; None for what the file says or the source is known to take.

    Raises:
        UserError: no such file, source or step; what has no counterpart here: loops, other nodes (``CubaLIF``,
            say), numbers that differ within a layer, a leak to elsewhere than the reset; nir is not installed.
    """
    nir = package("nir", "reads graphs of NIR")
    if isinstance(graph, str | Path):
        graph = _read(nir, files.place(graph, "NIR graphs"))
    if not isinstance(graph, nir.NIRGraph):
        raise UserError(
            f"graph is {shown(graph)}; expected a nir.NIRGraph, or the path of a file that holds one"
        )
    said = _said(graph)
    if source is not None and source not in SOURCES:
        raise UserError(f"source is {shown(source)}; expected one of {', '.join(SOURCES)}, or none")
    own = said.get("writer") == "snnbook" and source is None
    source = source or (said["target"] if own else "nir")
    if dt is not None:
        check_number("dt", dt, 0, above=True, meaning="in seconds")
        if own:
            raise UserError("the file says how long its steps are; leave dt out, or name the source, too")
    dt = dt or (NORSE_STEP if source == "norse" and not own else DT)
    steps = time_steps if time_steps is not None else int(said.get("time_steps", 1))
    network = network_of(graph, source, steps, trust=own, exported=not own, dt=dt)
    return Import(network, "nothing: the file says it all" if own else ASSUMED[source].format(dt=dt))


ASSUMED = {
    "nir": "Euler's step of {dt:g} s, firing above the threshold, one spike a step",
    "snntorch": "Euler's step of {dt:g} s, firing above the threshold; a reset to zero, which is not written",
    "spikingjelly": "Euler's step of {dt:g} s, firing at the threshold or above it",
    "norse": "time constants in units of norse's step of {dt:g} s, r = 1, firing above the threshold",
    "sinabs": "time constants in steps, firing at the threshold or above it, one spike a step, a reset to zero; "
    "no norm_input, tau_syn or min_v_mem, which are not written",
}


def _read(nir, path: Path):
    try:
        return nir.read(path, type_check=False)
    except Exception as error:  # h5py and nir raise whatever a torn file made of them
        reason = getattr(error, "strerror", None) or one_line(error)[:150] or type(error).__name__
        raise UserError(f"cannot read a graph of NIR from {files.shown(path)} ({reason})") from error


def _said(graph) -> dict:
    """The graph's metadata, with texts as Python has them."""
    plain = {key: np.asarray(value).item() for key, value in graph.metadata.items() if np.ndim(value) == 0}
    said = {key: x.decode() if isinstance(x, bytes) else x for key, x in plain.items()}
    if said.get("writer") == "snnbook" and said.get("target") not in SOURCES:
        raise UserError(
            f"the graph says it was written for {shown(said.get('target'))}; expected one of {SOURCES}"
        )
    return said


def network_of(
    graph, source: str | None, time_steps: int, trust: bool, exported: bool = False, dt: float = DT
) -> SpikingNetwork:
    """The network of a graph.

    Args:
        graph: of NIR.
        source: whose meaning its numbers have; None as ``"nir"``.
        time_steps: T.
        trust: take neurons' own metadata, where they agree with the numbers, which are rounded.
        exported: ``source`` wrote the graph itself; otherwise it was written to be read by it.
        dt: seconds a step.
    """
    flat = Flat()
    flat.take(graph)
    sources, rules = flat.order(), _Rules(source or "nir", exported, dt)
    if trust:
        rules.own, rules.factors = own_numbers(flat.nodes, sources, rules.target)
    inner = {name: node for name, node in flat.nodes.items() if kind(node) not in ("Input", "Output")}
    layers = {name: rules.layer(name, node) for name, node in inner.items()}
    unused = layers.keys() - sources.keys()
    if unused:
        raise UserError(
            f"{sorted(unused)[0]} in the graph has no way to the output; expected a graph in one piece"
        )
    if not any(hasattr(layer, "dynamics") for layer in layers.values()):
        raise UserError("the graph has no spiking neurons; expected LIF or IF")
    if flat.takes_vectors():
        vector = free("vector", sources)
        layers[vector] = nn.Flatten()  # takes [B, N, 1, 1] to [B, N]
        sources = {vector: (INPUT,)} | {
            name: tuple(vector if s == INPUT else s for s in read) for name, read in sources.items()
        }
    return SpikingNetwork(Wired(layers, sources), time_steps).eval()


class _Rules:
    """What numbers of NIR mean."""

    def __init__(self, source: str, exported: bool, dt: float):
        self.source, self.exported, self.dt = source, exported, dt
        self.target = NEUTRAL if source == "nir" else target_named(source)
        self.own: dict[str, Numbers] = {}
        self.factors: dict[str, float] = {}

    def layer(self, name: str, node) -> nn.Module:
        make: Callable | None = getattr(self, f"_{kind(node).lower()}", None)
        if make is None:
            raise UserError(f"{name} in the graph is {kind(node)}, which is not read; known are {KNOWN}")
        try:
            return make(name, node)
        except UserError:
            raise
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            raise UserError(
                f"{name} in the graph ({kind(node)}) cannot be read: {one_line(error)[:150]}"
            ) from error

    def _affine(self, name: str, node) -> nn.Linear:
        outputs, inputs = node.weight.shape
        return _filled(nn.Linear(inputs, outputs), self._weights(name, node))

    def _linear(self, name: str, node) -> nn.Linear:
        outputs, inputs = node.weight.shape
        return _filled(nn.Linear(inputs, outputs, bias=False), self._weights(name, node))

    def _conv2d(self, name: str, node) -> nn.Conv2d:
        outputs, inputs, *kernel = node.weight.shape
        groups, padding = int(node.groups), node.padding
        padding = padding if isinstance(padding, str) else _pair(padding)
        geometry = dict(
            stride=_pair(node.stride), padding=padding, dilation=_pair(node.dilation), groups=groups
        )
        return _filled(
            nn.Conv2d(inputs * groups, outputs, tuple(kernel), **geometry), self._weights(name, node)
        )

    def _weights(self, name: str, node) -> list[np.ndarray]:
        tensors = [node.weight] + ([node.bias] if getattr(node, "bias", None) is not None else [])
        return [np.asarray(x, np.float64) / self.factors.get(name, 1.0) for x in tensors]

    def _avgpool2d(self, name: str, node) -> nn.AvgPool2d:
        return nn.AvgPool2d(_pair(node.kernel_size), _pair(node.stride), _pair(node.padding))

    def _sumpool2d(self, name: str, node) -> nn.AvgPool2d:
        window = _pair(node.kernel_size), _pair(node.stride), _pair(node.padding)
        return nn.AvgPool2d(*window, divisor_override=1)

    def _flatten(self, name: str, node) -> nn.Flatten:
        start, end = (int(n) + 1 if int(n) >= 0 else int(n) for n in (node.start_dim, node.end_dim))
        return nn.Flatten(start, end)

    def _if(self, name: str, node) -> nn.Module:
        if own := self.own.get(name):
            return _neuron(own)
        number = self._numbers(name, node, ("r", "v_threshold", "v_reset"))
        gain = number["r"] * self.dt if self.source in ("nir", "spikingjelly") else 1.0  # others write r = 1
        return _neuron(Numbers(1.0, (number["v_threshold"] - number["v_reset"]) / gain, self.target.strict))

    def _lif(self, name: str, node) -> nn.Module:
        if own := self.own.get(name):
            return _neuron(own)
        number = self._numbers(name, node, ("tau", "r", "v_leak", "v_threshold", "v_reset"))
        if number["v_leak"] != number["v_reset"]:
            raise UserError(
                f"{name} in the graph leaks to {number['v_leak']:g} and is reset to {number['v_reset']:g}; "
                "neurons here do both to 0, so only equal numbers can be read"
            )
        steps = number["tau"] if self.target.steps else number["tau"] / self.dt
        if self.exported and self.source == "norse":
            steps /= self.dt
        if not steps > (0 if self.target.steps else 1):
            raise UserError(
                f"{name} in the graph has tau = {number['tau']:g}, too short for steps of {self.dt:g} s"
            )
        decay = max(math.exp(-1 / steps), LEAST) if self.target.steps else 1 - 1 / steps
        gain = number["r"] / steps if self.target.obeys_r else self.target.gain(decay)
        threshold = number["v_threshold"] - number["v_reset"]
        if not self.target.steps and decay < 1 and math.isclose(gain, 1 - decay, rel_tol=1e-6):
            return _neuron(Numbers(decay, threshold, self.target.strict, 1 - decay))
        close = math.isclose(gain, 1, rel_tol=1e-6)
        return _neuron(Numbers(decay, threshold if close else threshold / gain, self.target.strict))

    def _numbers(self, name: str, node, keys: tuple[str, ...]) -> dict[str, float]:
        found = {}
        for key in keys:
            values = np.unique(np.asarray(getattr(node, key), np.float64))
            if len(values) != 1 or not math.isfinite(values[0]):
                raise UserError(
                    f"{name} in the graph has {len(values)} values of {key}; a layer here has one"
                )
            found[key] = float(values[0])
        return found


def _neuron(own: Numbers) -> nn.Module:
    if own.decay == 1:
        return IF(threshold=own.threshold, strict=own.strict)
    return LIF(own.decay, own.threshold, strict=own.strict, scale_input=own.gain != 1)


def _pair(x) -> tuple[int, int]:
    values = np.asarray(x).ravel().tolist()
    return (int(values[0]), int(values[-1]))


@torch.no_grad()
def _filled(layer: nn.Module, tensors: list[np.ndarray]) -> nn.Module:
    for parameter, values in zip((layer.weight, layer.bias), tensors, strict=len(tensors) == 2):
        parameter.copy_(torch.from_numpy(np.asarray(values)))
    return layer
