"""BatchNorm merged into the layer before it, where the flow of data proves that nothing else changes."""

import copy

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from snnbook.backbones.batchnorm import StepBatchNorm2d
from snnbook.deploy.dataflow import Dataflow
from snnbook.errors import UserError, one_line
from snnbook.factorized import own_kind
from snnbook.precision import wide

# BatchNorms, and the layers whose channels are theirs.
PAIRS = {
    nn.BatchNorm1d: (nn.Linear, nn.Conv1d, nn.ConvTranspose1d),
    nn.BatchNorm2d: (nn.Conv2d, nn.ConvTranspose2d),
    nn.BatchNorm3d: (nn.Conv3d, nn.ConvTranspose3d),
}
PAIRS[nn.SyncBatchNorm] = tuple(layer for layers in PAIRS.values() for layer in layers)
PAIRS[StepBatchNorm2d] = PAIRS[nn.BatchNorm2d]  # in evaluation its statistics are shared by all steps
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
# Means over positions, and the axes of what they read.
MEANS = {
    nn.AvgPool1d: 3,
    nn.AvgPool2d: 4,
    nn.AvgPool3d: 5,
    nn.AdaptiveAvgPool1d: 3,
    nn.AdaptiveAvgPool2d: 4,
    nn.AdaptiveAvgPool3d: 5,
}
DROPOUTS = (
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
)


def fold_batchnorm(network: nn.Module) -> nn.Module:
    """A copy of ``network`` for inference whose BatchNorms are merged into the layers before them.

    ``W' = W gamma / sigma`` and ``b' = beta + (b - mu) gamma / sigma`` (Deng et al. 2022, Eq. 6) with the running
    statistics; the merged BatchNorms become identities, so names stay.  Outputs equal the network's in evaluation,
    up to rounding.

    A BatchNorm is merged where it alone reads a convolution or linear layer, directly or through dropout and means
    over positions, each time that either is called.  :func:`batchnorms_left` names the others, which stay as they
    are.  A layer that shared its weights, or composed them of factors, has ones of its own in the copy.

    What is read is one way through ``forward``, with the arguments it must have and without a clock.  One that
    goes other ways by an optional argument, by :func:`snnbook.folding.clock`, by the grad mode or by what it sees
    of its layers is merged as if it did not.

    Args:
        network: any module, such as a backbone or a :class:`SpikingNetwork`; it is left as it is.

    Raises:
        UserError: no module, or one that cannot be copied.
    """
    folded = _copy(network)
    for norm, layer in _plan(network)[0]:
        _merge(folded.get_submodule(layer), folded.get_submodule(norm))
    return folded


def batchnorms_left(network: nn.Module) -> dict[str, str]:
    """The BatchNorms that :func:`fold_batchnorm` leaves, by name, and why."""
    return _plan(network)[1]


def _copy(network: nn.Module) -> nn.Module:
    if not isinstance(network, nn.Module):
        raise UserError(f"BatchNorm is folded in modules of torch, not in {type(network).__name__}")
    try:
        return copy.deepcopy(network).eval()
    except (RuntimeError, TypeError, ValueError) as error:
        raise UserError(
            f"this {type(network).__name__} cannot be copied: {one_line(error)[:200]}; "
            "fold it as it was built or loaded"
        ) from error


def _plan(network: nn.Module) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """Names of BatchNorms with the layers to merge them into, in order; the other BatchNorms with the reason."""
    network = _copy(network)
    names = {m: name for name, m in network.named_modules()}
    left = {norm: "" for norm in names if isinstance(norm, _BatchNorm)}
    if not left:
        return [], {}
    flow, merged = Dataflow(network), {}
    before = None
    while before != len(merged):  # once one is merged, another may be the next to read the layer
        before = len(merged)
        for norm in list(left):
            try:
                merged[norm] = _layer_before(norm, flow, merged, names)
                del left[norm]
            except _Left as reason:
                left[norm] = str(reason)
    return (
        [(names[norm], names[layer]) for norm, layer in merged.items()],
        {names[norm]: reason for norm, reason in left.items()},
    )


class _Left(Exception):
    """Why a BatchNorm cannot be merged."""


