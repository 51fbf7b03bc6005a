"""NaN is never "no spike": weights and statistics that are no numbers stop a run and do not end in its record."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedTensorMixin

from snnbook.factorized import without_factors

# Of buffers, those that training computes.  Others may hold an infinity on purpose, as masks do, but never NaN.
STATISTICS = ("running_mean", "running_var")


def first_damaged(module: nn.Module, values: Mapping[str, Tensor] | None = None) -> str | None:
    """The name of the first tensor that holds NaN, or an infinity where none belongs; None if all are sound.

    Args:
        module: says which names are buffers.
        values: tensors by their names in ``module``; None takes the module's own parameters and buffers, and
            weights composed of factors outside it.
    """
    buffers = dict(module.named_buffers())
    if values is None:
        composed = {f"{name}.weight": layer.weight for name, layer in without_factors(module).items()}
        values = {**dict(module.named_parameters()), **buffers, **composed}
    masks = {name for name in buffers if name.rpartition(".")[2] not in STATISTICS}
    sound = {name: _sound(value, name in masks) for name, value in values.items() if _has_fractions(value)}
    flags = list(sound.values())
    # One look at all, or a GPU would wait for each.
    if not flags or torch.stack([flag.to(flags[0].device) for flag in flags]).all():
        return None
    return next(name for name, flag in sound.items() if not flag)


@torch.no_grad()
def _sound(value: Tensor, infinite: bool) -> Tensor:
    if value.layout != torch.strided:
        value = value._values() if value.layout == torch.sparse_coo else value.values()
    value = value.float() if value.element_size() == 1 else value  # of 8-bit floats torch knows little
    return ~value.isnan().any() if infinite else value.isfinite().all()


def _has_fractions(value: Tensor) -> bool:
    lazy = isinstance(value, UninitializedTensorMixin)  # nothing yet
    return not lazy and (value.is_floating_point() or value.is_complex())
