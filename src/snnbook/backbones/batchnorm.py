"""BatchNorm as a loop over time has it: one layer, called once a time step.

In folded networks BatchNorm's statistics run over time and batch together.  Whoever writes a loop over time
calls the same layer at each step, so that each step is normalized by itself, and the running statistics are moved
T times a batch.  In evaluation every step is normalized with those, so that what tells steps apart is there again:
the network that is tested is not the one that was trained.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from snnbook.folding import clock

STATISTICS = ("joint", "step")


class StepBatchNorm2d(nn.BatchNorm2d):
    """torch's BatchNorm2d, on the statistics of each time step alone in training, and always if it keeps none.

    Parameters and running statistics are shared by all steps.  How many there are, the
    :class:`snnbook.folding.SpikingNetwork` around it says; in a network without time it is torch's own.
    """

    def forward(self, x: Tensor) -> Tensor:
        by_batch = self.training or self.running_mean is None
        return each_step(super().forward, x) if by_batch else super().forward(x)


def each_step(run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """``run`` of each time step of ``x``, ``[T*B, ...]``, in turn.

    What stands still, ``[B, ...]``, is the same at each step: ``run`` sees it T times, and the last result stays.
    """
    now = clock()
    if now is None:
        return run(x)
    if now.still and not now.begun and x.shape[0] == now.batch:
        return [run(x) for _ in range(now.time_steps)][-1]
    return torch.cat([run(step) for step in x.chunk(now.time_steps)])


def by_step(network: nn.Module) -> nn.Module:
    """``network``, each of whose ``nn.BatchNorm2d`` is now a :class:`StepBatchNorm2d`."""
    for norm in network.modules():
        if type(norm) is nn.BatchNorm2d:
            norm.__class__ = StepBatchNorm2d
    return network
