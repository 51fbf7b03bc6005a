"""Weights of few bits, by torch's own rounding.

torchao, which one would reach for, keeps 8-bit weights of linear layers alone: its tensors (0.18) know of no
convolution.
"""

import torch
from torch import Tensor, nn

from snnbook.checks import whole
from snnbook.deploy.batchnorm import fold_batchnorm
from snnbook.deploy.own_weights import own_weights
from snnbook.deploy.wiring import checked_network
from snnbook.folding import SpikingNetwork

WEIGHTED = (nn.Conv2d, nn.Linear)


def round_weights(network: SpikingNetwork, bits: int = 8) -> SpikingNetwork:
    """A copy of ``network`` for inference whose weights are whole multiples of a scale, one for each output.

    ``w = s q`` with ``q`` of ``-(2**(bits-1) - 1)`` to as much and ``s`` from the largest weight of the output
    (symmetric, rounded after training, no data needed).  BatchNorm is folded first, as it scales weights.  Biases,
    neurons and sums stay in float32, as they do on devices that keep 8-bit weights.  Weights that layers shared
    or composed of factors are each layer's own in the copy.

    Args:
        network: in float32, on the CPU; left as it is.
        bits: of a weight, its sign among them, from 2 to 16.

    Raises:
        UserError: no such network, or no such bits; a weight that a hook computes.
    """
    return rounded(network, bits)[0]


@torch.no_grad()
def rounded(network: SpikingNetwork, bits: int) -> tuple[SpikingNetwork, dict[str, Tensor]]:
    """As :func:`round_weights`, and the scales ``[outputs]`` by the weights' names."""
    most = 2 ** (whole(bits, "bits", 2, 16) - 1) - 1
    made, scales = own_weights(fold_batchnorm(checked_network(network))), {}
    for name, layer in made.named_modules():
        if isinstance(layer, WEIGHTED):
            scale = (layer.weight.abs().flatten(1).amax(1) / most).clamp(min=torch.finfo(torch.float32).tiny)
            zero = torch.zeros_like(scale, dtype=torch.int32)
            layer.weight.copy_(
                torch.fake_quantize_per_channel_affine(layer.weight, scale, zero, 0, -most, most)
            )
            scales[f"{name}.weight"] = scale
    return made, scales
