"""A chip's arithmetic on paper: the same neuron in whole numbers.

Digital chips keep weights in few bits, potentials as integers, and the decay as a short factor or as a shift; some
let a neuron fire several times a step, up to a limit.  No vendor's package is asked: what rounding does to a
network can be seen with torch alone.
"""

import copy
import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from snnbook.checks import check_config, check_fields
from snnbook.deploy import wiring
from snnbook.deploy.export import Export, held_against
from snnbook.deploy.nir_graph import Wired
from snnbook.deploy.targets import numbers
from snnbook.deploy.wiring import Wiring
from snnbook.errors import UserError
from snnbook.folding import SpikingNetwork, fold, repeating, unfold_current
from snnbook.kernels import Dynamics

WEIGHTED = (nn.Conv2d, nn.Linear)


@dataclass(frozen=True)
class Chip:
    """What a digital neuron has of numbers.

    Attributes:
        weight_bits: of a weight, its sign among them.
        decay_bits: of the factor that the potential is multiplied by; 0 for a shift, which has only decays of
            ``1 - 2**-k``.
        potential_bits: of a potential, which stays at its ends rather than overflow.
        most_spikes: of a neuron in one step, where the reset is soft; with a hard one it is always one.
    """

    weight_bits: int = 8
    decay_bits: int = 12
    potential_bits: int = 24
    most_spikes: int = 1

    def __post_init__(self):
        check_fields(
            self,
            at_least={"weight_bits": 2, "decay_bits": 0, "potential_bits": 8, "most_spikes": 1},
            at_most={"weight_bits": 16, "decay_bits": 24, "potential_bits": 32, "most_spikes": 255},
        )

    @property
    def limit(self) -> int:
        """The largest potential."""
        return 2 ** (self.potential_bits - 1) - 1

    def decay(self, decay: float) -> float:
        """The decay that is stored for ``decay``, the nearest there is; as a shift, 0.9375 for 0.9512."""
        if self.decay_bits:
            return round(decay * 2**self.decay_bits) / 2**self.decay_bits
        return 1 - 2.0 ** -_shift(decay) if decay < 1 else 1.0


