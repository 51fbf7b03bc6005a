"""The part of a run's record that is measured on the trained networks."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from statistics import mean
from types import MappingProxyType

import torch
from torch import nn

from snnbook.analysis.activation_map import activation_maps
from snnbook.analysis.config import AnalysisConfig
from snnbook.analysis.energy import TABLE_5, energy_of_computation, energy_of_data_movement
from snnbook.analysis.firing import Observation, observe
from snnbook.analysis.harness import by_neurobench
from snnbook.analysis.loss_landscape import landscape
from snnbook.analysis.stm import mismatch
from snnbook.analysis.synapses import COUNTED
from snnbook.analysis.time_scalability import scalability, spiking_network, variance_beyond
from snnbook.data import Dataset, batches, test_batches
from snnbook.data.batching import in_batches
from snnbook.errors import UserError
from snnbook.folding import SpikingNetwork
from snnbook.losses import every_moment, sdt

# Enough images that a firing rate is known to a fraction of a percent.
IMAGES = 256

NOTHING_ELSE = AnalysisConfig()
ANALYSES = ("time_steps", "moments", "landscape", "mismatch", "activation_maps", "neurobench")
HALVES = ("train", "test")


@torch.no_grad()
def measure(
    method: nn.Module,
    data: Dataset,
    analyses: AnalysisConfig = NOTHING_ELSE,
    seed: int = 0,
    notes: Mapping[str, list] = MappingProxyType({}),
) -> dict:
    """Firing rates and energies of each network of a trained method, JSON-ready.

    All is computed in float32, whatever precision it was trained and tested in.  A number that is not finite, such
    as a loss far from a minimum, is None.

    Args:
        method: in evaluation mode after this call.
        data: its first test images are used, at most ``IMAGES``; on the method's device.
        analyses: what else to measure on the SNN: ``scalability`` (see there; with the ``variance`` of either
            beyond the trained length, where two accuracies or more lie there), and ``landscape``, the losses SDT
            and TET (without its regularizer) around the minimum on unaugmented training images, with their
            ``minimum`` and their ``rise`` in its inner half;
            ``mismatch``, the STM score of student and teacher, by layers ``[S, K]`` and by steps ``[T, S]``, too
            (of the network as it is; if ``notes`` has scores of epochs, ``score`` is their mean);
            ``activation_maps``, see there; ``neurobench``, what its harness says of the same images,
            beside what we do, see :class:`snnbook.analysis.harness.Harness`.
        seed: of the landscape's directions.
        notes: of the training, see :func:`epoch_notes`.

    Returns:
        For each network: ``firing_rate`` (mean share of neurons that fire at a step), ``firing_rates`` by
        layer, ``accumulates``, ``multiply_accumulates`` and ``energy_uj`` of one inference (microjoules), see
        :func:`.energy_of_computation`; the energy by other rules: ``energy_folded_uj`` if the division of average
        pooling is folded into weights, ``energy_dense_uj`` if no zero is skipped, ``energy_every_step_uj`` if a
        still image passes the stem T times, ``energy_paper_uj`` at the prices of Joint A-SNN's Table 5;
        ``movement_mb`` (10**6 bytes) with ``movement_least_uj`` and ``movement_most_uj``, where activations are
        modules; ``parameters`` of the network deployed alone, and ``time_steps``.  Of recordings that end early
        their own steps count.  An ANN has no firing rates.  ``uncounted`` names layers whose operations are not
        known, if there are any.
    """
    method.eval()
    # A loader's pass that ends early leaves the generator as it seeded it.
    with torch.random.fork_rng(devices=[]):
        images, labels, *ends = next(in_batches(test_batches(data, IMAGES), IMAGES))
    result = {}
    for name, network in method.backbones().items():
        seen = observe(network, lambda: method.predict(images, *ends), len(labels), *ends)
        result[name] = _costs(network, seen)
    if analyses.time_steps:
        result["snn"]["scalability"] = _scalability(spiking_network(method), data, analyses)
    if analyses.mismatch:
        found = _mismatch(method, data, analyses.mismatch)
        scores = notes.get("stm", [])
        result["snn"]["mismatch"] = found | ({"score": mean(scores)} if scores else {})
    if analyses.activation_maps:
        result["snn"]["activation_maps"] = activation_maps(
            method, images[..., : analyses.activation_maps, :, :, :]
        )
    if analyses.neurobench and "snn" in result:
        network = copy.deepcopy(spiking_network(method)).float().cpu()
        found = by_neurobench(network, images.float().cpu(), labels.cpu())
        result["snn"]["neurobench"] = vars(found)
    if analyses.landscape:
        result["snn"]["landscape"] = _landscape(spiking_network(method), data, analyses, seed)
    return _finite(result)


def _finite(found):
    """``found`` as JSON can hold it: what overflowed, or is not a number, is None."""
    if isinstance(found, dict):
        return {name: _finite(each) for name, each in found.items()}
    if isinstance(found, list | tuple):
        return [_finite(each) for each in found]
    return None if isinstance(found, float) and not isfinite(found) else found


def _costs(network: nn.Module, seen: Observation) -> dict:
    """What one inference of a network takes, and how often its neurons fire."""
    computation, movement = energy_of_computation(seen), energy_of_data_movement(seen)
    by_other_rules = {
        "folded": energy_of_computation(seen, pooled="fold"),
        "dense": energy_of_computation(seen.unskipped()),
        "every_step": energy_of_computation(seen.every_step()),
        "paper": energy_of_computation(seen, TABLE_5),
    }
    found = {
        "accumulates": computation.accumulates,
        "multiply_accumulates": computation.multiply_accumulates,
        "energy_uj": 1e6 * computation.joules,
        **{f"energy_{rule}_uj": 1e6 * other.joules for rule, other in by_other_rules.items()},
        "parameters": _deployed_parameters(network),
        "time_steps": seen.time_steps,
    }
    if seen.activations:
        found |= {
            "movement_mb": movement.volume / 1e6,
            "movement_least_uj": 1e6 * movement.least,
            "movement_most_uj": 1e6 * movement.most,
        }
    if seen.rates:
        found |= {"firing_rate": seen.mean_rate, "firing_rates": seen.rates}
    if seen.uncounted:
        found["uncounted"] = list(seen.uncounted)
    return found


def rehearse(method: nn.Module, data: Dataset, analyses: AnalysisConfig) -> None:
    """Try the analyses a run asks for on two images, before it trains for days and then cannot do them.

    Args:
        method: untrained; in evaluation mode after this call.  Random numbers go on as if nothing had been drawn.
        data, analyses: as in :func:`measure`.

    Raises:
        UserError: one of them cannot be done of this method or these data.
    """
    asked = [name for name in ANALYSES if getattr(analyses, name)]
    if "neurobench" in asked and "snn" not in method.backbones():  # it may be asked for several rows at once
        asked.remove("neurobench")
    if not asked:
        return
    if len(data.test_labels) < analyses.mismatch:
        raise UserError(
            f"analysis.mismatch is {analyses.mismatch}, but there are {len(data.test_labels)} test images; "
            "choose a smaller batch"
        )
    small = replace(
        analyses,
        landscape=5 if analyses.landscape else 0,
        mismatch=min(analyses.mismatch, 2),
        activation_maps=min(analyses.activation_maps, 2),
    )
    if "snn" not in method.backbones():
        raise UserError(
            f"analysis asks for {', '.join(asked)}, which look at a spiking network, "
            f"and {type(method).__name__} trains none; leave the section out"
        )
    with torch.random.fork_rng(devices=[]):
        measure(method, _few(data, 2), small)


def _few(data: Dataset, count: int) -> Dataset:
    """The first images of ``data``, held in memory."""
    part = slice(0, count)
    images = [next(iter(data.read(half, [part]))) for half in HALVES]
    labels, ends = ([getattr(data, f"{half}_{what}") for half in HALVES] for what in ("labels", "lengths"))
    (train, test), (trained, tested) = images, (x[part] for x in labels)
    some = (data.name, data.classes, train, trained, test, tested, data.mean, data.std, data.fingerprint)
    return Dataset(*some, data.cut, *(None if x is None else x[part] for x in ends))


def epoch_notes(
    method: nn.Module, data: Dataset, analyses: AnalysisConfig, epochs: int, done: int
) -> dict[str, float]:
    """What a run measures after an epoch: ``stm``, its mismatch score, if that is averaged over the last ones.

    Args:
        method, data, analyses: as in :func:`measure`.
        epochs: of the whole training.
        done: how many of them are.
    """
    wanted = analyses.mismatch and analyses.mismatch_epochs > 1 and epochs - analyses.mismatch_epochs < done
    return {"stm": mismatch(method, data, analyses.mismatch).value()} if wanted else {}


def _mismatch(method: nn.Module, data: Dataset, batch_size: int) -> dict:
    score = mismatch(method, data, batch_size)
    rounded = {"layers": score.layers(), "steps": score.steps()}
    return {"score": score.value(), "batch_size": batch_size} | {
        name: [[round(x, 4) for x in row] for row in table.tolist()] for name, table in rounded.items()
    }


def _scalability(network: SpikingNetwork, data: Dataset, analyses: AnalysisConfig) -> dict:
    trained = network.time_steps
    found = scalability(network, data, analyses.time_steps, analyses.moments or max(analyses.time_steps))
    beyond = [name for name, values in found.items() if sum(t > trained for t in values) > 1]
    return found | {"variance": {name: variance_beyond(found[name], trained) for name in beyond}}


def _landscape(network: SpikingNetwork, data: Dataset, analyses: AnalysisConfig, seed: int) -> dict:
    count = min(analyses.images, len(data.train_labels))
    if data.padded:
        raise UserError(
            "analysis.landscape knows no lengths, and recordings end before the last frame; leave it out, or set "
            "data.split_by to number or time"
        )
    images, labels = next(batches(data, count, seed=0, epoch=0))
    found = landscape(
        network,
        images,
        labels,
        {"sdt": sdt, "tet": every_moment},
        points=analyses.landscape,
        radius=analyses.radius,
        seed=seed,
    )
    return {
        "images": count,
        "steps": found.steps.tolist(),
        "minimum": {name: found.minimum(name) for name in found.losses},
        "rise": {name: found.rise(name, analyses.radius / 2) for name in found.losses},
        **{name: [[round(x, 5) for x in row] for row in z.tolist()] for name, z in found.losses.items()},
    }


def _deployed_parameters(network: nn.Module) -> int:
    """Weights of the network deployed alone: composed ones count, and not what they are composed of."""
    count = sum(p.numel() for name, p in network.named_parameters() if ".parametrizations." not in f".{name}")
    for layer in network.modules():
        composed = {*getattr(layer, "parametrizations", ())}  # of torch's spectral_norm, for instance
        if isinstance(layer, COUNTED) and "weight" not in layer._parameters:
            composed.add("weight")
            # As pruning leaves.
            old = [p for name, p in layer._parameters.items() if name.startswith("weight_")]
            count -= sum(p.numel() for p in old)
        count += sum(getattr(layer, name).numel() for name in composed)
    return count
