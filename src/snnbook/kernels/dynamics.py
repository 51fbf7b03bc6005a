"""What a neuron does at each step, apart from its decay (which may be learned)."""

import math
from dataclasses import dataclass

from torch import Tensor

from snnbook.checks import check_flag, check_number
from snnbook.errors import UserError
from snnbook.surrogates import RelativeTriangle, Surrogate, Triangle, check_surrogate


@dataclass(frozen=True)
class Dynamics:
    """How a neuron fires and resets.

    Attributes:
        threshold: potential at which it fires; a number, or a 0-d tensor that is learned.
        surrogate: derivative used in the backward pass.
        strict: fire at ``u > threshold`` (True) or at ``u >= threshold`` (False).
        hard_reset: after a spike the potential goes to 0 (True) or loses one threshold (False).
        detach_reset: leave the reset out of the gradient.  The three papers keep it in (False).
        smooth: put out ``surrogate.smooth`` instead of a spike, so that the gradient is the function's own.

    Raises:
        UserError: a threshold or surrogate that is none, or one without ``smooth`` where that is asked for.
    """

    threshold: float | Tensor = 1.0
    surrogate: Surrogate = Triangle()  # noqa: RUF009  (frozen, so sharing it is safe)
    strict: bool = True
    hard_reset: bool = True
    detach_reset: bool = False
    smooth: bool = False

    def __post_init__(self):
        if not isinstance(self.threshold, Tensor):
            object.__setattr__(self, "threshold", number("threshold", self.threshold))
        elif self.threshold.dim():
            raise UserError(
                f"threshold has shape {list(self.threshold.shape)}; expected one number for the whole layer"
            )
        for name in ("strict", "hard_reset", "detach_reset", "smooth"):
            check_flag(name, getattr(self, name))
        check_surrogate(self.surrogate, self.smooth)
        own = self.surrogate.threshold if isinstance(self.surrogate, RelativeTriangle) else self.threshold
        if not isinstance(self.threshold, Tensor) and own != self.threshold:
            raise UserError(
                f"the surrogate measures in thresholds of {own:g} and the neuron's is {self.threshold:g}; "
                f"expected the same, RelativeTriangle(threshold={self.threshold:g})"
            )

    def only_reference(self, known: tuple[type, ...] = ()) -> bool:
        """No spikes, a learned threshold, or a surrogate not ``known``: the reference kernel alone does these."""
        learned = isinstance(self.threshold, Tensor)
        return self.smooth or learned or bool(known and type(self.surrogate) not in known)


def number(name: str, value: float, most: float = math.inf) -> float:
    """``value`` as a ``float`` if it is finite, above 0 and at most ``most``.

    Raises:
        UserError: it is not; the message says how a parameter is learned.
    """
    if isinstance(value, Tensor):
        raise UserError(
            f"{name} is a tensor of shape {list(value.shape)}; expected one number for the whole layer; "
            f"learn_{name}=True trains it"
        )
    check_number(name, value, 0, most, above=True)
    return float(value)
