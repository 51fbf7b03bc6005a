"""The leaky integrate-and-fire recurrence, once to read and once to run fast.

``lif(current, dynamics, decay)`` has one meaning and several bodies; parity between them is tested.
"""

import os

import torch
from torch import Tensor

from snnbook.errors import UserError
from snnbook.kernels.dynamics import Dynamics
from snnbook.kernels.lif_autograd import lif_autograd
from snnbook.kernels.lif_compiled import lif_compiled
from snnbook.kernels.reference import lif_reference

KERNELS = {"reference": lif_reference, "autograd": lif_autograd, "compiled": lif_compiled}

__all__ = ["KERNELS", "Dynamics", "kernel_name", "lif"]


def kernel_name(device: torch.device | str = "cpu") -> str:
    """The kernel that runs on ``device``, unless the environment variable ``SNNBOOK_KERNEL`` names another.

    Raises:
        UserError: the variable names no kernel.
    """
    name = os.environ.get("SNNBOOK_KERNEL", "autograd")
    if name not in KERNELS:
        raise UserError(f"SNNBOOK_KERNEL={name} is no kernel; expected one of {', '.join(KERNELS)}; unset it")
    if name == "autograd" and torch.compiler.is_compiling():
        return "compiled"  # the same equations, in a form a compiler can fuse with what stands around them
    return name


def lif(current: Tensor, dynamics: Dynamics, decay: Tensor | float) -> Tensor:
    """Spikes ``[T, ...]`` of integrate-and-fire neurons driven by ``current`` ``[T, ...]``.

    Smooth dynamics have no spikes, which the fast kernels are written for: the reference computes them.
    """
    if dynamics.smooth:
        return lif_reference(current, dynamics, decay)
    return KERNELS[kernel_name(current.device)](current, dynamics, decay)
