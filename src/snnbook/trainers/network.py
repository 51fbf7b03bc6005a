"""The network a method trains: built from its settings, or one of your own."""

from torch import nn

from snnbook.backbones import NetworkConfig, build_ann, build_snn
from snnbook.checks import shown
from snnbook.errors import UserError
from snnbook.folding import SpikingNetwork


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
    if isinstance(network, SpikingNetwork) != (kind == "snn"):
        hint = "SpikingNetwork(module, T)" if kind == "snn" else "a module without time; or train an 'snn'"
        raise UserError(
            f"network is a {type(network).__name__} and the method trains an {kind.upper()}; expected {hint}"
        )
    return network
