"""The recurrence as one would write it on a blackboard; every other kernel must equal it."""

from collections.abc import Callable

import torch
from torch import Tensor

from snnbook.kernels.dynamics import Dynamics
from snnbook.surrogates import spike


def lif_reference(
    current: Tensor,
    dynamics: Dynamics,
    decay: Tensor | float,
    recurrence: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Leaky integrate and fire (Guo et al. 2023, Eqs. 1-2; Deng et al. 2022, Eqs. 1-3).

    Args:
        current: input current ``[T, ...]``; the potential starts at 0.
        dynamics: threshold, surrogate, firing and reset rules.
        decay: factor kept of the potential from one step to the next; a number or a 0-d tensor.
        recurrence: the current that a step's spikes ``[...]`` add to the next one's.

    Returns:
        Spikes, 0 or 1 (anything between for smooth dynamics), shaped and typed as ``current``.
    """
    u, spikes = torch.zeros_like(current[0]), []
    for c in current:
        if recurrence is not None and spikes:
            c = c + recurrence(spikes[-1])
        u = decay * u + c
        x = u - dynamics.threshold
        if dynamics.smooth:
            s = dynamics.surrogate.smooth(x)
        else:
            s = spike(x, dynamics.surrogate, dynamics.strict)
        spikes.append(s)
        fired = s.detach() if dynamics.detach_reset else s
        u = u * (1 - fired) if dynamics.hard_reset else u - dynamics.threshold * fired
    return torch.stack(spikes)
