"""A trained network leaves the book."""

from snnbook.deploy.batchnorm import batchnorms_left, fold_batchnorm

__all__ = ["batchnorms_left", "fold_batchnorm"]
