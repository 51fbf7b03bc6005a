"""Training one run to its record, which is written last."""

import json
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

import torch
from torch import nn

from snnbook import data as datasets
from snnbook import files, trainers
from snnbook.analysis import epoch_notes, measure
from snnbook.data import Dataset
from snnbook.errors import UserError
from snnbook.experiments.runs import provenance, record
from snnbook.experiments.runs.job import Job
from snnbook.experiments.runs.lock import PATIENCE, hold
from snnbook.experiments.runs.record import Record
from snnbook.trainers.loop.allocator import keep_freed_memory
from snnbook.trainers.loop.distributed import ALONE, World
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.history import History
from snnbook.trainers.loop.weights import load_weights, save_weights


class Context:
    """What a run and the runs it needs have in common."""

    def __init__(self, device: torch.device, root: Path | None, progress: bool, world: World = ALONE):
        self.device, self.root, self.progress, self.world = device, root, progress, world
        self.loaded: dict = {}

    def load(self, wanted) -> Dataset:
        if wanted not in self.loaded:
            self.world.decide(lambda: self._load(wanted))  # and download, which only one process should
            self._load(wanted)
            self.say(self.loaded[wanted].summary())
        return self.loaded[wanted]

    def _load(self, wanted) -> None:
        if wanted not in self.loaded:
            self.loaded[wanted] = datasets.load(wanted, self.root)

    def say(self, text: str) -> None:
        if self.progress and self.world.rank == 0:
            print(text, file=sys.stderr, flush=True)


def train(job: Job, context: Context, patience: float = PATIENCE) -> None:
    """Leave weights and record of ``job`` on disk; a record that stands is not touched."""
    settings, world = job.settings(), context.world
    data = context.load(settings.data)
    identity = job.identity(settings, data.fingerprint)
    weights = [weights_of(need, context) for need in job.needs()]
    parent = job.inherited()
    start = weights_of(parent, context) if parent else None
    with ExitStack() as stack:

        def claim() -> bool:
            job.check_folders()
            stack.enter_context(hold(job.folder / "lock", patience))
            return _done(job, identity)

        if world.decide(claim):
            return  # the process we waited for did it
        _check_same(identity, world)
        context.say(f"{job.run_id}, seed {job.seed}, {job.profile} profile, {_where(context)}")
        keep_freed_memory()
        torch.manual_seed(job.seed)
        method = trainers.build_method(settings.name, settings.method, settings.network, data, needs=weights)
        if start is not None:
            load_weights(method, start)
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
            world=world,
        )
        world.decide(lambda: _finish(job, identity, settings, data, method, history, context))


def _finish(
    job: Job, identity: str, settings, data: Dataset, method, history: History, context: Context
) -> None:
    """Weights first, then their mark, then the record: what is there is whole."""
    mark = job.weights.with_suffix(".id")
    mark.unlink(missing_ok=True)
    save_weights(method, job.weights)
    files.write_text(mark, identity)
    if not job.record_path.is_file():
        made = _record(job, settings, data, method, history, context)
        record.write(made, job.record_path)
    job.checkpoint.unlink(missing_ok=True)


def weights_of(job: Job, context: Context) -> Path:
    """The trained weights of a run another needs.  They are not kept in git: trained again if they are missing."""
    settings = job.settings()
    identity = job.identity(settings, context.load(settings.data).fingerprint)
    if not context.world.decide(lambda: _done(job, identity)):
        context.say(f"training {job.run_id} first, which is needed here")
        train(job, context, patience=float("inf"))
    return job.weights


def _done(job: Job, identity: str) -> bool:
    return _trained(job, identity) and job.record_path.is_file()


def _check_same(identity: str, world: World) -> None:
    found = sorted(set(world.gather(identity)))
    if len(found) > 1:
        raise UserError(
            f"processes are at different runs ({', '.join(found)}); "
            "expected the same command, tables and data on all nodes"
        )


def _where(context: Context) -> str:
    count = context.world.size
    return f"on {context.device}" if count == 1 else f"in {count} processes on {context.device.type}"


def _trained(job: Job, identity: str) -> bool:
    mark = job.weights.with_suffix(".id")
    return job.weights.is_file() and mark.is_file() and mark.read_text() == identity


def _record(
    job: Job, settings, data: Dataset, method: nn.Module, history: History, context: Context
) -> Record:
    return Record(
        run=job.run_id,
        label=job.row.label,
        seed=job.seed,
        profile=job.profile,
        asked=job.asked,
        config=json.loads(json.dumps(settings.as_dict())),
        data=data.describe(),
        metrics={name: _metrics(values, history.tested) for name, values in history.accuracy.items()},
        curve=_curve(history),
        measure=measure(method, data.to(context.device), settings.analysis, job.seed, history.notes),
        cost=_cost(job, settings, method, history),
        environment=provenance.environment(context.device, settings.recipe.precision)
        | context.world.describe(),
        code=provenance.code(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _curve(history: History) -> dict:
    curve = {"loss": history.losses, "tested": history.tested, "accuracy": history.accuracy}
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


def _metrics(accuracy: list[float], tested: list[int]) -> dict:
    best = max(accuracy)
    return {"last": accuracy[-1], "best": best, "best_epoch": tested[accuracy.index(best)]}
