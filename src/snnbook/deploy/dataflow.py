"""Which layer reads what another puts out: the graph of one call, and what it cannot tell."""

import inspect
from types import MethodType

from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from snnbook.backbones.backbone import Backbone
from snnbook.folding import SpikingNetwork, neurons


class Dataflow:
    """What happens in ``network(input, ...)``, called with the arguments it must have.

    The network's code runs once, on ``torch.fx``'s stand-ins for tensors, and may leave them where it keeps
    things: pass a copy.

    Attributes:
        calls: of each layer that is called as a whole, the nodes of the graph, whose ``all_input_nodes`` it reads
            and whose ``users`` read it.
        layers: the layer of each such node.
        inputs: the nodes that are the network's arguments.
        hidden: modules whose calls are not in the graph, and why.
    """

    def __init__(self, network: nn.Module):
        self._reads = set()
        whole = _Whole(network)
        tracer = _Tracer(self._reads, set(neurons(network).values()))
        with _Reads(self._reads):
            graph = tracer.trace(whole)
        self.calls, self.layers = {}, {}
        for node in graph.nodes:
            if node.op == "call_module":
                layer = whole.get_submodule(node.target)
                self.calls.setdefault(layer, []).append(node)
                self.layers[node] = layer
        self.inputs = {node for node in graph.nodes for n in node.all_input_nodes if n.op == "placeholder"}
        self.hidden = {}
        names = {m: name or "the network" for name, m in network.named_modules()}
        for module in self.calls:
            if module not in tracer.opaque and not any(True for _ in module.children()):
                continue
            why = tracer.opaque.get(module, "is called as a whole")
            for m in _held(module, {}).values():
                if m is not module and m in names:
                    self.hidden[m] = f"stands in {names[module]} ({type(module).__name__}), which {why}"

    def is_read(self, *tensors: Tensor | None) -> bool:
        """Whether the network's code looked at one of these, and not just the layer it belongs to."""
        return any(x is not None and _place(x) in self._reads for x in tensors)


def _held(thing, found: dict) -> dict:
    """The modules that ``thing`` can reach, in lists and dictionaries of its own, too, by ``id``."""
    if isinstance(thing, MethodType):
        return _held(thing.__self__, found)
    inside = ()
    if isinstance(thing, nn.Module) and id(thing) not in found:
        found[id(thing)] = thing
        inside = vars(thing).values()
    elif isinstance(thing, dict):
        inside = thing.values()
    elif isinstance(thing, list | tuple | set):
        inside = thing
    for part in inside:
        _held(part, found)
    return found


def _place(x: Tensor) -> int:
    return x.untyped_storage()._cdata


class _Whole(nn.Module):
    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        while (inner := _inside(network)) is not None:
            network = inner
        kinds = inspect.signature(network.forward).parameters.values()
        required = [p for p in kinds if p.default is p.empty]
        self.named = [p.name for p in required if p.kind is p.KEYWORD_ONLY]
        positional = [p for p in required if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        self.count = len(positional) or (not self.named)

    def forward(self, inputs):
        positional = (inputs[i] for i in range(self.count))
        return self.network(*positional, **{name: inputs[name] for name in self.named})


def _inside(module: nn.Module) -> nn.Module | None:
    """What a wrapper does nothing but call."""
    if "forward" in vars(module) and not type(module).__module__.startswith("torch._dynamo"):
        return None
    if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return module.module
    if type(module).forward is SpikingNetwork.forward:
        return module.backbone
    return module._modules.get("_orig_mod") if type(module).__name__ == "OptimizedModule" else None


class _StandIn(fx.Proxy):
    """A tensor to those who ask ``isinstance``, since that is what comes once the network is used."""

    @property
    def __class__(self):
        return Tensor


class _Tracer(fx.Tracer):
    def __init__(self, reads: set, neurons: set):
        super().__init__()
        self.reads, self.neurons, self.opaque = reads, neurons, {}

    def is_leaf_module(self, module, name):
        whole = isinstance(module, _BatchNorm | _ConvNd | nn.Linear) or module in self.neurons
        return whole or super().is_leaf_module(module, name)

    def call_module(self, module, forward, args, kwargs):
        name = self.path_of_module(module)
        if module._forward_hooks or module._forward_pre_hooks:
            self.opaque[module] = "has hooks"
        elif _inside(module) is not None or not self.is_leaf_module(module, name):
            try:
                return self._through(module, forward, args, kwargs)
            except Exception as error:  # whatever a network's code makes of a stand-in
                said = f"{type(error).__name__}: {error}".splitlines()[0]
                self.opaque[module] = f"torch.fx cannot trace ({said[:150]})"
        return self.create_proxy("call_module", name, args, kwargs)

    def _through(self, module, forward, args, kwargs):
        inner = _inside(module)
        if inner is not None:
            return inner(*args, **kwargs)
        if isinstance(module, Backbone):  # whose features are read, too
            self.create_proxy("call_function", list, (module.features(*args, **kwargs),), {})
        return forward(*args, **kwargs)

    def getattr(self, attr, attr_val, parameter_proxy_cache):
        if isinstance(attr_val, Tensor):
            self.reads.add(_place(attr_val))
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def proxy(self, node):
        return _StandIn(node, self)

    def create_arg(self, a):
        if isinstance(a, fx.Proxy):
            return a.node
        if isinstance(a, Tensor):
            self.reads.add(_place(a))
        return super().create_arg(a)


class _Reads(TorchDispatchMode):
    """Notes the tensors that are computed with: all others are stand-ins."""

    def __init__(self, reads: set):
        super().__init__()
        self.reads = reads

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.reads.update(_place(x) for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor))
        return function(*args, **(kwargs or {}))
