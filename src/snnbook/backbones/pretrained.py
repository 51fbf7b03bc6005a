"""Weights trained elsewhere, for networks that are the same up to the names of their parts."""

from collections.abc import Mapping

from torch import Tensor, nn

from snnbook.errors import UserError


def load_torchvision_resnet(network: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    """Give ``spiking_resnet18`` or ``spiking_resnet34`` the weights of torchvision's ResNet of that depth.

    The networks list their parts in the same order and differ in names alone, so the order is the mapping.

    Args:
        network: built for as many classes as the weights know; an ANN, or the backbone of an SNN.
        weights: a state dict, for instance ``ResNet34_Weights.IMAGENET1K_V1.get_state_dict()``.

    Returns:
        ``network``, with the weights.

    Raises:
        UserError: another number of tensors, or one of another shape; the network keeps its own weights.
    """
    ours = network.state_dict()
    if len(ours) != len(weights):
        raise UserError(
            f"the weights hold {len(weights)} tensors and the network {len(ours)}; "
            "expected a torchvision ResNet of the same depth"
        )
    for (name, mine), (theirs, value) in zip(ours.items(), weights.items(), strict=True):
        if mine.shape != value.shape:
            raise UserError(
                f"{theirs} has shape {list(value.shape)} but {name} has {list(mine.shape)}; "
                "expected a torchvision ResNet of the same depth, width and classes"
            )
    network.load_state_dict(dict(zip(ours, weights.values(), strict=True)))
    return network
