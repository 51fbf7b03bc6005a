"""The leaky integrate-and-fire recurrence, once to read and once to run fast.

``lif(current, dynamics, decay)`` has one meaning and several bodies; parity between them is tested.
"""

import os

from torch import Tensor

from snnbook.errors import UserError
from snnbook.kernels.dynamics import Dynamics
from snnbook.kernels.lif_autograd import lif_autograd
from snnbook.kernels.reference import lif_reference

KERNELS = {"reference": lif_reference, "autograd": lif_autograd}

__all__ = ["KERNELS", "Dynamics", "kernel_name", "lif"]


def kernel_name() -> str:
    """The kernel in use: ``autograd``, or what the environment variable ``SNNBOOK_KERNEL`` names.

    Raises:
        UserError: the variable names no kernel.
    """
    name = os.environ.get("SNNBOOK_KERNEL", "autograd")
    if name not in KERNELS:
        raise UserError(f"SNNBOOK_KERNEL={name} is no kernel; expected one of {', '.join(KERNELS)}; unset it")
    return name


def lif(current: Tensor, dynamics: Dynamics, decay: Tensor | float) -> Tensor:
    """Spikes ``[T, ...]`` of integrate-and-fire neurons driven by ``current`` ``[T, ...]``.

    Smooth dynamics have no spikes, which the fast kernels are written for: the reference computes them.
    """
    if dynamics.smooth:
        return lif_reference(current, dynamics, decay)
    return KERNELS[kernel_name()](current, dynamics, decay)
