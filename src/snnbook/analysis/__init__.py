"""Looking at trained networks: firing, energy, accuracy over time, the losses around their minimum."""

from snnbook.analysis.activation_map import grad_cam, spike_activation_map
from snnbook.analysis.energy import energy_of_computation, energy_of_data_movement
from snnbook.analysis.firing import Activity, observe
from snnbook.analysis.landscape import Landscape, filter_normalized_direction, landscape
from snnbook.analysis.measure import measure
from snnbook.analysis.mismatch import STM, mismatch
from snnbook.analysis.scalability import scalability, variance_beyond

__all__ = [
    "STM",
    "Activity",
    "Landscape",
    "energy_of_computation",
    "energy_of_data_movement",
    "filter_normalized_direction",
    "grad_cam",
    "landscape",
    "measure",
    "mismatch",
    "observe",
    "scalability",
    "spike_activation_map",
    "variance_beyond",
]
