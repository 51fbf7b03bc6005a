"""Synaptic operations: how many weights an input meets."""

import torch
from torch import Tensor, nn

from snnbook.precision import full_precision

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED)
COUNTED = (nn.Linear, *CONVOLUTIONS)


def fan_out(layer: nn.Module, space: tuple[int, ...] = ()) -> Tensor:
    """How many weights each input entry of a layer is multiplied with, in one pass.

    With all weights 1, the sum of all outputs grows by just that number when the entry grows by 1: it is the
    gradient of that sum.  Taps in the padding read no entry and are not counted; where the padding repeats
    entries (``padding_mode="circular"``, for instance), they are.

    Args:
        layer: linear, or a convolution of any kind.
        space: the input's axes behind the channels, ``(H, W)`` for images; of a convolution alone.

    Returns:
        A map of shape ``space``, the same for all channels, in float64, on the CPU.
    """
    if isinstance(layer, nn.Linear):
        return torch.tensor(float(layer.out_features), dtype=torch.float64, device="cpu")
    kind = next(kind for kind in CONVOLUTIONS if isinstance(layer, kind))
    geometry = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation}
    if kind in TRANSPOSED:
        geometry["output_padding"] = layer.output_padding
    cpu = torch.device("cpu")
    with torch.inference_mode(False), torch.enable_grad(), full_precision(cpu), cpu:
        # One channel stands for all; skip_init draws no random numbers.
        ones = nn.utils.skip_init(
            kind, 1, 1, layer.kernel_size, bias=False, padding_mode=layer.padding_mode, **geometry
        ).double()
        nn.init.ones_(ones.weight)
        probe = torch.zeros(1, 1, *space, dtype=torch.float64, requires_grad=True)
        (one_channel,) = torch.autograd.grad(ones(probe).sum(), probe)
    return one_channel[0, 0] * (layer.out_channels // layer.groups)


def padded(layer: nn.Module, x: Tensor, output: Tensor) -> int:
    """Operations of one pass if taps in the padding and zero inputs count: weights times their positions."""
    if isinstance(layer, nn.Linear):
        return x.numel() * layer.out_features
    positions = x if isinstance(layer, TRANSPOSED) else output
    return layer.weight.numel() * positions[:, 0].numel()
