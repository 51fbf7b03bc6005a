"""A training step of each row of a table, as the row has it: what one method costs beside another."""

from collections.abc import Iterator

import torch

from snnbook.bench.measure import Step
from snnbook.bench.measurement import Measurement, batch_of
from snnbook.data import Dataset
from snnbook.experiments.evidence.prices import title
from snnbook.experiments.runs.job import Run, resolve
from snnbook.experiments.tables import tables
from snnbook.trainers.loop.recipe import PRECISIONS
from snnbook.trainers.registry import build_method, stand_ins

TABLES = ("joint-table4", "one-protocol")
ALONE = "joint-table4/snn"
CLASSES = 10


def rows(device: torch.device) -> Iterator[Measurement]:
    """A step of the rows of one protocol and of Joint A-SNN's ablation, in the profile made for such a device."""
    yield _rows(TABLES, "lab" if device.type == "cuda" else "desk", device, ALONE)


def _rows(names: tuple[str, ...], profile: str, device: torch.device, alone: str, **network) -> Measurement:
    """``network``: settings in place of the rows' own."""
    changes = [f"network.{key}={value}" for key, value in network.items()]
    found = [tables.find(f"{name}/{row.id}", profile) for name in names for row in tables.load(name).rows]
    ids = [f"{table.id}/{row.id}" for table, row in found if profile not in row.waits]
    runs = {each: resolve(each, 0, profile, overrides=changes) for each in dict.fromkeys(ids)}
    images, _ = batch_of(runs[alone].settings.recipe.batch_size, device)
    labels = torch.arange(len(images), device=device) % CLASSES
    steps = {name: _step(run, images, labels) for name, run in runs.items()}
    asked = {name: run.asked for name, run in runs.items()}
    return Measurement(title(profile), steps, (alone,), len(images), asked=asked)


def _step(run: Run, images: torch.Tensor, labels: torch.Tensor) -> Step:
    """A step's time does not depend on what a teacher knows, so it knows nothing."""
    settings, recipe = run.settings, run.settings.recipe
    pixels = torch.rand(CLASSES, *images.shape[1:]), torch.arange(CLASSES)
    data = Dataset.from_tensors(*pixels, *pixels)
    needs = stand_ins(settings.name, settings.method, settings.network, data)
    method = build_method(settings.name, settings.method, settings.network, data, needs)
    return Step(method, images, labels, recipe.channels_last, PRECISIONS[recipe.precision])
