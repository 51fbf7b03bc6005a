"""A network measured by NeuroBench's harness (Yik et al. 2025), beside what this library counts.

The harness asks for care.  Neurons that it does not know it takes for none, so that nothing is sparse; those of
snnTorch inside containers keep their state from batch to batch.  Whether a layer adds or multiplies it decides
anew for each batch.  It divides by the length of the data set, whatever passed.  What raises an error becomes 0.
So here neurons are registered by their own class and hold no state, all images pass in one batch of float32, and
an error is one.

A run asks for it with ``--set analysis.neurobench=true``, which counts as no change of its settings; its
record then holds a :class:`Harness` as ``measure.snn.neurobench``.
"""

import contextlib
import io
from dataclasses import dataclass
from importlib.metadata import version

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from snnbook.analysis.energy import energy_of_computation
from snnbook.analysis.firing import observe
from snnbook.deploy.extra import package
from snnbook.deploy.wiring import checked_network, evaluation
from snnbook.errors import UserError, one_line
from snnbook.folding import SpikingNetwork, neurons
from snnbook.inputs import check_images


@dataclass(frozen=True)
class Harness:
    """What two counters say of one network and the same images.

    Attributes:
        neurobench: ``accuracy``, ``activation_sparsity``, ``accumulates``, ``multiply_accumulates`` (an inference,
            zeros skipped), ``dense`` (zeros included) and ``footprint`` (bytes of parameters and statistics).
        ours: the same by :func:`snnbook.analysis.observe` and :func:`snnbook.analysis.energy_of_computation`.
        version: of NeuroBench.
    """

    neurobench: dict[str, float]
    ours: dict[str, float]
    version: str


def by_neurobench(network: SpikingNetwork, images: Tensor, labels: Tensor) -> Harness:
    """A network by NeuroBench's harness, and by this library.

    Args:
        network: in float32, on the CPU; its prediction is the mean of its outputs over time.
        images: ``[B, C, H, W]`` or ``[T, B, C, H, W]``; all in one batch, so a few hundred.
        labels: ``[B]``.

    Raises:
        UserError: no such network, images or labels; NeuroBench is not installed, or fails at a metric.
    """
    network = checked_network(network)
    check_images(images, network.time_steps)
    count = images.shape[-4]
    if not isinstance(labels, Tensor) or labels.shape != (count,):
        raise UserError(f"labels do not fit {count} images; expected a tensor of shape [{count}]")
    if images.dtype != torch.float32:
        raise UserError(f"images are {images.dtype}; the harness counts in float32 alone; call .float()")
    with evaluation(network), torch.no_grad():
        theirs = _benchmark(network, images, labels)
        kept = []
        seen = observe(network.backbone, lambda: kept.append(network(images)), count)
    cost = energy_of_computation(seen)
    ours = {
        "accuracy": float((kept[0].mean(0).argmax(-1) == labels).float().mean()),
        "activation_sparsity": 1 - seen.mean_rate,
        "accumulates": cost.accumulates,
        "multiply_accumulates": cost.multiply_accumulates,
        "dense": sum(layer.dense for layer in seen.layers.values()),
        "footprint": float(sum(x.nbytes for x in (*network.parameters(), *network.buffers()))),
    }
    return Harness(theirs, ours, version("neurobench"))


class _ByBatch(nn.Module):
    """The network as the harness calls it: the batch comes first, whatever is behind it."""

    def __init__(self, network: SpikingNetwork):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images.transpose(0, 1) if images.dim() == 5 else images).mean(0)


def _benchmark(network: SpikingNetwork, images: Tensor, labels: Tensor) -> dict[str, float]:
    benchmarks, static, workload, models = (
        package(f"neurobench.{part}", "is the harness", extra="neurobench")
        for part in ("benchmarks", "metrics.static", "metrics.workload", "models")
    )
    model = models.TorchModel(_ByBatch(network))
    for kind in {type(neuron) for neuron in neurons(network).values()}:
        model.add_activation_module(kind)
    first = images.transpose(0, 1) if images.dim() == 5 else images
    data = DataLoader(TensorDataset(first, labels), batch_size=len(labels))
    names = ("ClassificationAccuracy", "ActivationSparsity", "SynapticOperations")
    metrics = [[static.Footprint], [getattr(workload, name) for name in names]]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
        benchmark = benchmarks.Benchmark(model, data, [], [lambda outputs: outputs.argmax(-1)], metrics)
        try:
            found = benchmark.run()
        except Exception as error:  # whatever the harness meets
            raise UserError(f"NeuroBench fails: {one_line(error)[:250]}") from error
        finally:
            model.cleanup_hooks()
    if "Error running" in said.getvalue():
        reason = said.getvalue().split("Error running", 1)[1].splitlines()[0]
        raise UserError(f"NeuroBench could not run{reason[:250]}, which it would score as 0")
    operations = found["SynapticOperations"]
    return {
        "accuracy": found["ClassificationAccuracy"],
        "activation_sparsity": found["ActivationSparsity"],
        "accumulates": operations["Effective_ACs"],
        "multiply_accumulates": operations["Effective_MACs"],
        "dense": operations["Dense"],
        "footprint": float(found["Footprint"]),
    }
