"""Trained networks to open, by name."""

from pathlib import Path

from torch import nn


def load_pretrained(name: str, network: str | None = None, *, results: Path | None = None) -> nn.Module:
    """A trained network of a run, ready to predict::

        network = snnbook.load_pretrained("desk/one-protocol/sdt")  # a SpikingNetwork
        network(images)  # logits [T, B, classes]

    Images are those of the run's data set, normalized, as :func:`snnbook.data.test_batches` gives them.  Weights
    were rounded to bfloat16 and are float32 again; ``results/pretrained.json`` tells what accuracy that left.

    Args:
        name: ``<profile>/<table>/<row>``.
        network: ``"snn"`` or ``"ann"``, of a run that trained both; by default the SNN if there is one.
        results: folder of records; the project's by default, and those packed with the library.

    Returns:
        A :class:`snnbook.SpikingNetwork`, or an ANN of :mod:`snnbook.backbones`, in evaluation mode, on the CPU.

    Raises:
        UserError: no weights of that name (the nearest is named), or of that network; they are missing, damaged,
            or others than the index or the run's record tells of.
    """
    from snnbook.experiments.runs import kept  # which brings YAML, and a name should not

    return kept.load(name, network, results)
