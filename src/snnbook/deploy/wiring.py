"""A network as layers and wires: what reads what, in the few kinds of layers that other tools know, too.

One time step is drawn; time itself is not.  A wire may carry a sum: a layer that reads several others reads what
they put out, added, so that shortcuts need no layer of their own.
"""

import operator
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from snnbook.backbones.dense import Recurrent
from snnbook.deploy.batchnorm import Merged, batchnorms_left, fold_batchnorm
from snnbook.deploy.kinds import KINDS, check_plain, known, unknown
from snnbook.deploy.names import free
from snnbook.deploy.own_weights import own_weights
from snnbook.errors import UserError, one_line
from snnbook.folding import SpikingNetwork, neurons
from snnbook.inputs import SHAPES

SUMS = (operator.add, operator.iadd, torch.add)
SILENT = (nn.Identity, nn.Dropout, nn.Dropout2d)  # in evaluation what goes in comes out
INPUT, OUTPUT = "input", "output"


@dataclass(frozen=True)
class Part:
    """A layer, once for each call of it.

    Attributes:
        layer: a ``Conv2d``, ``Linear``, ``AvgPool2d``, ``MaxPool2d`` (of spikes), ``Flatten`` or a neuron.
        name: of that layer in the network.
        sources: names of the parts that it reads, added; ``"input"`` is what the network is given.
        reads, shape: what it reads and puts out, without the leading axis.
        spikes: in the network it puts out nothing but 0 and 1.
    """

    layer: nn.Module
    name: str
    sources: tuple[str, ...]
    reads: tuple[int, ...]
    shape: tuple[int, ...]
    spikes: bool

    @property
    def neuron(self) -> bool:
        return hasattr(self.layer, "dynamics")


@dataclass(frozen=True)
class Wiring:
    """A network drawn.

    Attributes:
        parts: by a name of their own that a module can have, in an order in which each comes after what it reads.
        shape: of an image, ``(C, H, W)``.
        outputs: names of the parts whose sum is the network's output.
    """

    parts: dict[str, Part]
    shape: tuple[int, ...]
    outputs: tuple[str, ...]

    def readers(self, name: str) -> list[str]:
        """Names of the parts that read ``name``."""
        return [other for other, part in self.parts.items() if name in part.sources]


def checked_network(network: nn.Module) -> SpikingNetwork:
    """``network``, if it is one that can leave the book.

    Raises:
        UserError: no spiking network, on another device than the CPU, or not in float32.
    """
    if not isinstance(network, SpikingNetwork):
        held = [
            name for name, m in getattr(network, "named_modules", dict)() if isinstance(m, SpikingNetwork)
        ]
        hint = f"; this one has its network in .{held[0]}" if held else ""
        raise UserError(f"network is {type(network).__name__}; expected a SpikingNetwork{hint}")
    for name, x in network.named_parameters():
        if x.dtype != torch.float32 or x.device.type != "cpu":
            raise UserError(
                f"{name} is {x.dtype} on {x.device}; export takes float32 on the CPU: .float().cpu()"
            )
    return network


def sample_of(sample: Tensor | tuple[int, ...], network: SpikingNetwork) -> Tensor:
    """Images to try ``network`` on: those given, or random ones of a given shape ``(C, H, W)``.

    Raises:
        UserError: neither images nor such a shape, or images that the network does not take.
    """
    images = _images(sample, network.time_steps)
    try:
        with torch.no_grad(), evaluation(network):
            network(images)
    except UserError:
        raise
    except Exception as error:  # whatever layers make of images of another size
        raise UserError(
            f"the network fails at a sample of shape {list(images.shape)}: {one_line(error)[:200]}; "
            "expected images of the size that it was trained on"
        ) from error
    return images


def _images(sample: Tensor | tuple[int, ...], time_steps: int) -> Tensor:
    if isinstance(sample, Tensor):
        if sample.dim() in (4, 5) and sample.is_floating_point() and sample.numel():
            return sample.detach().float().cpu()
    elif (
        isinstance(sample, list | tuple)
        and len(sample) == 3
        and all(type(n) is int and n > 0 for n in sample)
    ):
        drawn = torch.Generator().manual_seed(0)
        return torch.rand(time_steps, 8, *sample, generator=drawn, device="cpu")
    shown = f"of shape {list(sample.shape)}" if isinstance(sample, Tensor) else repr(sample)[:60]
    raise UserError(f"sample is {shown}; expected images {SHAPES}, or the shape (C, H, W) of one")


def spikes_of(network: SpikingNetwork, images: Tensor) -> tuple[Tensor, dict[str, list[Tensor]]]:
    """The network's output ``[T, B, ...]`` and by neuron's name, call by call, its spikes ``[T, B, ...]``."""
    with torch.no_grad(), evaluation(network), watched(neurons(network.backbone)) as seen:
        output = network(images)
    steps = (network.time_steps, -1)
    return output, {name: [x.unflatten(0, steps) for x in calls] for name, calls in seen.items()}


@contextmanager
def watched(modules: Mapping[str, nn.Module]) -> Iterator[dict[str, list[Tensor]]]:
    """What ``modules`` put out in the body, call by call, by their names; of a tuple, its first."""
    seen: dict[str, list[Tensor]] = {}

    def note(name: str, output: Tensor | tuple[Tensor, ...]) -> None:
        spikes = output[0] if isinstance(output, tuple) else output
        seen.setdefault(name, []).append(spikes.detach().clone())

    with ExitStack() as hooks:
        for name, module in modules.items():
            hook = module.register_forward_hook(lambda _, inputs, output, name=name: note(name, output))
            hooks.callback(hook.remove)
        yield seen


