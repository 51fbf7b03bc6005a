"""snnbook: train spiking neural networks, read how, and trace every number to the run that made it."""

__version__ = "0.1.0"
