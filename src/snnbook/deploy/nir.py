"""A network as a graph of NIR, the format that simulators and chips' tools exchange (Pedersen et al. 2024).

What was found by running the libraries decides what is written: numbers of neurons in float64 at the layer's full
shape, always ``Affine`` (one importer drops ``Linear``), ``Flatten`` counted from the end, a decay of 1 as a time
constant of 1e20 s.  NIR has no max-pooling; of spikes it is a sum over the window and a neuron that fires if there
was one.
"""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from snnbook import files
from snnbook.deploy import simulators, wiring
from snnbook.deploy.export import Export, held_against
from snnbook.deploy.extra import package
from snnbook.deploy.kinds import padding_of, pair
from snnbook.deploy.names import free
from snnbook.deploy.nir_reading import network_of
from snnbook.deploy.targets import DT, Numbers, Target, numbers, target_named
from snnbook.deploy.wiring import INPUT, OUTPUT, Part, Wiring
from snnbook.errors import UserError
from snnbook.folding import SpikingNetwork

POOLING = Numbers(decay=0.5, threshold=0.5, strict=True)  # whose potential is 0 whenever it did not fire


@dataclass(frozen=True)
class NirExport(Export):
    """A graph of NIR, and how well it does.

    Attributes:
        graph: the ``nir.NIRGraph``.
        target: the library it was written for, None for what NIR's documentation says.
        load: what loading it takes.
    """

    graph: Any = field(repr=False)
    target: str | None
    load: str

    def save(self, path: str | Path) -> Path:
        """Write the graph to ``path``, as ``nir.write`` does; returns the path."""
        path = files.place(path, "NIR graphs")
        content = io.BytesIO()
        package("nir", "writes graphs").write(content, self.graph)
        files.write_bytes(path, content.getvalue())
        return path


def to_nir(network: SpikingNetwork, sample: Tensor | tuple[int, ...], target: str | None = None) -> NirExport:
    """``network`` as a graph of NIR, tried at once.

    BatchNorm is folded first.  What can be written: LIF, IF and PLIF neurons with a hard reset, decays and
    thresholds learned or not, strict or not; Conv2d, Linear, Flatten, average pooling, max-pooling of spikes;
    sums, as in residual blocks and in SEW's (``connect="add"``).

    The graph is then run on the sample and all spikes are compared: by the target itself where it is installed,
    else by :func:`from_nir`, reading as the target is known to.

    Args:
        network: in float32, on the CPU; it is left as it is.
        sample: images ``[B, C, H, W]`` or ``[T, B, C, H, W]``, or the shape ``(C, H, W)`` of one, for random ones.
        target: the library that is to read the graph (``"snntorch"``, ``"spikingjelly"``, ``"norse"``,
            ``"sinabs"``), since they read one graph in four ways; see :mod:`snnbook.deploy.targets`.  None for
            Euler's step of 0.1 ms, as the file's metadata says.

    Raises:
        UserError: no such target; a layer, reset or operation that cannot be written; nir is not installed.
    """
    reader = target_named(target)
    network = wiring.checked_network(network)
    images = wiring.sample_of(sample, network)
    drawn = wiring.draw(network, images)
    for part in drawn.parts.values():
        if part.neuron and not part.layer.dynamics.hard_reset:
            raise UserError(
                f"{part.name} resets by subtraction (reset='soft'), which NIR has no field for; use 'hard'"
            )
    nir = package("nir", "writes graphs of NIR")
    graph = _Writer(nir, drawn, target, reader, network.time_steps).graph()
    return _tried(network, images, drawn, graph, target, reader)


def _tried(network, images, drawn: Wiring, graph, target: str | None, reader: Target) -> NirExport:
    output, seen = wiring.spikes_of(network, images)
    frames = images if images.dim() == 5 else images.expand(network.time_steps, *images.shape)
    if target is not None and simulators.installed(target):
        found, theirs, by = *simulators.run(graph, target, frames), simulators.version(target)
    else:
        read = network_of(graph, target, network.time_steps, trust=False)
        found, calls = wiring.spikes_of(read, frames)
        theirs = {name.removeprefix("layers."): spikes[0] for name, spikes in calls.items()}
        by = f"this library, reading as {target or 'NIR is documented'}"
    fired = {name: seen[part.name].pop(0) for name, part in drawn.parts.items() if part.neuron}
    numbers = held_against(output, list(fired.values()), found, [theirs[name] for name in fired])
    return NirExport(**numbers, by=by, graph=graph, target=target, load=reader.settings)


