"""Computing in full precision where autocast would compute in half."""

from contextlib import nullcontext

import torch
from torch import Tensor


def full_precision(device: torch.device):
    """A context without autocast; devices that know none (meta, which has shapes alone) need none."""
    kind = device.type
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()


def at_least_single(x: Tensor) -> Tensor:
    """``x`` in float32, or in float64 if it is in float64."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
