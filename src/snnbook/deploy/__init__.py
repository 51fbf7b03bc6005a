"""A trained network leaves the book."""

from snnbook.deploy.batchnorm import batchnorms_left, fold_batchnorm
from snnbook.deploy.nir import to_nir
from snnbook.deploy.nir_reading import from_nir

__all__ = ["batchnorms_left", "fold_batchnorm", "from_nir", "to_nir"]
