"""Energy of one inference: counted operations times what each costs.

Prices are picojoules of Horowitz (2014), 45 nm; counts are those of :mod:`snnbook.analysis.firing`.  The rules
are those of Guo et al. (2023), Sec. 5.4, with three slips of its tables put right.  They add 0.9 pJ to the 4.6 pJ
of a multiply-accumulate, which pays for the addition twice (see ``TABLE_5``).  They print energies a thousand
times too large (their 82.2 mJ are 82.2 uJ).  And their data movement misses a factor of eight (bytes for bits).

All energies are in joules and all constants can be changed.
"""

from dataclasses import dataclass

from snnbook.analysis.firing import Activity, Observation
from snnbook.errors import UserError

PICOJOULE = 1e-12


@dataclass(frozen=True)
class Constants:
    """45 nm CMOS, 32-bit floating point (Horowitz 2014).

    Attributes:
        accumulate: picojoules to add a weight to a sum.
        multiply_accumulate: picojoules to multiply and add the product to a sum, 3.7 and 0.9.
        movement: picojoules to move 64 bits from a cache, least (8 KB) and most (1 MB).
    """

    accumulate: float = 0.9
    multiply_accumulate: float = 4.6
    movement: tuple[float, float] = (10.0, 100.0)

    def joules(self, accumulates: float, multiply_accumulates: float) -> float:
        """What so many operations cost."""
        picojoules = self.accumulate * accumulates + self.multiply_accumulate * multiply_accumulates
        return picojoules * PICOJOULE


# The arithmetic of Guo et al.'s Table 5, against their own text; kept to show what it does to the numbers.
TABLE_5 = Constants(multiply_accumulate=4.6 + 0.9)


@dataclass(frozen=True)
class Computation:
    """Operations of one inference, each in one of the two kinds, and their energy in joules."""

    accumulates: float
    multiply_accumulates: float
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
    """Accumulates and multiply-accumulates of one inference (Guo et al. 2023, Sec. 5.4).

    An input that is zero costs nothing, whoever reads it.  A layer fed by spikes accumulates once for each spike
    and weight.  Fed by sums of spikes (SEW-ResNet's additions), it accumulates once for each spike in the sum.
    Fed by real numbers (an ANN's, the stem), it multiplies and accumulates each one.

    Average pooling leaves fractions, which the papers count as if they were spikes.  There are two honest ways:

    * ``pooled="multiply"``: they are real numbers, multiplied and accumulated;
    * ``pooled="fold"``: the division is folded into the weights, and each spike in the window adds once.

    With ``"multiply"``, and without sums of spikes, both counts are those of NeuroBench 2.3 (Yik et al. 2025).
    For other devices, pass ``network.unskipped()`` (zeros cost like any number, as on most of those that run
    ANNs) or ``network.every_step()`` (a still image passes the stem T times).

    Raises:
        UserError: another ``pooled``.
    """
    if pooled not in ("multiply", "fold"):
        raise UserError(f"pooled is {pooled!r}; expected 'multiply' or 'fold'")
    accumulates = multiply_accumulates = 0.0
    for layer in network.layers.values():
        added = _added(layer, pooled)
        if added is None:
            multiply_accumulates += layer.effective
        else:
            accumulates += added
    joules = constants.joules(accumulates, multiply_accumulates)
    return Computation(accumulates, multiply_accumulates, joules)


def _added(layer: Activity, pooled: str) -> float | None:
    """Accumulates of a layer that needs no multiplication, None for one that does."""
    if layer.binary:
        return layer.effective
    return layer.spikes if layer.window == 1 or pooled == "fold" else None


def energy_of_data_movement(network: Observation, constants: Constants = Constants()) -> Movement:
    """Bytes moved between cache and arithmetic in one inference (Guo et al. 2023, Table 6).

    An ANN writes and reads each activation, 32 bits each way.  An SNN writes and reads each membrane potential
    at each time step, and moves one bit for each spike.

    Left out are the weights, and with them all memory outside the chip: to read 64 bits from DRAM costs 1300 to
    2600 pJ (Horowitz 2014), so weights that do not fit into the chip may cost more than all that is counted here.
    """
    volume = 2 * 4 * network.activations * network.time_steps + network.spikes / 8
    moves = volume * 8 / 64
    least, most = (cost * moves * PICOJOULE for cost in constants.movement)
    return Movement(volume, least, most)
