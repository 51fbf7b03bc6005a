"""Images as networks take them, or one line that says why they cannot be taken."""

import torch
from torch import Tensor, nn

from snnbook.errors import UserError

SHAPES = "[B, C, H, W] for static images or [T, B, C, H, W] for frames"
VECTORS = (
    "; vectors x [B, N] are images of one pixel: x[:, :, None, None], behind which nn.Flatten() is first"
)


def check_images(images: Tensor, time_steps: int, otherwise: str = "call set_time_steps(network, T)") -> None:
    """Raise a UserError unless ``images`` are static ones or frames of so many steps.

    Args:
        images: of any kind.
        time_steps: T of the network.
        otherwise: how the network gets another T, in messages.
    """
    if not isinstance(images, Tensor):
        raise UserError(f"images are {type(images).__name__}; expected a tensor {SHAPES}")
    if images.dim() not in (4, 5):
        hint = VECTORS if images.dim() == 2 else ""
        raise UserError(f"images have shape {list(images.shape)}; expected {SHAPES}{hint}")
    if images.dim() == 5 and images.shape[0] != time_steps:
        raise UserError(
            f"frames have {images.shape[0]} steps but the network runs T = {time_steps}; "
            f"{otherwise} or pass [B, C, H, W] for a static image"
        )


def misfit(images: Tensor, network: nn.Module) -> str | None:
    """What may be the reason that ``network`` failed at ``images``, and what to do; None if they look right."""
    first = next((p for p in network.parameters() if p.is_floating_point()), None)
    conv = next((m for m in network.modules() if isinstance(m, nn.Conv2d)), None)
    if not images.numel():
        return f"images have shape {list(images.shape)}, which is empty; expected at least one pixel"
    if images.layout != torch.strided:
        return "images are sparse; expected a dense tensor; call .to_dense()"
    if first is not None and images.device != first.device:
        return f"images are on {images.device}, the network on {first.device}; move them with .to({first.device})"
    if first is not None and images.dtype != first.dtype:
        kinds = [str(dtype).removeprefix("torch.") for dtype in (images.dtype, first.dtype)]
        return f"images are {kinds[0]}, the network's weights {kinds[1]}; call .to(torch.{kinds[1]}); bytes / 255"
    if conv is not None and images.shape[-3] != conv.in_channels:
        return f"images have {images.shape[-3]} channels, the network is built for {conv.in_channels}"
    return None
