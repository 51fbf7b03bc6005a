"""A trained network leaves the book."""

from snnbook.deploy.batchnorm import batchnorms_left, fold_batchnorm
from snnbook.deploy.fixed_point import Chip, lif_fixed_point, to_fixed_point
from snnbook.deploy.nir import to_nir
from snnbook.deploy.nir_reading import from_nir
from snnbook.deploy.onnx import to_onnx
from snnbook.deploy.rounding import round_weights

__all__ = [
    "Chip",
    "batchnorms_left",
    "fold_batchnorm",
    "from_nir",
    "lif_fixed_point",
    "round_weights",
    "to_fixed_point",
    "to_nir",
    "to_onnx",
]