class _Writer:
    def __init__(self, nir, drawn: Wiring, target: str | None, reader: Target, time_steps: int):
        self.nir, self.drawn, self.target, self.reader = nir, drawn, target, reader
        self.steps, self.nodes, self.edges = time_steps, {}, []
        self.scales: dict[str, float] = {}  # of layers whose weights take a factor for the neuron behind them
        self.ends: dict[str, str] = {}  # the nodes that put out what parts of several nodes do

    def graph(self):
        parts = self.drawn.parts
        self.nodes[INPUT] = self.nir.Input(np.array(self.drawn.shape))
        for part in parts.values():
            if part.neuron and self._factor(part) != 1 and all(map(self._takes_factor, part.sources)):
                self.scales |= dict.fromkeys(part.sources, self._factor(part))
        for name, part in parts.items():
            sources = part.sources
            if part.neuron:
                if self._factor(part) != 1 and not set(sources) <= self.scales.keys():
                    sources = (self._scaled_copy(name, part),)
                self._add(name, sources, self._neuron(numbers(part.layer), part.shape))
            elif isinstance(part.layer, nn.MaxPool2d):
                self._max_pooling(name, part)
            else:
                self._add(name, sources, self._layer(part, self.scales.get(name, 1.0)))
        self._add(OUTPUT, self.drawn.outputs, self.nir.Output(np.array(parts[self.drawn.outputs[0]].shape)))
        return self._checked()

    def _checked(self):
        strict = {numbers(part.layer).strict for part in self.drawn.parts.values() if part.neuron}
        said = {True: "u > threshold", False: "u >= threshold"}
        metadata = {
            "writer": "snnbook",
            "target": self.target or "nir",
            "dt": DT,
            "time_steps": self.steps,
            "fires": said[strict.pop()] if len(strict) == 1 else "see each neuron",
            "reset": "to 0, by the spike's own step",
            "load": self.reader.settings,
        }
        try:
            return self.nir.NIRGraph(
                self.nodes, self.edges, metadata=metadata, type_check=not self.reader.shared
            )
        except ValueError:  # nir takes every kernel for a square one, and groups for channels
            return self.nir.NIRGraph(self.nodes, self.edges, metadata=metadata, type_check=False)

    def _add(self, name: str, sources: tuple[str, ...], node) -> None:
        self.nodes[name] = node
        self.edges += [(self.ends.get(source, source), name) for source in sources]

    def _factor(self, part: Part) -> float:
        """What the current of a neuron still has to be multiplied by."""
        own = numbers(part.layer)
        return own.gain / self.reader.gain(own.decay)

    def _takes_factor(self, name: str) -> bool:
        part = self.drawn.parts.get(name)
        weighted = part is not None and isinstance(part.layer, nn.Conv2d | nn.Linear)
        return weighted and len(self.drawn.readers(name)) == 1 and name not in self.drawn.outputs

    def _scaled_copy(self, name: str, part: Part) -> str:
        weights = np.eye(part.reads[0]) * self._factor(part)
        made = free(f"{name}_scale", self.drawn.parts, self.nodes)
        if len(part.reads) == 1:
            node = self.nir.Affine(weights, np.zeros(part.reads[0]), metadata={"scale": self._factor(part)})
        else:
            node = self._convolution(weights[:, :, None, None], part.reads, scale=self._factor(part))
        self._add(made, part.sources, node)
        return made

    def _neuron(self, own: Numbers, shape: tuple[int, ...]):
        metadata = {"decay": own.decay, "threshold": own.threshold, "strict": own.strict, "gain": own.gain}
        full = (1,) if self.reader.shared else shape
        written = self.reader.parameters(own.decay, own.threshold, own.strict)
        values = {key: np.full(full, value, np.float64) for key, value in written.items()}
        if own.decay == 1 and self.reader.integrates:
            values = {key: values[key] for key in ("v_threshold", "v_reset")}
            return self.nir.IF(r=np.full(full, self.reader.rate), **values, metadata=metadata)
        return self.nir.LIF(**values, metadata=metadata)

    def _layer(self, part: Part, scale: float):
        layer = part.layer
        if isinstance(layer, nn.Flatten):
            return self.nir.Flatten(np.array(part.reads), start_dim=-len(part.reads), end_dim=-1)
        if isinstance(layer, nn.AvgPool2d):
            return self._average(layer, part.reads)
        weight, bias = (_array(x, scale) for x in (layer.weight, layer.bias))
        if bias is None:
            bias = np.zeros(len(weight), weight.dtype)
        metadata = {} if scale == 1 else {"scale": scale}
        if isinstance(layer, nn.Linear):
            return self.nir.Affine(weight, bias, metadata=metadata)
        geometry = dict(stride=layer.stride, padding=padding_of(layer), dilation=layer.dilation)
        groups = layer.groups if self.target is None else 1
        weight = weight if groups == layer.groups else _dense(weight, layer.groups)
        return self.nir.Conv2d(
            part.reads[1:], weight, groups=groups, bias=bias, **geometry, metadata=metadata
        )

    def _average(self, layer: nn.AvgPool2d, reads: tuple[int, ...]):
        if self.reader.averages:
            return self.nir.AvgPool2d(*(np.array(pair(x)) for x in _window(layer)))
        return self._window_convolution(layer, reads, 1 / np.prod(pair(layer.kernel_size)))

    def _max_pooling(self, name: str, part: Part) -> None:
        kernel, stride, padding = map(pair, _window(part.layer))
        level = 1.0
        if self.reader.averages:
            node, level = self._average(part.layer, part.reads), 1 / float(np.prod(kernel))
        elif any(padding):
            node = self._window_convolution(part.layer, part.reads, 1.0)
        else:
            node = self.nir.SumPool2d(*(np.array(x) for x in (kernel, stride, padding)))
        self._add(name, part.sources, node)
        gain = self.reader.gain(POOLING.decay)
        threshold = float(np.float32(POOLING.threshold * level * gain))
        fires = Numbers(POOLING.decay, threshold, self.reader.strict, gain)
        end = free(f"{name}_fires", self.drawn.parts, self.nodes)
        self._add(end, (name,), self._neuron(fires, part.shape))
        self.ends[name] = end

    def _window_convolution(self, layer, reads: tuple[int, ...], value: float):
        kernel, stride, padding = map(pair, _window(layer))
        weight = np.eye(reads[0], dtype=np.float32)[:, :, None, None] * np.full(kernel, value, np.float32)
        return self._convolution(weight, reads, stride, padding)

    def _convolution(self, weight, reads, stride=(1, 1), padding=(0, 0), scale: float = 1.0):
        bias, metadata = np.zeros(len(weight), weight.dtype), {} if scale == 1 else {"scale": scale}
        return self.nir.Conv2d(reads[1:], weight, stride, padding, (1, 1), 1, bias, metadata=metadata)


def _window(layer: nn.Module):
    return layer.kernel_size, layer.stride, layer.padding


def _array(x: Tensor | None, scale: float) -> np.ndarray | None:
    """In float32 as it is, in float64 where scaled, so that it comes back exactly."""
    if x is None:
        return None
    values = x.detach().numpy()
    return values.copy() if scale == 1 else values.astype(np.float64) * scale


def _dense(weight: np.ndarray, groups: int) -> np.ndarray:
    """The weights of a convolution in groups as one without, most of them zero."""
    outputs, inputs = weight.shape[0] // groups, weight.shape[1]
    whole = np.zeros((weight.shape[0], inputs * groups, *weight.shape[2:]), weight.dtype)
    for g in range(groups):
        rows = slice(g * outputs, (g + 1) * outputs)
        whole[rows, g * inputs : (g + 1) * inputs] = weight[rows]
    return whole
