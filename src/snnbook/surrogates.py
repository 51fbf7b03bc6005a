"""Surrogate gradients: smooth stand-ins for the derivative of a spike.

A neuron fires ``spike = step(x)`` with ``x = membrane potential - threshold``.  The step's derivative is zero
almost everywhere, so the backward pass uses another function's.  Each surrogate here has two faces:

* ``derivative(x)``: what backpropagation multiplies by, any shape in, the same shape out;
* ``smooth(x)``: the function it is the derivative of, rising from 0 to 1 (or to ``gamma`` for the triangle
  of Guo et al.).  Training with ``smooth`` in the forward pass as well has a true gradient, which finite
  differences can check.

Kernels call a third, ``backward_(gradient, potential, threshold)``: the product of a gradient with the derivative,
in place.  Passes over memory are what a neuron costs, so the surrogates the papers use do it in few.
"""

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from snnbook.errors import UserError


class _Surrogate:
    def backward_(self, gradient: Tensor, potential: Tensor, threshold: float) -> Tensor:
        """``gradient``, multiplied in place by ``derivative(potential - threshold)``."""
        return gradient.mul_(self.derivative(potential - threshold))


def _keep_between_(gradient: Tensor, x: Tensor, low: float, high: float) -> Tensor:
    """``gradient``, set to zero in place where ``x`` is not between ``low`` and ``high``, in one pass."""
    return torch.ops.aten.hardtanh_backward.grad_input(gradient, x, low, high, grad_input=gradient)


@dataclass(frozen=True)
class Rectangle(_Surrogate):
    """``1/width`` where ``|x| < width/2``, else 0 (Guo et al. 2023, Eq. 5, second line).

    With threshold 0.5 and width 1 this is the straight-through estimator clipped to potentials in (0, 1).
    """

    width: float = 1.0

    def derivative(self, x: Tensor) -> Tensor:
        return (x.abs() < self.width / 2).to(x.dtype) / self.width

    def smooth(self, x: Tensor) -> Tensor:
        return (x / self.width + 0.5).clamp(0, 1)

    def backward_(self, gradient: Tensor, potential: Tensor, threshold: float) -> Tensor:
        _keep_between_(gradient, potential, threshold - self.width / 2, threshold + self.width / 2)
        return gradient if self.width == 1 else gradient.div_(self.width)


@dataclass(frozen=True)
class Triangle(_Surrogate):
    """``max(0, gamma - |x|) / gamma**2`` (Deng et al. 2022): area 1, peak ``1/gamma``."""

    gamma: float = 1.0

    def derivative(self, x: Tensor) -> Tensor:
        return (self.gamma - x.abs()).clamp(min=0) / self.gamma**2

    def smooth(self, x: Tensor) -> Tensor:
        y = (x / self.gamma).clamp(-1, 1)
        return 0.5 + y - 0.5 * y * y.abs()

    def backward_(self, gradient: Tensor, potential: Tensor, threshold: float) -> Tensor:
        distance = (potential - threshold).abs_()
        gradient.addcmul_(gradient, distance, value=-1 / self.gamma)
        _keep_between_(gradient, potential, threshold - self.gamma, threshold + self.gamma)
        return gradient if self.gamma == 1 else gradient.div_(self.gamma)


@dataclass(frozen=True)
class RelativeTriangle(_Surrogate):
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
class Sigmoid(_Surrogate):
    """``k s (1 - s)`` with ``s = sigmoid(k x)``; slope ``k`` (Deng et al. 2022, Table 2, use 1, 10, 20)."""

    k: float = 10.0

    def derivative(self, x: Tensor) -> Tensor:
        s = torch.sigmoid(self.k * x)
        return self.k * s * (1 - s)

    def smooth(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.k * x)


@dataclass(frozen=True)
class ATan(_Surrogate):
    """``alpha/2 / (1 + (pi alpha x / 2)**2)`` (Fang et al. 2021), the default of snnTorch."""

    alpha: float = 2.0

    def derivative(self, x: Tensor) -> Tensor:
        return self.alpha / 2 / (1 + (math.pi / 2 * self.alpha * x) ** 2)

    def smooth(self, x: Tensor) -> Tensor:
        return torch.atan(math.pi / 2 * self.alpha * x) / math.pi + 0.5


@dataclass(frozen=True)
class DSpike(_Surrogate):
    """Derivative of ``tanh(b x) / (2 tanh(b/2)) + 1/2`` on ``|x| <= 1/2``, else 0 (Li et al. 2021).

    ``b`` runs from nearly a rectangle (0) to nearly a true step (large).
    """

    b: float = 3.0

    def derivative(self, x: Tensor) -> Tensor:
        slope = self.b / (2 * math.tanh(self.b / 2)) / torch.cosh(self.b * x.clamp(-0.5, 0.5)) ** 2
        return slope * (x.abs() <= 0.5).to(x.dtype)

    def smooth(self, x: Tensor) -> Tensor:
        return torch.tanh(self.b * x.clamp(-0.5, 0.5)) / (2 * math.tanh(self.b / 2)) + 0.5


Surrogate = Rectangle | Triangle | RelativeTriangle | Sigmoid | ATan | DSpike


def named(name: str = "", **parameters: float) -> Surrogate:
    """A surrogate by its name in lower case: ``named("sigmoid", k=10)``.

    Raises:
        UserError: no such surrogate, or a parameter it does not have.
    """
    known = {cls.__name__.lower(): cls for cls in Surrogate.__args__}
    if name not in known:
        raise UserError(f"no surrogate {name!r}; expected one of {', '.join(known)}")
    own = [item.name for item in fields(known[name])]
    for key in parameters:
        if key not in own:
            raise UserError(f"surrogate {name} has no parameter {key!r}; it has {', '.join(own)}")
    return known[name](**parameters)


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, surrogate, strict):
        ctx.save_for_backward(x)
        ctx.surrogate = surrogate
        return (x > 0 if strict else x >= 0).to(x.dtype)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * ctx.surrogate.derivative(x), None, None


def spike(x: Tensor, surrogate: Surrogate, strict: bool = True) -> Tensor:
    """1 where ``x > 0`` (``x >= 0`` if not ``strict``), else 0, with the surrogate's derivative backward."""
    return _Spike.apply(x, surrogate, strict)
