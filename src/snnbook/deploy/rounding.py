"""Weights of few bits, by torch's own rounding.

torchao, which one would reach for, keeps 8-bit weights of linear layers alone: its tensors (0.18) know of no
convolution.
"""

import torch
from torch import Tensor, nn

from snnbook.checks import whole
from snnbook.deploy.batchnorm import PAIRS, TRANSPOSED, fold_batchnorm
from snnbook.deploy.own_weights import own_weights
from snnbook.deploy.wiring import checked_network
from snnbook.errors import UserError
from snnbook.folding import SpikingNetwork

WEIGHTED = PAIRS[nn.SyncBatchNorm]  # all convolutions and linear layers
OTHERS = (nn.Bilinear, nn.Embedding, nn.EmbeddingBag, nn.MultiheadAttention, nn.RNNBase, nn.RNNCellBase)


def round_weights(network: SpikingNetwork, bits: int = 8) -> SpikingNetwork:
    """A copy of ``network`` for inference whose weights are whole multiples of a scale, one for each output.

    ``w = s q`` with ``q`` of ``-(2**(bits-1) - 1)`` to as much and ``s`` from the largest weight of the output
    (symmetric, rounded after training, no data needed).  BatchNorm is folded first, as it scales weights.  All
    convolutions, transposed ones, too, and linear layers are rounded; biases, neurons, sums and what layers of
    your own keep stay in float32, as they do on devices that keep 8-bit weights.  Weights that layers shared or
    composed of factors are each layer's own in the copy.

    Args:
        network: in float32, on the CPU; left as it is.
        bits: of a weight, its sign among them, from 2 to 16.

    Raises:
        UserError: no such network, or no such bits; a weight that a hook computes; a layer of torch's with weights
            that is neither a convolution nor linear.
    """
    return rounded(network, bits)[0]


@torch.no_grad()
def rounded(network: SpikingNetwork, bits: int) -> tuple[SpikingNetwork, dict[str, Tensor]]:
    """As :func:`round_weights`, and the scales ``[outputs]`` by the weights' names."""
    most = 2 ** (whole(bits, "bits", 2, 16) - 1) - 1
    made, scales = own_weights(fold_batchnorm(checked_network(network))), {}
    for name, layer in made.named_modules():
        if isinstance(layer, OTHERS):
            known = ", ".join(kind.__name__ for kind in WEIGHTED)
            raise UserError(
                f"{name} is {type(layer).__name__}, whose weights are not rounded; known are {known}"
            )
        if isinstance(layer, WEIGHTED):
            axis, found = output_axis(layer), []
            groups = layer.groups if axis else 1
            for part in layer.weight.chunk(groups):  # views, each with outputs of its own
                scale = part.abs().transpose(0, axis).flatten(1).amax(1) / most
                found.append(scale.clamp(min=torch.finfo(torch.float32).tiny))
                zero = torch.zeros_like(scale, dtype=torch.int32)
                part.copy_(torch.fake_quantize_per_channel_affine(part, found[-1], zero, axis, -most, most))
            scales[f"{name}.weight"] = torch.cat(found)
    return made, scales


def output_axis(layer: nn.Module) -> int:
    """The axis of a weight that counts outputs; in a transposed convolution those of one group."""
    return 1 if isinstance(layer, TRANSPOSED) else 0
