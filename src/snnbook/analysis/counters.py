"""What other tools would count of the same network: each one's rule for layers with weights, in a line or two.

The tools also count what has no weights (syops its neurons and BatchNorm, SpikingJelly additions between layers);
that is left out here, so that the rules can be compared.  All decide by what they see, so a rule's answer may
change with the images.
"""

from snnbook.analysis.energy import TABLE_5, Computation, Constants, energy_of_computation
from snnbook.analysis.firing import Activity, Observation


def by_every_rule(network: Observation) -> dict[str, Computation]:
    """Operations and energy of one inference by the rule of each tool, at one price where not told otherwise.

    * *this book*: see :func:`snnbook.analysis.energy_of_computation`.
    * *Joint A-SNN, Table 5*: the first layer multiplies, at each time step again; all others add, at their rate
      of nonzero inputs; an ANN's multiply all.  Taps in the padding count, a multiplication costs 5.5 pJ.
    * *NeuroBench 2.3*: nonzero inputs at real taps; a layer adds if all are 0 or 1, and multiplies otherwise.
    * *SpikingJelly 2.0*: the same for spikes; other layers multiply all inputs, zeros and padding included.
    * *syops 0.0.5*: a layer whose inputs have two values from 0 to 1 adds, at a rate that is their *mean*;
      others multiply all.  Taps in the padding count.
    """
    layers = list(network.layers.values())
    first, *rest = network.every_step().layers.values()
    multiplied, added = ([first], rest) if network.rates else ([first, *rest], [])
    as_printed = sum(x.padded * x.used for x in added), sum(x.padded for x in multiplied)
    rules = {
        "NeuroBench 2.3": lambda x: (x.effective, 0) if x.binary else (0, x.effective),
        "SpikingJelly 2.0": lambda x: (x.effective, 0) if x.binary else (0, x.padded),
        "syops 0.0.5": lambda x: (x.padded * x.mean, 0) if _two_values(x) else (0, x.padded),
    }
    counted = {
        name: [sum(kind) for kind in zip(*map(rule, layers), strict=True)] for name, rule in rules.items()
    }
    return {
        "this book": energy_of_computation(network),
        "Joint A-SNN, Table 5": Computation(*as_printed, TABLE_5.joules(*as_printed)),
        **{name: Computation(*found, Constants().joules(*found)) for name, found in counted.items()},
    }


def _two_values(layer: Activity) -> bool:
    """Zero and one more, from 0 to 1: what syops takes for spikes."""
    return layer.level is not None and 0 <= layer.level <= 1
