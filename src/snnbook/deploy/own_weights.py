"""Weights that a layer can be given: neither composed anew when they are read, nor another layer's, too."""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from snnbook.errors import UserError
from snnbook.factorized import own_kind


@torch.no_grad()
def own_weights(network: nn.Module) -> nn.Module:
    """``network``, changed so that each of its layers has weights of its own, with the same values.

    What is written into a weight that factors or a parametrization compose is lost; what is written into one that
    several layers share reaches them all.

    Raises:
        UserError: a layer whose weight a hook computes at each call, as pruning does.
    """
    composed, seen = [], set()
    for name, layer in network.named_modules():
        if isinstance(vars(layer).get("weight"), Tensor) and layer._forward_pre_hooks:
            raise UserError(
                f"{name}.weight is computed by a hook at each call; make it permanent first, "
                "by torch.nn.utils.prune.remove or remove_weight_norm"
            )
        names = list(layer.parametrizations) if parametrize.is_parametrized(layer) else []
        if own_kind(layer) is not type(layer):
            names.append("weight")
        names += [key for key, x in layer._parameters.items() if x is not None and id(x) in seen]
        seen |= {id(x) for x in layer._parameters.values()}
        read = ((key, getattr(layer, key)) for key in names)
        composed += [(layer, key, value.clone(), value.requires_grad) for key, value in read]
    for layer, key, value, learned in composed:
        if parametrize.is_parametrized(layer):  # torch removes them from the class, which copies share
            layer.__class__ = parametrize.type_before_parametrizations(layer)
            del layer.parametrizations
        setattr(layer, key, nn.Parameter(value, learned))
    return network