def _layer_before(norm: _BatchNorm, flow: Dataflow, merged: dict, names: dict) -> nn.Module:
    """The layer that ``norm`` can be merged into.

    Raises:
        _Left: there is none.
    """
    _check(norm, "", flow)
    if norm.running_mean is None or norm.running_var is None:
        raise _Left("keeps no running statistics")
    if norm.training:
        raise _Left("stays in training mode")
    if norm not in flow.calls:
        raise _Left("is not called by forward")
    ways = [_way_back(node, flow, merged) for node in flow.calls[norm]]
    for source in (way[-1] for way in ways):
        layer = flow.layers.get(source)
        if own_kind(layer) not in PAIRS[type(norm)]:
            what = "the input" if source in flow.inputs else str(source)
            what = what if layer is None else f"{names[layer]} ({type(layer).__name__})"
            raise _Left(f"reads {what}, which is none of {', '.join(c.__name__ for c in PAIRS[type(norm)])}")
    if len({flow.layers[way[-1]] for way in ways}) > 1:
        raise _Left("reads several layers")
    _check(layer, f"{names[layer]}, which it reads,", flow)
    if {way[-1] for way in ways} != set(flow.calls[layer]) or any(len(n.users) > 1 for w in ways for n in w):
        raise _Left(f"is not alone to read {names[layer]}")
    axes = layer.weight.dim()
    for between in (flow.layers[node] for way in ways for node in way[:-1]):
        if MEANS.get(type(between), axes) != axes:
            raise _Left(f"reads means over other axes than those of {names[layer]}")
    return layer


def _way_back(node: fx.Node, flow: Dataflow, merged: dict) -> list[fx.Node]:
    """From what a BatchNorm reads to where that comes from, through what would take the same scale and shift."""
    way = list(node.all_input_nodes)
    while len(way[-1].all_input_nodes) == 1 and _passes(flow.layers.get(way[-1]), merged):
        way += way[-1].all_input_nodes
    return way


def _passes(layer: nn.Module | None, merged: dict) -> bool:
    if layer in merged:
        return True
    if layer is None or "forward" in vars(layer) or _hooked(layer):
        return False
    if type(layer) in MEANS:  # of numbers of the map alone, not of zeros around it
        padding = getattr(layer, "padding", 0)
        return not (any(padding) if isinstance(padding, tuple) else padding) and not getattr(
            layer, "divisor_override", None
        )
    return type(layer) is nn.Identity or (type(layer) in DROPOUTS and not layer.training)


def _hooked(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


def _check(module: nn.Module, what: str, flow: Dataflow) -> None:
    """That ``module`` computes what torch's class does, from parameters that none but it reads."""
    own, kind, why = dict(module._parameters), own_kind(module), ""
    if kind is not type(module):
        own |= {"weight": None, **dict(module.factors.named_parameters())}
    if module in flow.hidden:
        why = flow.hidden[module]
    elif kind not in {*PAIRS, *PAIRS[nn.SyncBatchNorm]}:
        why = f"is a {kind.__name__}, none of torch's own layers"
    elif "forward" in vars(module) or _hooked(module):
        why = "has hooks or a forward of its own"
    elif not {"weight", "bias"} <= own.keys() or flow.is_read(*own.values(), *module._buffers.values()):
        why = "has weights that are set or read elsewhere, too"
    if why:
        raise _Left(f"{what} {why}".strip())


@torch.no_grad()
def _merge(layer: nn.Module, norm: _BatchNorm) -> None:
    """Both are changed in place, so that whatever holds them, by whatever name, sees the same."""
    weight, bias = layer.weight, layer.bias
    dtype = wide(weight)
    mean, inverse = norm.running_mean.to(dtype), torch.rsqrt(norm.running_var.to(dtype) + norm.eps)
    gamma = torch.ones_like(mean) if norm.weight is None else norm.weight.to(dtype)
    beta = torch.zeros_like(mean) if norm.bias is None else norm.bias.to(dtype)
    scale = gamma * inverse
    groups = (
        layer.groups if isinstance(layer, TRANSPOSED) else 1
    )  # else channels come first, whatever the groups
    scaled = weight.to(dtype).unflatten(0, (groups, -1))
    if isinstance(layer, TRANSPOSED):
        shape = (groups, 1, -1)
    else:
        shape = (1, -1)
    scaled = scaled * scale.view(*shape, *[1] * (scaled.dim() - len(shape)))
    shift = (0 if bias is None else bias.to(dtype)) - mean
    layer.weight = _parameter(scaled.flatten(0, 1), weight)
    layer.bias = _parameter(shift * inverse * gamma + beta, weight)
    plain = (nn.BatchNorm2d, nn.BatchNorm3d, StepBatchNorm2d)
    norm.__class__ = nn.Identity if type(norm) in plain else Merged
    norm.axes = weight.dim()
    norm._parameters.clear()
    norm._buffers.clear()


def _parameter(x: Tensor, like: Tensor) -> nn.Parameter:
    learns = like.requires_grad or not isinstance(like, nn.Parameter)  # composed here, without gradients
    return nn.Parameter(x.to(like.dtype), requires_grad=learns)


class Merged(nn.Identity):
    """What is left of a BatchNorm that took the second axis for channels, whatever came.

    Attributes:
        axes: of the layer that it was merged into, whose channels are the second axis for so many alone.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != self.axes:
            raise UserError(
                f"a BatchNorm that was merged into the layer before it got shape {list(x.shape)}; expected "
                f"{self.axes} axes, of which the second has the channels; use the network that was not folded"
            )
        return x
