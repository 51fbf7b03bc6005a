"""Surrogate gradients: smooth stand-ins for the derivative of a spike.

A neuron fires ``spike = step(x)`` with ``x = membrane potential - threshold``.  The step's derivative is zero
almost everywhere, so the backward pass uses another function's.  A surrogate has two faces:

* ``derivative(x)``: what backpropagation multiplies by, any shape in, the same shape out;
* ``smooth(x)``: the function it is the derivative of, rising from 0 to 1 (or to ``gamma * threshold`` for the
  triangle of Guo et al.).  Training with ``smooth`` in the forward pass as well has a true gradient, which finite
  differences can check.

Six stand here; one of your own is a subclass of :class:`Surrogate`, and any neuron takes it.
"""

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from snnbook.checks import check_number, shown
from snnbook.errors import UserError, one_line


class Surrogate:
    """Base class: a subclass has ``derivative`` and, if there is one, ``smooth``.

    Both work entry by entry, from ``x`` of any shape to the same shape and dtype, by torch's operations::

        class Tent(Surrogate):
            def derivative(self, x):
                return (1 - x.abs()).clamp(min=0)

    A frozen dataclass can have parameters and still be compared and printed.  Kernels that are written for the
    built-in six leave another's to the reference kernel.
    """

    def derivative(self, x: Tensor) -> Tensor:
        """Stand-in for the derivative of a spike at the distance ``x`` from the threshold."""
        raise UserError(f"surrogate {type(self).__name__} has no derivative(x); define it in the class")

    def smooth(self, x: Tensor) -> Tensor:
        """The function that ``derivative`` is the derivative of."""
        raise UserError(
            f"surrogate {type(self).__name__} has no smooth(x), which smooth=True puts out; define it in the class"
        )


def check_surrogate(surrogate: Surrogate, smooth: bool = False) -> None:
    """Raise a UserError unless ``surrogate`` is one, with a ``smooth`` if that is asked for, and no module."""
    if not isinstance(surrogate, Surrogate):
        raise UserError(
            f"surrogate is {shown(surrogate)}; expected an instance of a subclass of "
            "snnbook.surrogates.Surrogate, for instance Triangle()"
        )
    if isinstance(surrogate, nn.Module):
        raise UserError(
            f"surrogate {type(surrogate).__name__} is an nn.Module, whose parameters no neuron would train; "
            "expected a plain subclass of Surrogate"
        )
    for needed in ("derivative", *(["smooth"] if smooth else [])):
        if getattr(type(surrogate), needed) is getattr(Surrogate, needed):
            getattr(surrogate, needed)(None)  # which says what is missing


def try_out(surrogate: Surrogate, smooth: bool = False) -> None:
    """Raise a UserError unless what ``surrogate`` makes of a few numbers has their shape and type."""
    if isinstance(surrogate, _BuiltIn):
        return
    kind = type(surrogate).__name__
    for x in (torch.linspace(-1, 1, 7, device="cpu"), torch.zeros(2, 3, device="cpu")):
        for name in ("derivative", "smooth") if smooth else ("derivative",):
            given = f"{name}(x) of {str(x.dtype).removeprefix('torch.')} {list(x.shape)}"
            try:
                found = getattr(surrogate, name)(x)
            except Exception as error:  # of a function that somebody else wrote
                reason = one_line(error)[:100] or type(error).__name__
                raise UserError(f"surrogate {kind}: {given} fails ({reason}); correct it") from None
            if isinstance(found, int | float):  # one for all
                continue
            if not isinstance(found, Tensor) or (found.shape, found.dtype) != (x.shape, x.dtype):
                tensor = isinstance(found, Tensor)
                what = f"{found.dtype} of shape {list(found.shape)}" if tensor else shown(found)
                raise UserError(
                    f"surrogate {kind}: {given} is {what}; expected the same shape and type, entry by entry"
                )


class _BuiltIn(Surrogate):
    """Parameters are finite numbers above 0, and so is the derivative at the threshold."""

    def __post_init__(self):
        name = type(self).__name__
        for item in fields(self):
            value = getattr(self, item.name)
            check_number(f"{item.name} of {name}", value, 0, above=True)
            object.__setattr__(self, item.name, float(value))
        try:
            peak = float(self.derivative(torch.zeros(1, device="cpu")))
        except ArithmeticError:
            peak = math.nan
        if not 0 < peak < math.inf:
            raise UserError(f"{self} has slope {peak} at the threshold; expected less extreme parameters")


@dataclass(frozen=True)
class Rectangle(_BuiltIn):
    """``1/width`` where ``|x| < width/2``, else 0 (Guo et al. 2023, Eq. 5, second line).

    With threshold 0.5 and width 1 this is the straight-through estimator clipped to potentials in (0, 1).
    """

    width: float = 1.0

    def derivative(self, x: Tensor) -> Tensor:
        return (x.abs() < self.width / 2).to(x.dtype) / self.width

    def smooth(self, x: Tensor) -> Tensor:
        return (x / self.width + 0.5).clamp(0, 1)