def lif_fixed_point(
    current: Tensor, dynamics: Dynamics, decay: float, chip: Chip = Chip(), unit: float = 1.0
) -> Tensor:
    """Spikes ``[T, ...]`` as :func:`snnbook.kernels.lif` has them, in whole numbers of ``unit``.

    Potentials, thresholds and currents are rounded to whole numbers of the unit; a product with the decay loses
    what is behind the point (towards minus infinity, as a shift to the right does).

    Args:
        current: input current ``[T, ...]``; the potential starts at 0.
        dynamics: threshold, firing and reset rules.
        decay: factor kept of the potential from one step to the next.
        chip: how many bits there are.
        unit: what the whole number 1 stands for, the unit of the weights.

    Returns:
        Spikes, whole numbers of 0 to 1, or to ``chip.most_spikes`` with a soft reset, shaped and typed as
        ``current``.
    """
    threshold = _whole_threshold(dynamics, unit)
    charges = (current.double() / unit).round().to(torch.int64)
    u, spikes = torch.zeros_like(charges[0]), []
    for c in charges:
        u = (_leak(u, decay, chip) + c).clamp(-chip.limit - 1, chip.limit)
        above = u > threshold if dynamics.strict else u >= threshold
        if dynamics.hard_reset:
            n = above.to(torch.int64)
            u = u * (1 - n)
        else:
            n = ((u - 1 if dynamics.strict else u) // threshold).clamp(0, chip.most_spikes)
            u = u - threshold * n
        spikes.append(n)
    return torch.stack(spikes).to(current.dtype)


def _whole_threshold(dynamics: Dynamics, unit: float) -> int:
    return max(1, round(float(dynamics.threshold) / unit))


def _leak(u: Tensor, decay: float, chip: Chip) -> Tensor:
    if decay == 1:
        return u
    if chip.decay_bits:
        return (u * round(decay * 2**chip.decay_bits)) >> chip.decay_bits
    return u - (u >> _shift(decay))


def _shift(decay: float) -> int:
    """The ``k`` whose ``1 - 2**-k`` is nearest to ``decay``; of two as near the one that remembers longer."""
    half_to_one, power = math.frexp(1 - decay)
    return -power if half_to_one > 0.75 else 1 - power


class FixedPointLIF(nn.Module):
    """Neurons that compute with :func:`lif_fixed_point`; for inference alone.

    Args:
        dynamics, decay, chip, unit: as there.
    """

    def __init__(self, dynamics: Dynamics, decay: float, chip: Chip, unit: float):
        super().__init__()
        self.dynamics, self.decay, self.chip, self.unit = dynamics, decay, chip, unit
        self.threshold = _whole_threshold(dynamics, unit)
        self.time_steps: int | None = 1

    @torch.no_grad()
    def forward(self, current: Tensor) -> Tensor:
        steps = unfold_current(current, self.time_steps)
        return fold(lif_fixed_point(steps, self.dynamics, self.decay, self.chip, self.unit))

    def extra_repr(self) -> str:
        return f"decay={self.chip.decay(self.decay):g}, threshold={self.threshold}, unit={self.unit:.3g}"


@dataclass(frozen=True)
class FixedPoint(Export):
    """A network in whole numbers, and how far it is from the one it was made of.

    Attributes:
        network: the network, for inference.
    """

    network: SpikingNetwork = field(repr=False)


def to_fixed_point(
    network: SpikingNetwork, sample: Tensor | tuple[int, ...], chip: Chip = Chip()
) -> FixedPoint:
    """A copy of ``network`` in a chip's arithmetic, tried at once.

    BatchNorm is folded.  Layers whose currents meet in a neuron, pooled or not, have one unit, given by the
    largest of their weights; weights, biases, thresholds and potentials are whole numbers of it.  Images stay real
    numbers, and what averages make of anything and shortcuts of spikes is rounded where it arrives.  Logits are
    not fired, and stay real.

    Args:
        network: in float32, on the CPU, of the layers that :func:`snnbook.deploy.to_nir` writes; neurons may also
            reset softly, which that refuses.  Left as it is.
        sample: images ``[B, C, H, W]`` or ``[T, B, C, H, W]``, or the shape ``(C, H, W)`` of one.
        chip: how many bits there are.

    Raises:
        UserError: no such network, sample or chip; a layer that is not known; a threshold that a potential of so
            few bits cannot reach.
    """
    check_config(chip, Chip)
    network = wiring.checked_network(network)
    images = wiring.sample_of(sample, network)
    drawn = wiring.draw(network, images)
    units = _units(drawn, 2 ** (chip.weight_bits - 1) - 1)
    layers, sources = {}, {}
    for name, part in drawn.parts.items():
        sources[name] = part.sources
        layers[name] = part.layer
        if part.neuron:
            own, hard = numbers(part.layer), part.layer.dynamics.hard_reset
            dynamics = Dynamics(own.threshold / own.gain, strict=own.strict, hard_reset=hard)
            layers[name] = FixedPointLIF(dynamics, own.decay, chip, units[name])
            if layers[name].threshold > chip.limit:
                needs = f"a threshold of {layers[name].threshold} units"
                raise UserError(
                    f"{part.name} needs {needs}, which potentials of {chip.potential_bits} bits cannot pass; "
                    "raise potential_bits"
                )
        elif isinstance(part.layer, WEIGHTED):
            layers[name] = _rounded(part.layer, units[name])
    sources[wiring.OUTPUT] = drawn.outputs
    wired = Wired(layers, sources)
    made = SpikingNetwork(wired, network.time_steps, encode=next(iter(repeating(wired)), None)).eval()
    output, seen = wiring.spikes_of(network, images)
    found, calls = wiring.spikes_of(made, images)
    spikes = [seen[part.name].pop(0) for part in drawn.parts.values() if part.neuron]
    theirs = [calls[f"layers.{name}"][0] for name, part in drawn.parts.items() if part.neuron]
    return FixedPoint(**held_against(output, spikes, found, theirs), by="this library", network=made)


def _units(drawn: Wiring, most: int) -> dict[str, float]:
    """The unit of each neuron and of each layer with weights; those whose currents meet in a neuron share one.

    Spikes that a shortcut brings have no unit of their own, so what fired them is no part of the group.
    """
    weighted = {name: part.layer for name, part in drawn.parts.items() if isinstance(part.layer, WEIGHTED)}
    groups = {name: {name} for name in weighted}
    currents: dict[str, set[str]] = {}  # the layers whose currents a part puts out, pooled or added
    for name, part in drawn.parts.items():
        read = set().union(*(currents.get(source, ()) for source in part.sources))
        if part.neuron:
            met = {name}.union(*(groups[layer] for layer in read))
            groups |= dict.fromkeys(met, met)
        else:
            currents[name] = {name} if name in weighted else read
    units = {}
    for name, group in groups.items():
        largest = max(
            (float(weighted[x].weight.detach().abs().max()) for x in group if x in weighted), default=0
        )
        units[name] = (largest or 1.0) / most
    return units


@torch.no_grad()
def _rounded(layer: nn.Module, unit: float) -> nn.Module:
    """A copy, since a layer that is called twice may have a unit for each."""
    made = copy.deepcopy(layer)
    for x in (made.weight, made.bias):
        if x is not None:
            x.copy_((x.double() / unit).round() * unit)
    return made
