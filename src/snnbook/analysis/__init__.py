"""Looking at trained networks: firing, energy, accuracy over time, the losses around their minimum."""

from snnbook.analysis.activation_map import activation_maps, grad_cam, spike_activation_map
from snnbook.analysis.counters import by_every_rule
from snnbook.analysis.energy import energy_of_computation, energy_of_data_movement
from snnbook.analysis.firing import Activity, Observation, observe
from snnbook.analysis.flops import training_flops
from snnbook.analysis.harness import by_neurobench
from snnbook.analysis.loss_landscape import Landscape, filter_normalized_direction, landscape
from snnbook.analysis.measurement import epoch_notes, measure, rehearse
from snnbook.analysis.stm import STM, mismatch
from snnbook.analysis.synapses import fan_out
from snnbook.analysis.time_scalability import scalability, variance_beyond

__all__ = [
    "STM",
    "Activity",
    "Landscape",
    "Observation",
    "activation_maps",
    "by_every_rule",
    "by_neurobench",
    "energy_of_computation",
    "energy_of_data_movement",
    "epoch_notes",
    "fan_out",
    "filter_normalized_direction",
    "grad_cam",
    "landscape",
    "measure",
    "mismatch",
    "observe",
    "rehearse",
    "scalability",
    "spike_activation_map",
    "training_flops",
    "variance_beyond",
]
