"""What a training step must compute, counted from shapes alone."""

from collections.abc import Callable

import torch
from torch import nn

from snnbook.operations import operations


def training_flops(build: Callable[[], nn.Module], shape: tuple[int, ...]) -> int:
    """Floating point operations of convolutions and matrix products in one training step, forward and backward.

    They are nearly all there is, and no batching spares them: a limit for any implementation on dense hardware,
    which computes with zeros, those of the padding among them (:func:`.energy_of_computation` does not).
    A product and the sum it goes into are two operations.  Nothing is computed and no memory is taken, so that
    networks of any size can be asked about.

    Args:
        build: makes a method (see :mod:`snnbook.trainers`); its tensors have shapes and no values (device meta).
        shape: of a batch of images, ``[B, C, H, W]``.
    """
    with torch.device("meta"), torch.enable_grad():
        method = build()
        images, labels = torch.empty(shape), torch.zeros(shape[0], dtype=torch.long)
        return operations(lambda: sum(method(images, labels).values()).backward())
