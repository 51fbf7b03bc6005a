"""The leaky integrate-and-fire recurrence, once to read and once to run fast.

``lif(current, dynamics, decay)`` has one meaning and several bodies; parity between them is tested.
"""

import os

import torch
from torch import Tensor

from snnbook.errors import UserError
from snnbook.kernels.autograd import lif_autograd
from snnbook.kernels.compiled import lif_compiled
from snnbook.kernels.dynamics import Dynamics
from snnbook.kernels.reference import lif_reference
from snnbook.kernels.triton import INSTALLED, TYPES, lif_triton

KERNELS = {
    "reference": lif_reference,
    "autograd": lif_autograd,
    "compiled": lif_compiled,
    "triton": lif_triton,
}

__all__ = ["KERNELS", "Dynamics", "kernel_name", "lif"]


def kernel_name(device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> str:
    """The kernel for currents of ``dtype`` on ``device``, unless the variable ``SNNBOOK_KERNEL`` names one.

    Raises:
        UserError: the variable names no kernel.
    """
    if chosen := os.environ.get("SNNBOOK_KERNEL"):
        if chosen not in KERNELS:
            raise UserError(
                f"SNNBOOK_KERNEL={chosen} is no kernel; expected one of {', '.join(KERNELS)}; unset it"
            )
        return chosen
    if torch.device(device).type == "cuda" and INSTALLED and dtype in TYPES:
        return "triton"
    # A compiler fuses the same equations with what stands around them, given a form it can read.
    return "compiled" if torch.compiler.is_compiling() else "autograd"


def lif(current: Tensor, dynamics: Dynamics, decay: Tensor | float) -> Tensor:
    """Spikes ``[T, ...]`` of integrate-and-fire neurons driven by ``current`` ``[T, ...]``.

    What a kernel does not know (smooth dynamics, learned thresholds, some surrogates) it leaves to the reference.
    """
    return KERNELS[kernel_name(current.device, current.dtype)](current, dynamics, decay)
