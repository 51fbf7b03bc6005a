"""What a neuron does at each step, apart from its decay (which may be learned)."""

from dataclasses import dataclass

from snnbook.surrogates import Surrogate, Triangle


@dataclass(frozen=True)
class Dynamics:
    """How a neuron fires and resets.

    Attributes:
        threshold: potential at which it fires.
        surrogate: derivative used in the backward pass.
        strict: fire at ``u > threshold`` (True) or at ``u >= threshold`` (False).
        hard_reset: after a spike the potential goes to 0 (True) or loses one threshold (False).
        detach_reset: leave the reset out of the gradient.  The three papers keep it in (False).
        smooth: put out ``surrogate.smooth`` instead of a spike, so that the gradient is the function's own.
    """

    threshold: float = 1.0
    surrogate: Surrogate = Triangle()  # noqa: RUF009  (frozen, so sharing it is safe)
    strict: bool = True
    hard_reset: bool = True
    detach_reset: bool = False
    smooth: bool = False
