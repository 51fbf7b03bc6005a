"""How libraries read a neuron of NIR: one graph, a table of meanings.

NIR's leaky integrate-and-fire neuron is ``tau dv/dt = v_leak - v + r I``; it fires above ``v_threshold`` and goes
to ``v_reset``.  It does not say how a step is taken or how long one is, and libraries differ in both; some fire
*at* the threshold, too, against what it says.  With ``u[t] = d u[t-1] + c[t]`` for what this library computes:

* Euler's step gives ``d = 1 - dt / tau`` and multiplies the current by ``r dt / tau``, so that
  ``tau = dt / (1 - d)`` and ``r = 1 / (1 - d)``; snnTorch and SpikingJelly read that;
* norse passes r over, so that the current comes with a factor ``1 - d``, which the weights have to make up for;
* sinabs decays by ``exp(-1 / tau)``, tau in steps, and passes r over, too.

Whoever fires *at* the threshold where the network does so only above it is given the next larger float32, and the
other way around the next smaller one.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from snnbook.checks import shown
from snnbook.errors import UserError

DT = 1e-4  # seconds: what snnTorch takes, and SpikingJelly unless told
FOREVER = 1e20  # a time constant that is none
REFUSED = {
    "rockpool": "rockpool cannot read nir.LIF; its neurons subtract the threshold and fire several times a step"
}


@dataclass(frozen=True)
class Target:
    """A library that reads NIR.

    Attributes:
        strict: it fires above the threshold, not at it.
        steps: its time constants are in steps, of an exponential decay; otherwise in seconds, of Euler's step.
        obeys_r: it multiplies the current by r; otherwise a current comes as it is, or times ``1 - d`` (Euler).
        shared: it takes one number for a whole layer, in an array of shape (1,).
        averages: it reads average pooling.
        integrates: it reads nir.IF as what it is; otherwise a time constant of 1e20 s stands for none.
        settings: what loading takes, in words.
    """

    strict: bool
    steps: bool = False
    obeys_r: bool = True
    shared: bool = False
    averages: bool = True
    integrates: bool = False
    settings: str = ""

    def gain(self, decay: float) -> float:
        """What the current of a neuron is multiplied by."""
        return 1.0 if self.obeys_r or self.steps or decay == 1 else 1 - decay

    @property
    def rate(self) -> float:
        """r of nir.IF, by which and by the step a current is multiplied."""
        return 1 / DT if self.obeys_r else 1.0

    def parameters(self, decay: float, threshold: float, strict: bool) -> dict[str, float]:
        """The numbers of nir.LIF by which the library computes a neuron of this one."""
        tau = _steps(decay) if self.steps else _seconds(decay)
        return {
            "tau": tau,
            "r": tau / DT if self.obeys_r else 1.0,
            "v_leak": 0.0,
            "v_threshold": at_threshold(threshold, strict, self.strict),
            "v_reset": 0.0,
        }


NEUTRAL = Target(True, integrates=True, settings=f"Euler's step, dt = {DT} s")
TARGETS: Mapping[str, Target] = {
    "snntorch": Target(True, settings="import_from_nir(graph); call it once a step"),
    "spikingjelly": Target(False, settings="import_from_nir(graph, dt=1e-4); pass back the state it returns"),
    "norse": Target(
        True,
        obeys_r=False,
        averages=False,
        integrates=True,
        settings="from_nir(graph, dt=1e-4); pass back the state it returns",
    ),
    "sinabs": Target(
        False,
        steps=True,
        obeys_r=False,
        shared=True,
        averages=False,
        settings="from_nir(graph, batch_size=B); then spike_fn = SingleSpike and reset_fn = MembraneReset()",
    ),
}


def target_named(name: str | None) -> Target:
    """The target of that name, or for None what NIR's documentation says, with Euler's step.

    Raises:
        UserError: no such target, or one that cannot compute these neurons, with the reason.
    """
    if name is None:
        return NEUTRAL
    if isinstance(name, str) and name in REFUSED:
        raise UserError(f"{REFUSED[name]}; choose another target: {', '.join(TARGETS)}")
    if not isinstance(name, str) or name not in TARGETS:
        raise UserError(f"target is {shown(name)}; expected one of {', '.join(TARGETS)}, or none")
    return TARGETS[name]


@dataclass(frozen=True)
class Numbers:
    """A neuron of this library in numbers, as its kernels compute with them.

    Attributes:
        gain: what it multiplies its current by itself (``scale_input``).
    """

    decay: float
    threshold: float
    strict: bool
    gain: float = 1.0


@torch.no_grad()
def numbers(neuron: nn.Module) -> Numbers:
    """Those of a LIF, IF or PLIF, learned or not."""
    decay, dynamics = float(neuron.decay), neuron.dynamics
    scaled = 1 - decay if getattr(neuron, "scale_input", False) else 1.0
    return Numbers(decay, float(np.float32(float(dynamics.threshold))), dynamics.strict, scaled)


def at_threshold(threshold: float, strict: bool, reader: bool) -> float:
    """What to write so that a reader fires where the network does, in float32.

    Args:
        threshold: of the network, which fires above it if ``strict``, else at it, too.
        reader: it fires above what is written, not at it.
    """
    if strict == reader:
        return threshold
    return float(np.nextafter(np.float32(threshold), np.float32(math.inf if strict else -math.inf)))


def _seconds(decay: float) -> float:
    return (
        FOREVER
        if decay == 1
        else _nearest(DT / (1 - decay), decay, lambda tau: np.float32(1 - DT / tau), float)
    )


def _steps(decay: float) -> float:
    def read(tau):
        return np.float32(torch.exp(-1 / torch.tensor([tau], dtype=torch.float32)).item())

    return FOREVER if decay == 1 else _nearest(-1 / math.log(decay), decay, read, np.float32)


def _nearest(tau: float, decay: float, read: Callable, kind: type) -> float:
    """The number near ``tau`` from which ``read`` gives the decay of float32, or as near as can be."""
    candidates, wanted = [kind(tau)], np.float32(decay)
    for towards in (-math.inf, math.inf):
        x = kind(tau)
        for _ in range(8):
            x = np.nextafter(x, kind(towards))
            candidates.append(x)
    return float(min(candidates, key=lambda x: abs(float(read(x)) - float(wanted))))
