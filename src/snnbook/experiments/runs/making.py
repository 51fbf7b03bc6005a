"""What a run's record says, put together when its training is over."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median

import torch
from torch import nn

from snnbook.analysis import measure
from snnbook.data import Dataset
from snnbook.experiments.runs import provenance
from snnbook.experiments.runs import record as records
from snnbook.experiments.runs.job import Run
from snnbook.experiments.runs.record import Origin, Record
from snnbook.experiments.runs.share import Share
from snnbook.trainers.loop.distributed import World
from snnbook.trainers.loop.history import History
from snnbook.trainers.loop.weights import weights_digest


def make(
    run: Run,
    data: Dataset,
    method: nn.Module,
    history: History,
    origins: Sequence[Origin],
    device: torch.device,
    world: World,
    taken: Share,
    before: list[str],
) -> Record:
    """The record of a run that has been trained; its networks are measured here.

    Args:
        run: its weights are on disk.
        data, method, history: what :func:`snnbook.trainers.loop.fit.fit` was given and gave.
        origins: the runs whose weights went into it.
        device, world, taken: where it was trained, and with how many threads.
        before: where it was trained before it went on there, see :mod:`.stretches`.
    """
    settings = run.settings
    return Record(
        run=run.id,
        label=run.label,
        seed=run.seed,
        profile=run.profile,
        asked=run.asked,
        config=json.loads(json.dumps(settings.as_dict())),
        data=data.describe(),
        metrics={name: _metrics(values, history.tested) for name, values in history.accuracy.items()},
        curve=_curve(history),
        measure=measure(method, data.to(device), settings.analysis, run.seed, history.notes),
        cost=_cost(run, method, history),
        environment=provenance.environment(device, settings.recipe.precision)
        | world.describe()
        | {"threads_why": taken.why}
        | ({"earlier": before} if before else {}),
        code=provenance.code(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        needs=[vars(origin) for origin in origins],
        weights=weights_digest(run.weights),
    )


def _curve(history: History) -> dict:
    curve = {"loss": history.losses, "tested": history.tested, "accuracy": history.accuracy}
    more = {"test_loss": history.test_losses, "notes": history.notes}
    return curve | {name: values for name, values in more.items() if values}


def _cost(run: Run, method: nn.Module, history: History) -> dict:
    """What the run took, and with ``total_`` what it and the runs it inherits from took together.

    ``epoch_steps`` is the paper's unit of time, epochs times T (Deng et al. 2022, Sec. 4.3), free of any machine.
    """
    steps = run.settings.network.time_steps if "snn" in history.accuracy else 1
    own = {"seconds": sum(history.seconds), "epoch_steps": history.epochs * steps}
    before = records.read(run.inherits.record_path).cost if run.inherits else {}
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
