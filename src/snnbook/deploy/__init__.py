"""A trained network leaves the book."""

from snnbook.deploy.batchnorm import fold_batchnorm

__all__ = ["fold_batchnorm"]
