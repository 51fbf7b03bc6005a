"""Energy of one inference, with the constants and the counting rules of Guo et al. (2023), Sec. 5.4.

All energies are in joules and all constants can be changed.  The paper's own tables print energies a thousand
times too large (its 82.2 mJ are 82.2 uJ), and its data movement misses a factor of eight (bytes counted as
bits); :func:`energy_of_data_movement` therefore returns the volume in bytes as well.
"""

from dataclasses import dataclass

from snnbook.analysis.firing import Observation
from snnbook.errors import UserError

PICOJOULE = 1e-12


@dataclass(frozen=True)
class Constants:
    """45 nm CMOS, 32-bit floating point (Horowitz 2014), as the paper uses them.

    Attributes:
        addition: picojoules to accumulate.
        multiplication: picojoules charged for each multiplication.  The paper calls 4.6 pJ the cost of a
            multiply-accumulate, yet its table adds 0.9 pJ for the addition again; we follow its table.
        movement: picojoules to move 64 bits from a cache, least and most.
    """

    addition: float = 0.9
    multiplication: float = 4.6
    movement: tuple[float, float] = (10.0, 100.0)


@dataclass(frozen=True)
class Computation:
    """Operations of one inference, and their energy in joules."""

    additions: float
    multiplications: float
    joules: float


@dataclass(frozen=True)
class Movement:
    """Data moved in one inference in bytes, and the least and the most it costs in joules."""

    volume: float
    least: float
    most: float


def energy_of_computation(
    network: Observation, constants: Constants = Constants(), pooled: str = "multiply"
) -> Computation:
    """Additions and multiplications of one inference (Table 5).

    A layer fed by spikes adds once for each spike and weight: its operations times the share of inputs that
    fired.  Fed by sums of spikes (SEW-ResNet's additions), it adds once for each spike in the sum.  Fed by real
    numbers (an ANN's, the stem), it multiplies and adds every one.

    Average pooling leaves fractions, which the papers count as if they were spikes.  There are two honest ways:

    * ``pooled="multiply"``: they are real numbers, multiplied and added, every one;
    * ``pooled="fold"``: the division is folded into the weights, and each spike in the window adds once.

    Raises:
        UserError: another ``pooled``.
    """
    if pooled not in ("multiply", "fold"):
        raise UserError(f"pooled is {pooled!r}; expected 'multiply' or 'fold'")
    additions = multiplications = 0.0
    for layer in network.layers.values():
        if layer.binary:
            additions += layer.operations * layer.used
        elif layer.window == 1 or (layer.window and pooled == "fold"):
            additions += layer.operations * layer.spikes
        else:
            additions += layer.operations
            multiplications += layer.operations
    picojoules = constants.addition * additions + constants.multiplication * multiplications
    return Computation(additions, multiplications, picojoules * PICOJOULE)


def energy_of_data_movement(network: Observation, constants: Constants = Constants()) -> Movement:
    """Bytes moved between cache and arithmetic in one inference (Table 6).

    An ANN writes and reads each activation, 32 bits each way.  An SNN writes and reads each membrane potential
    at each time step, and moves one bit for each spike.
    """
    volume = 2 * 4 * network.activations * network.time_steps + network.spikes / 8
    moves = volume * 8 / 64
    least, most = (cost * moves * PICOJOULE for cost in constants.movement)
    return Movement(volume, least, most)
