"""Training one run to its record, which is written last."""

import json
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

import torch
from torch import nn

from snnbook import data as datasets
from snnbook import files, trainers
from snnbook.allocator import keep_freed_memory
from snnbook.analysis import epoch_notes, measure
from snnbook.data import Dataset
from snnbook.experiments import provenance, record
from snnbook.experiments.job import Job
from snnbook.experiments.lock import PATIENCE, hold
from snnbook.experiments.record import Record
from snnbook.trainers import checkpoint
from snnbook.trainers.fit import History, fit


class Context:
    """What a run and the runs it needs have in common."""

    def __init__(self, device: str, root: Path | None, progress: bool):
        self.device = provenance.pick_device(device)
        self.root, self.progress = root, progress
        self.loaded: dict = {}

    def load(self, wanted) -> Dataset:
        if wanted not in self.loaded:
            self.loaded[wanted] = datasets.load(wanted, self.root)
            self.say(self.loaded[wanted].summary())
        return self.loaded[wanted]

    def say(self, text: str) -> None:
        if self.progress:
            print(text, file=sys.stderr, flush=True)


def train(job: Job, context: Context, patience: float = PATIENCE) -> None:
    """Leave weights and record of ``job`` on disk; a record that stands is not touched."""
    settings = job.settings()
    data = context.load(settings.data)
    identity = job.identity(settings, data.fingerprint)
    weights = [weights_of(need, context) for need in job.needs()]
    parent = job.inherited()
    start = weights_of(parent, context) if parent else None
    job.check_folders()
    with hold(job.folder / "lock", patience):
        if _trained(job, identity) and job.record_path.is_file():
            return  # the process we waited for did it
        context.say(f"{job.run_id}, seed {job.seed}, {job.profile} profile, on {context.device}")
        keep_freed_memory()
        torch.manual_seed(job.seed)
        method = trainers.build(settings.name, settings.method, settings.network, data, needs=weights)
        if start is not None:
            checkpoint.load_weights(method, start)
        history = fit(
            method,
            data,
            settings.recipe,
            seed=job.seed,
            device=context.device,
            checkpoint=job.checkpoint,
            identity=identity,
            progress=context.progress,
            note=partial(epoch_notes, method, data, settings.analysis, settings.recipe.epochs),
        )
        mark = job.weights.with_suffix(".id")
        mark.unlink(missing_ok=True)
        checkpoint.save(job.weights, method.state_dict())
        files.write_text(mark, identity)
        if not job.record_path.is_file():
            made = _record(job, settings, data, method, history, context.device)
            record.write(made, job.record_path)
        job.checkpoint.unlink(missing_ok=True)


def weights_of(job: Job, context: Context) -> Path:
    """The trained weights of a run another needs.  They are not kept in git: trained again if they are missing."""
    settings = job.settings()
    identity = job.identity(settings, context.load(settings.data).fingerprint)
    if not (_trained(job, identity) and job.record_path.is_file()):
        context.say(f"training {job.run_id} first, which is needed here")
        train(job, context, patience=float("inf"))
    return job.weights


def _trained(job: Job, identity: str) -> bool:
    mark = job.weights.with_suffix(".id")
    return job.weights.is_file() and mark.is_file() and mark.read_text() == identity


def _record(job: Job, settings, data: Dataset, method: nn.Module, history: History, device) -> Record:
    return Record(
        run=job.run_id,
        label=job.row.label,
        seed=job.seed,
        profile=job.profile,
        asked=job.asked,
        config=json.loads(json.dumps(settings.as_dict())),
        data=data.describe(),
        metrics={name: _metrics(values) for name, values in history.accuracy.items()},
        curve=_curve(history),
        measure=measure(method, data.to(device), settings.analysis, job.seed, history.notes),
        cost=_cost(job, settings, method, history),
        environment=provenance.environment(device, settings.recipe.precision),
        code=provenance.code(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _curve(history: History) -> dict:
    curve = {"loss": history.losses, "accuracy": history.accuracy}
    more = {"test_loss": history.test_losses, "notes": history.notes}
    return curve | {name: values for name, values in more.items() if values}


def _cost(job: Job, settings, method: nn.Module, history: History) -> dict:
    """What the run took, and with ``total_`` what it and the runs it inherits from took together.

    ``epoch_steps`` is the paper's unit of time, epochs times T (Deng et al. 2022, Sec. 4.3), free of any machine.
    """
    steps = settings.network.time_steps if "snn" in history.accuracy else 1
    own = {"seconds": sum(history.seconds), "epoch_steps": history.epochs * steps}
    parent = job.inherited()
    before = parent.standing().cost if parent else {}
    return {
        "seconds": own["seconds"],
        "seconds_per_epoch": median(history.seconds),
        "images_per_second": history.images_per_second,
        "parameters": sum(p.numel() for p in method.parameters() if p.requires_grad),
        "epoch_steps": own["epoch_steps"],
        "total_seconds": own["seconds"] + before.get("total_seconds", 0),
        "total_epoch_steps": own["epoch_steps"] + before.get("total_epoch_steps", 0),
    }


def _metrics(accuracy: list[float]) -> dict:
    best = max(accuracy)
    return {"last": accuracy[-1], "best": best, "best_epoch": accuracy.index(best) + 1}
