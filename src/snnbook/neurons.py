"""Spiking neurons: leaky integrate-and-fire and its two relatives.

One equation (Guo et al. 2023, Eqs. 1-2; Deng et al. 2022, Eqs. 1-2), with decay beta, threshold theta,
membrane potential u and input current c::

    u[t] = beta * u[t-1] + c[t]          charge and leak
    s[t] = 1 if u[t] > theta else 0      fire
    u[t] = u[t] * (1 - s[t])             reset

Networks fold time into the batch, so a neuron takes ``[T*B, ...]``, unfolds it to ``[T, B, ...]``, runs the
recurrence from a potential of zero, and folds the spikes again.  It holds no state between calls.
"""

import inspect

import torch
from torch import Tensor, nn

from snnbook import kernels, surrogates
from snnbook.errors import UserError
from snnbook.folding import fold, unfold
from snnbook.kernels import Dynamics
from snnbook.surrogates import Rectangle, Surrogate, Triangle


class LIF(nn.Module):
    """Leaky integrate-and-fire neurons over folded time.

    Args:
        decay: share of the potential kept from one step to the next, in (0, 1].
        threshold: potential at which a neuron fires, above 0.
        surrogate: derivative of the spike in the backward pass.
        strict: fire at ``u > threshold`` (True) or ``u >= threshold`` (False).
        reset: ``"hard"`` (to 0) or ``"soft"`` (minus the threshold).
        detach_reset: leave the reset out of the gradient.
        smooth: put out the surrogate's own integral instead of a spike: no longer a spiking neuron, but one whose
            gradient is true (the ablation of Deng et al. 2022, Table 2).
        time_steps: T, how many steps are folded into the leading axis.

    Attributes:
        repeat: the input is one step ``[B, ...]`` that recurs at each step (a static image's current).
            :class:`snnbook.folding.SpikingNetwork` sets it on the first neuron.

    Shape: ``[T*B, ...]`` (``[B, ...]`` if ``repeat``) to ``[T*B, ...]``; spikes have the input's dtype.

    Raises:
        UserError: a decay, threshold, reset or T that makes no sense; integer input.
    """

    def __init__(
        self,
        decay: float = 0.5,
        threshold: float = 1.0,
        surrogate: Surrogate = Triangle(),  # noqa: B008  (frozen)
        strict: bool = True,
        reset: str = "hard",
        detach_reset: bool = False,
        smooth: bool = False,
        time_steps: int = 1,
    ):
        super().__init__()
        if not 0 < decay <= 1:
            raise UserError(
                f"decay is {decay}; expected a number in (0, 1]; 1 makes a neuron that never leaks"
            )
        if threshold <= 0:
            raise UserError(f"threshold is {threshold}; expected a number above 0")
        if reset not in ("hard", "soft"):
            raise UserError(f"reset is {reset!r}; expected 'hard' (to 0) or 'soft' (minus the threshold)")
        self.dynamics = Dynamics(threshold, surrogate, strict, reset == "hard", detach_reset, smooth)
        self.decay = decay
        self.time_steps = time_steps
        self.repeat = False

    def forward(self, current: Tensor) -> Tensor:
        if not current.is_floating_point():
            raise UserError(
                f"neurons integrate floating-point currents, not {current.dtype}; call .float() first"
            )
        if self.repeat:
            current = current.expand(self.time_steps, *current.shape)
        else:
            current = unfold(current, self.time_steps)
        return fold(kernels.lif(current, self.dynamics, self.decay))

    def extra_repr(self) -> str:
        d = self.dynamics
        return f"T={self.time_steps}, decay={float(self.decay):g}, threshold={d.threshold:g}, {d.surrogate}"


class IF(LIF):
    """Integrate-and-fire: a :class:`LIF` that never leaks (decay 1)."""

    def __init__(self, **options):
        super().__init__(decay=1.0, **options)


class PLIF(LIF):
    """Parametric LIF: one decay for the layer, learned as ``sigmoid(w)`` (Fang et al. 2021).

    Args:
        decay: initial decay, in (0, 1); the other arguments are :class:`LIF`'s.
    """

    def __init__(self, decay: float = 0.5, **options):
        if decay == 1:
            raise UserError("a learned decay cannot start at 1; expected a number in (0, 1); IF never leaks")
        super().__init__(decay=decay, **options)

    @property
    def decay(self) -> Tensor:
        return torch.sigmoid(self.w)

    @decay.setter
    def decay(self, value: float) -> None:
        self.w = nn.Parameter(torch.logit(torch.tensor(float(value))))


# What each paper's neuron is: its text where it says, its public code where it does not.
PRESETS = {
    "joint_asnn": dict(decay=0.25, threshold=0.5, surrogate=Rectangle(1.0), strict=False),
    "tet": dict(decay=0.5, threshold=1.0, surrogate=Triangle(1.0), strict=True),
    "sastc": dict(decay=0.5, threshold=1.0, surrogate=Triangle(1.0), strict=True),
}


def preset(name: str, **changes) -> LIF:
    """The LIF neuron of a paper, with changes to single settings.

    Args:
        name: ``joint_asnn``, ``tet`` or ``sastc``.
        changes: arguments of :class:`LIF`; a surrogate may be written as ``{"name": "sigmoid", "k": 10}``.

    Raises:
        UserError: no such preset, setting or surrogate.
    """
    if name not in PRESETS:
        raise UserError(f"no neuron preset {name!r}; expected one of {', '.join(PRESETS)}")
    known = inspect.signature(LIF).parameters
    for key in changes:
        if key not in known:
            raise UserError(f"a neuron has no setting {key!r}; expected one of {', '.join(known)}")
    if isinstance(changes.get("surrogate"), dict):
        changes["surrogate"] = surrogates.named(**changes["surrogate"])
    return LIF(**{**PRESETS[name], **changes})
