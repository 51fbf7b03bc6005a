"""Looking at trained networks: firing, energy, accuracy over time, the losses around their minimum."""

from snnbook.analysis.energy import energy_of_computation, energy_of_data_movement
from snnbook.analysis.firing import Activity, observe
from snnbook.analysis.landscape import Landscape, filter_normalized_direction, landscape
from snnbook.analysis.measure import measure
from snnbook.analysis.scalability import scalability, variance_beyond

__all__ = [
    "Activity",
    "Landscape",
    "energy_of_computation",
    "energy_of_data_movement",
    "filter_normalized_direction",
    "landscape",
    "measure",
    "observe",
    "scalability",
    "variance_beyond",
]
