"""The part of a run's record that is measured on the trained networks."""

import torch
from torch import nn

from snnbook.analysis.energy import energy_of_computation, energy_of_data_movement
from snnbook.analysis.firing import observe
from snnbook.data import Dataset, test_batches

# Enough images that a firing rate is known to a fraction of a percent.
IMAGES = 256


@torch.no_grad()
def measure(method: nn.Module, data: Dataset) -> dict:
    """Firing rates and energies of each network of a trained method, JSON-ready.

    Args:
        method: in evaluation mode after this call.
        data: its first test images are used, at most ``IMAGES``; on the method's device.

    Returns:
        For each network: ``firing_rate`` (mean share of neurons that fire at a step), ``firing_rates`` by
        layer, ``additions``, ``multiplications`` and ``energy_uj`` of one inference (microjoules),
        ``movement_mb`` (10**6 bytes) with ``movement_least_uj`` and ``movement_most_uj``, ``parameters`` of
        the network deployed alone, and ``time_steps``.  An ANN has no firing rates.
    """
    method.eval()
    images, _ = next(iter(test_batches(data, IMAGES)))
    result = {}
    for name, network in method.backbones().items():
        seen = observe(network, lambda: method.predict(images), len(images))
        computation, movement = energy_of_computation(seen), energy_of_data_movement(seen)
        result[name] = {
            "additions": computation.additions,
            "multiplications": computation.multiplications,
            "energy_uj": 1e6 * computation.joules,
            "movement_mb": movement.volume / 1e6,
            "movement_least_uj": 1e6 * movement.least,
            "movement_most_uj": 1e6 * movement.most,
            "parameters": _deployed_parameters(network),
            "time_steps": seen.time_steps,
        }
        if seen.rates:
            result[name] |= {"firing_rate": seen.mean_rate, "firing_rates": seen.rates}
    return result


def _deployed_parameters(network: nn.Module) -> int:
    """Weights of the network alone: composed ones count, which are no parameters while factors are trained."""
    count = sum(p.numel() for p in network.parameters())
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear) and "weight" not in layer._parameters:
            count += layer.weight.numel()
    return count