class evaluation:
    """A context in which ``network`` is in evaluation mode; afterwards each part is as it was."""

    def __init__(self, network: nn.Module):
        self.network, self.before = network, [m for m in network.modules() if m.training]

    def __enter__(self):
        self.network.eval()

    def __exit__(self, *error):
        for m in self.before:
            m.training = True


def draw(network: SpikingNetwork, images: Tensor) -> Wiring:
    """The wiring of ``network``, BatchNorm folded, as it treats ``images``.

    Raises:
        UserError: a layer or an operation between layers that is none of the known ones, or a BatchNorm that
            cannot be folded.
    """
    network = checked_network(network)
    for name, whole in (("the network", network), ("its backbone", network.backbone)):
        check_plain(whole, name)  # torch.fx calls neither
    for name, why in batchnorms_left(network).items():
        raise UserError(f"{name} is a BatchNorm that cannot be folded: it {why}")
    folded = own_weights(fold_batchnorm(network))
    tracer = _Tracer(set(neurons(folded).values()))
    try:
        graph = tracer.trace(folded.backbone)
    except UserError as error:
        if tracer.refused:
            raise
        raise unknown(network.backbone, "the backbone") from error
    except Exception as error:  # whatever a network's code makes of a stand-in
        kind = type(network.backbone).__name__
        raise UserError(
            f"torch.fx cannot read {kind}: {one_line(error)[:200]}; export a plain network"
        ) from error
    reader = _Reader(folded.backbone, graph)
    with torch.no_grad():
        folded.run(reader.run, images)
    return reader.wiring()


class _Tracer(fx.Tracer):
    def __init__(self, neurons: set):
        super().__init__()
        self.neurons = neurons  # found before, since a learned threshold is a stand-in while tracing
        self.refused = False

    def is_leaf_module(self, module, name):
        return module in self.neurons or type(module) is Merged or super().is_leaf_module(module, name)

    def call_module(self, module, forward, args, kwargs):
        name = self.path_of_module(module)
        if isinstance(module, Recurrent) and module.recurrence is not None:
            self.refused = True
            raise UserError(f"{name} has recurrent weights, which are not written; use a network without")
        try:
            return super().call_module(module, forward, args, kwargs)
        except UserError as error:
            if self.refused:
                raise
            self.refused = True  # neurons of one's own ask for the time, which is not drawn
            raise unknown(module, name) from error


class _Reader(fx.Interpreter):
    """Runs the graph on images and notes each layer, with the shapes that it sees."""

    def __init__(self, backbone: nn.Module, graph: fx.Graph):
        super().__init__(fx.GraphModule(backbone, graph))
        self.extra_traceback = False  # in a message of one line
        self.parts: dict[str, Part] = {}
        self.wires: dict[fx.Node, tuple[str, ...]] = {}
        self.shapes: dict[fx.Node, tuple[int, ...]] = {}

    def run_node(self, node: fx.Node):
        result = super().run_node(node)
        if isinstance(result, Tensor):
            self.shapes[node] = tuple(result.shape[1:])
        if node.op == "placeholder":
            self.wires[node], self.images = (INPUT,), node
        elif node.op == "output":
            self.output = node.args[0]
        elif node.op == "call_module":
            self.wires[node] = self._layer(node, self.module.get_submodule(node.target))
        elif node.target in SUMS and not node.kwargs and all(isinstance(x, fx.Node) for x in node.args):
            self.wires[node] = self._sum(node)
        elif node.target in (torch.flatten, "flatten"):
            start, *rest = node.args[1:] or (node.kwargs.get("start_dim", 0),)
            end = rest[0] if rest else node.kwargs.get("end_dim", -1)
            self.wires[node] = self._layer(node, nn.Flatten(start, end))
        else:
            what = f"does {getattr(node.target, '__name__', node.target)}()"
            if node.op == "get_attr":
                what = f"computes with {node.target}"
            raise UserError(f"the network {what} between layers, which is not written; known are {KINDS}")
        return result

    def _sum(self, node: fx.Node) -> tuple[str, ...]:
        first, second = node.args
        both = self.wires[first] + self.wires[second]
        if len({self.shapes[x] for x in (first, second, node)}) > 1:
            raise UserError("a sum in the network repeats values (broadcasting), which is not written")
        if len(set(both)) < len(both):
            raise UserError(f"the network adds {both[0]} to itself, which takes a wire each; double weights")
        return both

    def _layer(self, node: fx.Node, layer: nn.Module) -> tuple[str, ...]:
        name = node.target if node.op == "call_module" else node.name
        if len(node.all_input_nodes) != 1 or node not in self.shapes:
            raise unknown(layer, name)
        (source,) = node.all_input_nodes
        wires, reads, shape = self.wires[source], self.shapes[source], self.shapes[node]
        check_plain(layer, name)
        if isinstance(layer, SILENT) or (isinstance(layer, nn.Flatten) and reads == shape):
            return wires
        spikes = len(wires) == 1 and wires[0] in self.parts and self.parts[wires[0]].spikes
        layer, passes = known(layer, name, reads, shape, spikes)
        unique = free(name, self.parts, (INPUT, OUTPUT))
        kept = spikes if passes else hasattr(layer, "dynamics")
        self.parts[unique] = Part(layer, name, wires, reads, shape, kept)
        return (unique,)

    def wiring(self) -> Wiring:
        if not isinstance(self.output, fx.Node):
            raise UserError(
                "the network puts out several tensors; export takes one that puts out logits alone"
            )
        if not any(part.neuron for part in self.parts.values()):
            raise UserError("the network has no spiking neurons, so there is nothing to export")
        return Wiring(self.parts, self.shapes[self.images], self.wires[self.output])