@dataclass(frozen=True)
class Triangle(_BuiltIn):
    """``max(0, gamma - |x|) / gamma**2`` (Deng et al. 2022): area 1, peak ``1/gamma``."""

    gamma: float = 1.0

    def derivative(self, x: Tensor) -> Tensor:
        return (self.gamma - x.abs()).clamp(min=0) / self.gamma**2

    def smooth(self, x: Tensor) -> Tensor:
        y = (x / self.gamma).clamp(-1, 1)
        return 0.5 + y - 0.5 * y * y.abs()


@dataclass(frozen=True)
class RelativeTriangle(_BuiltIn):
    """``gamma * max(0, 1 - |u/threshold - 1|)`` (Guo et al. 2023, Eq. 5, first line): peak ``gamma``.

    The distance is measured in thresholds, so the area is ``gamma * threshold`` rather than 1.
    """

    gamma: float = 1.0
    threshold: float = 0.5

    def derivative(self, x: Tensor) -> Tensor:
        return self.gamma * (1 - x.abs() / self.threshold).clamp(min=0)

    def smooth(self, x: Tensor) -> Tensor:
        return self.gamma * self.threshold * Triangle(self.threshold).smooth(x)


@dataclass(frozen=True)
class Sigmoid(_BuiltIn):
    """``k s (1 - s)`` with ``s = sigmoid(k x)``; slope ``k`` (Deng et al. 2022, Table 2, use 1, 10, 20)."""

    k: float = 10.0

    def derivative(self, x: Tensor) -> Tensor:
        # By the smaller of s and 1 - s: above the threshold s rounds to 1, and 1 - s to 0.
        q = torch.sigmoid(-self.k * x.abs())
        return self.k * q * (1 - q)

    def smooth(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.k * x)


@dataclass(frozen=True)
class ATan(_BuiltIn):
    """``alpha/2 / (1 + (pi alpha x / 2)**2)`` (Fang et al. 2021), the default of snnTorch."""

    alpha: float = 2.0

    def derivative(self, x: Tensor) -> Tensor:
        return self.alpha / 2 / (1 + (math.pi / 2 * self.alpha * x) ** 2)

    def smooth(self, x: Tensor) -> Tensor:
        return torch.atan(math.pi / 2 * self.alpha * x) / math.pi + 0.5


@dataclass(frozen=True)
class DSpike(_BuiltIn):
    """Derivative of ``tanh(b x) / (2 tanh(b/2)) + 1/2`` on ``|x| <= 1/2``, else 0 (Li et al. 2021).

    ``b`` runs from nearly a rectangle (0) to nearly a true step (large).
    """

    b: float = 3.0

    def derivative(self, x: Tensor) -> Tensor:
        slope = self.b / (2 * math.tanh(self.b / 2)) / torch.cosh(self.b * x.clamp(-0.5, 0.5)) ** 2
        return slope * (x.abs() <= 0.5).to(x.dtype)

    def smooth(self, x: Tensor) -> Tensor:
        return torch.tanh(self.b * x.clamp(-0.5, 0.5)) / (2 * math.tanh(self.b / 2)) + 0.5


BUILT_IN = (Rectangle, Triangle, RelativeTriangle, Sigmoid, ATan, DSpike)


def named(name: str = "", **parameters: float) -> Surrogate:
    """A built-in surrogate by its name in lower case: ``named("sigmoid", k=10)``.

    Raises:
        UserError: no such surrogate, a parameter it does not have, or a senseless one.
    """
    known = {cls.__name__.lower(): cls for cls in BUILT_IN}
    if not isinstance(name, str) or name not in known:
        raise UserError(f"no surrogate {name!r}; expected one of {', '.join(known)}")
    own = [item.name for item in fields(known[name])]
    for key in parameters:
        if key not in own:
            raise UserError(f"surrogate {name} has no parameter {key!r}; it has {', '.join(own)}")
    return known[name](**parameters)


class _Spike(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x, surrogate, strict):
        return (x > 0 if strict else x >= 0).to(x.dtype)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.surrogate, _ = inputs
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * ctx.surrogate.derivative(x), None, None


class _SpikeBothWays(_Spike):
    """With a derivative in forward mode as well, which a compiler cannot trace."""

    @staticmethod
    def jvp(ctx, tangent, *_):
        (x,) = ctx.saved_tensors
        return tangent * ctx.surrogate.derivative(x)


def spike(x: Tensor, surrogate: Surrogate, strict: bool = True) -> Tensor:
    """1 where ``x > 0`` (``x >= 0`` if not ``strict``), else 0, with the surrogate's derivative backward.

    Differentiated twice, a spike has the derivative of ``surrogate.derivative``: near ``x0`` it counts as
    ``step(x0) + derivative(x0) (x - x0) + derivative'(x0) (x - x0)**2 / 2``, and second derivatives of a network
    are those of the network made of these, each around the ``x0`` that it is at.

    Raises:
        UserError: an ``x`` that is no tensor, or a surrogate that is none.
    """
    if not isinstance(x, Tensor):
        raise UserError(f"x is {shown(x)}; expected a tensor of distances from the threshold")
    if not isinstance(surrogate, Surrogate):  # first, since a call costs more, at every step of a neuron
        check_surrogate(surrogate)
    kind = _Spike if torch.compiler.is_compiling() else _SpikeBothWays
    return kind.apply(x, surrogate, strict)
