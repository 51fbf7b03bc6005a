"""Spiking neurons: leaky integrate-and-fire and its two relatives.

One equation (Guo et al. 2023, Eqs. 1-2; Deng et al. 2022, Eqs. 1-3), with decay beta, threshold theta,
membrane potential u and input current c::

    u[t] = beta * u[t-1] + c[t]          charge and leak
    s[t] = 1 if u[t] > theta else 0      fire
    u[t] = u[t] * (1 - s[t])             reset

Networks fold time into the batch, so a neuron takes ``[T*B, ...]``, unfolds it to ``[T, B, ...]``, runs the
recurrence from a potential of zero, and folds the spikes again.  It holds no state between calls: inside a
:class:`snnbook.folding.SpikingNetwork` even T is said anew at each.
"""

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from snnbook import kernels, surrogates
from snnbook.checks import check_flag, shown
from snnbook.errors import UserError
from snnbook.folding import check_time_steps, fold, unfold_current
from snnbook.kernels import Dynamics
from snnbook.kernels.dynamics import number
from snnbook.kernels.reference import lif_reference
from snnbook.surrogates import Rectangle, Surrogate, Triangle, try_out


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
        time_steps: T, how many steps are folded into the leading axis of a neuron that is in no network.  With the
            default, 1, each row is an image of one step: to integrate ``[T, B, ...]``, say T and fold it.
        learn_decay: train the decay, one for the layer, as ``sigmoid(w)`` (Fang et al. 2021), from ``decay`` on.
        learn_threshold: train the threshold, one for the layer, as ``exp(v)``, from ``threshold`` on.  The
            reference kernel computes these neurons.  Not with a ``RelativeTriangle``, which would not follow.
        scale_input: charge by ``(1 - beta) c`` instead of ``c``, so that the potential goes to where a constant
            current is: ``u[t] = u[t-1] + (c[t] - u[t-1]) / tau`` with ``beta = 1 - 1 / tau``.  So do Fang et al.
            (2021) and, with ``decay_input=True``, SpikingJelly; the three papers and snnTorch do not.

    Attributes:
        decay, threshold: numbers, or 0-d tensors where learned; assigning a number sets either.
        dynamics: the other settings, as kernels take them.

    Shape: ``[T*B, ...]`` (``[B, ...]`` for the first neuron of a network that sees static images) to
    ``[T*B, ...]``; spikes have the input's dtype.  So has the potential on a CPU, and with ``recurrence``: in half
    precision it is rounded at each step, and increments far smaller than it are lost, which matters for many
    steps and slow decays.  The Triton kernel keeps it in float32.

    Raises:
        UserError: an argument that makes no sense; integer input.
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
        learn_decay: bool = False,
        learn_threshold: bool = False,
        scale_input: bool = False,
    ):
        super().__init__()
        if reset not in ("hard", "soft"):
            raise UserError(
                f"reset is {shown(reset)}; expected 'hard' (to 0) or 'soft' (minus the threshold)"
            )
        named = dict(learn_decay=learn_decay, learn_threshold=learn_threshold, scale_input=scale_input)
        for name, value in named.items():
            check_flag(name, value)
        decay, threshold = number("decay", decay, most=1), number("threshold", threshold)
        if learn_threshold and isinstance(surrogate, surrogates.RelativeTriangle):
            raise UserError(
                "RelativeTriangle measures in thresholds of one length, which learn_threshold=True would change; "
                f"expected another surrogate, for instance Triangle({threshold:g})"
            )
        self._dynamics = Dynamics(threshold, surrogate, strict, reset == "hard", detach_reset, smooth)
        try_out(surrogate, smooth)
        self.scale_input = scale_input
        self.w = nn.Parameter(torch.zeros(())) if learn_decay else None
        self.v = nn.Parameter(torch.zeros(())) if learn_threshold else None
        self.decay, self.threshold = decay, threshold
        self.time_steps = check_time_steps(time_steps)

    def forward(self, current: Tensor, recurrence: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Spikes of a current; ``recurrence`` turns each step's spikes ``[B, ...]`` into a current of the next."""
        if not isinstance(current, Tensor):
            raise UserError(f"neurons integrate tensors, not {shown(current)}")
        if not current.is_floating_point():
            raise UserError(
                f"neurons integrate floating-point currents, not {current.dtype}; call .float() first"
            )
        if self.scale_input:
            current = (1 - self.decay) * current
        current = unfold_current(current, self.time_steps)
        if recurrence is None:
            return fold(kernels.lif(current, self.dynamics, self.decay))
        share = 1 - self.decay if self.scale_input else 1.0
        weighed = lambda spikes: share * recurrence(spikes)  # noqa: E731
        return fold(lif_reference(current, self.dynamics, self.decay, weighed))

    def register_parameter(self, name: str, param: nn.Parameter | None) -> None:
        if name in ("decay", "threshold"):  # torch comes here before the property is asked
            raise UserError(f"{name} is a parameter; expected a number; learn_{name}=True trains it")
        super().register_parameter(name, param)

    @property
    def decay(self) -> Tensor | float:
        return self._decay if self.w is None else torch.sigmoid(self.w)

    @decay.setter
    def decay(self, value: float) -> None:
        value = number("decay", value, most=1)
        if isinstance(self, IF) and value != 1:
            raise UserError(f"decay is {value:g}, but an IF neuron never leaks; take a LIF")
        if value == 1 and self.w is not None:
            raise UserError("a learned decay cannot be 1; expected a number in (0, 1); IF never leaks")
        if value == 1 and self.scale_input:
            raise UserError("scale_input=True with a decay of 1 leaves no input; expected a decay in (0, 1)")
        if self.w is None:
            self._decay = value
        else:
            _set(self.w, "decay", value, torch.logit)

    @property
    def threshold(self) -> Tensor | float:
        return self._dynamics.threshold if self.v is None else torch.exp(self.v)

    @threshold.setter
    def threshold(self, value: float) -> None:
        value = number("threshold", value)
        surrogate = self._dynamics.surrogate
        if isinstance(surrogate, surrogates.RelativeTriangle):  # which measures in thresholds
            surrogate = replace(surrogate, threshold=value)
        self._dynamics = replace(self._dynamics, threshold=value, surrogate=surrogate)
        if self.v is not None:
            _set(self.v, "threshold", value, torch.log)

    @property
    def dynamics(self) -> Dynamics:
        return self._dynamics if self.v is None else replace(self._dynamics, threshold=self.threshold)

    @torch.no_grad()
    def extra_repr(self) -> str:
        own = "" if self.time_steps is None else f"T={self.time_steps}, "
        values = {"decay": self.decay, "threshold": self.threshold}
        shown = {  # on the meta device nothing has a value
            name: "meta" if isinstance(x, Tensor) and x.is_meta else f"{float(x):g}"
            for name, x in values.items()
        }
        return f"{own}decay={shown['decay']}, threshold={shown['threshold']}, {self._dynamics.surrogate}"


@torch.no_grad()
def _set(parameter: nn.Parameter, name: str, value: float, inverse: Callable[[Tensor], Tensor]) -> None:
    """In place, so that optimizers keep what they know."""
    start = inverse(torch.tensor(value, dtype=parameter.dtype, device="cpu"))
    if not start.isfinite():
        raise UserError(f"{name} is {value!r}, too near to the end of its range to be learned from there")
    parameter.copy_(start)


class IF(LIF):
    """Integrate-and-fire: a :class:`LIF` that never leaks (decay 1)."""

    def __init__(self, **options: Any) -> None:
        if "decay" in options:
            raise UserError("an IF neuron never leaks, so it takes no decay; LIF and PLIF do")
        super().__init__(decay=1.0, **options)


class PLIF(LIF):
    """Parametric LIF: one decay for the layer, learned as ``sigmoid(w)`` (Fang et al. 2021).

    Their w has the other sign: they write ``sigmoid(w)`` for one less the decay.

    Args:
        decay: initial decay, in (0, 1); the other arguments are :class:`LIF`'s.  ``PLIF(scale_input=True)`` is the
            neuron as Fang et al. write it, and the default of SpikingJelly's ``ParametricLIFNode``; without, the
            current is charged whole, as by this book's other neurons.
    """

    def __init__(self, decay: float = 0.5, **options: Any) -> None:
        if "learn_decay" in options:
            raise UserError("a PLIF neuron always learns its decay, so it takes no learn_decay; LIF does")
        super().__init__(decay=decay, learn_decay=True, **options)


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
    if not isinstance(name, str) or name not in PRESETS:
        raise UserError(f"no neuron preset {name!r}; expected one of {', '.join(PRESETS)}")
    known = inspect.signature(LIF).parameters
    for key in changes:
        if key not in known:
            raise UserError(f"a neuron has no setting {key!r}; expected one of {', '.join(known)}")
    if isinstance(changes.get("surrogate"), dict):
        written = changes["surrogate"]
        if not all(isinstance(key, str) for key in written):
            raise UserError(f"surrogate is {shown(written)}; expected for instance {{name: sigmoid, k: 10}}")
        changes["surrogate"] = surrogates.named(**written)
    return LIF(**{**PRESETS[name], **changes})
