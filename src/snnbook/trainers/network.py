"""The network a method trains: built from its settings, or one of your own."""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from snnbook.backbones import NetworkConfig, build_ann, build_snn
from snnbook.checks import shown
from snnbook.errors import UserError
from snnbook.folding import SpikingNetwork
from snnbook.losses import LABEL_LOSSES
from snnbook.neurons import LIF

LabelLoss = Callable[[Tensor, Tensor], Tensor]


def given_or_built(
    network: NetworkConfig | nn.Module, num_classes: int | None, in_channels: int, kind: str = "snn"
) -> nn.Module:
    """``network`` itself if it is one, else a new one of those settings.

    Args:
        network: settings; or a :class:`snnbook.folding.SpikingNetwork` around any module, or, for an ANN, any
            module that maps images to logits ``[B, classes]``.
        num_classes, in_channels: of the network to be built; one of your own has them already.
        kind: ``"snn"`` or ``"ann"``.

    Raises:
        UserError: neither settings nor a network of that kind; settings without a number of classes.
    """
    if isinstance(network, NetworkConfig):
        if num_classes is None:
            raise UserError("num_classes is not given; expected the number of classes to build a network for")
        return (build_snn if kind == "snn" else build_ann)(network, num_classes, in_channels)
    if not isinstance(network, nn.Module) or isinstance(network, type):
        raise UserError(f"network is {shown(network)}; expected a NetworkConfig, or an nn.Module of your own")
    inside = network._modules.get("_orig_mod", network)  # of what torch.compile wraps
    if isinstance(inside, SpikingNetwork) != (kind == "snn"):
        hint = "SpikingNetwork(module, T)" if kind == "snn" else "a module without time; or train an 'snn'"
        raise UserError(
            f"network is a {type(inside).__name__} and the method trains an {kind.upper()}; expected {hint}"
        )
    if inside is not network and kind == "snn":
        raise UserError(
            "network is compiled; expected the SpikingNetwork itself; recipe.compile compiles the method whole"
        )
    return network


def label_loss(name: str, network: nn.Module) -> LabelLoss:
    """The loss called ``name`` of a network's readout over time; TET's draws it to the network's threshold.

    Raises:
        UserError: as :func:`threshold`, for ``"tet"``.
    """
    return partial(LABEL_LOSSES[name], phi=threshold(network)) if name == "tet" else LABEL_LOSSES[name]


def threshold(network: nn.Module) -> float:
    """The threshold that all spiking neurons of a network have; where it is learned, the one they have by now.

    Raises:
        UserError: it has no neuron of this library, or neurons of several thresholds.
    """
    neurons = [layer for layer in network.modules() if isinstance(layer, LIF)]
    thresholds = [layer.threshold for layer in neurons]
    found = sorted({float(x.detach()) if isinstance(x, Tensor) else x for x in thresholds})
    if len(found) != 1:
        has = (
            f"neurons of thresholds {', '.join(f'{x:g}' for x in found)}" if found else "no neuron of snnbook"
        )
        raise UserError(
            f"the network has {has}, so phi cannot follow its threshold; give method.phi a number"
        )
    return found[0]
