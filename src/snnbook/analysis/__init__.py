"""Looking at trained networks: how often neurons fire, and what an inference costs."""

from snnbook.analysis.energy import energy_of_computation, energy_of_data_movement
from snnbook.analysis.firing import Activity, observe
from snnbook.analysis.measure import measure

__all__ = ["Activity", "energy_of_computation", "energy_of_data_movement", "measure", "observe"]
