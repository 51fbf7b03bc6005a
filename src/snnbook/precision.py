"""Computing in full precision where autocast would compute in half."""

from contextlib import nullcontext

import torch


def full_precision(device: torch.device):
    """A context without autocast; devices that know none (meta, which has shapes alone) need none."""
    kind = device.type
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()
