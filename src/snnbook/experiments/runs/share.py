"""The share of the cores that a run takes: chosen once, kept beside its checkpoint, told in its record.

Sums come out otherwise in the last digit with another number of threads, so a run that goes on after a kill keeps
its number, and one that is trained again for its weights takes that of its record.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from snnbook import files, threads
from snnbook.checks import whole
from snnbook.data import Dataset
from snnbook.errors import UserError
from snnbook.experiments.runs import record
from snnbook.experiments.runs.job import Run
from snnbook.trainers.loop.trial import Trial


@dataclass(frozen=True)
class Share:
    """How many CPU threads a run takes, and why so many, in a few words."""

    threads: int
    why: str

    @contextmanager
    def used(self) -> Iterator["Share"]:
        """Torch has so many threads while the body runs."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            yield self
        finally:
            torch.set_num_threads(before)


def choose(run: Run, method: nn.Module, data: Dataset, device: torch.device, processes: int = 1) -> Share:
    """The share of ``run``, which is about to train ``method``.

    A run that has a record or a checkpoint keeps its number.  Else it is what ``OMP_NUM_THREADS`` says, if that is
    set; a small network has one thread, and of a large one a few steps are tried with as many as there are cores
    free.  On a GPU and among processes of ``torchrun`` it is torch's own number.

    Args:
        run: whose settings, record and checkpoint count.
        method, data: as in :func:`snnbook.trainers.loop.fit.fit`.
        device: where it will be trained.
        processes: that train it together.
    """
    asked = os.environ.get("OMP_NUM_THREADS")
    if device.type != "cpu" or processes > 1:
        why = f"OMP_NUM_THREADS={asked}" if asked else "torch's own number"
        return Share(torch.get_num_threads(), why)
    if run.record_path.is_file():
        made = record.read(run.record_path).environment
        if made["device_type"] == "cpu":
            return Share(made["threads"], "as the record has it")
    if kept := _kept(run):
        return kept
    chosen = (
        Share(torch.get_num_threads(), f"OMP_NUM_THREADS={asked}") if asked else _judged(method, data, run)
    )
    files.write_text(place(run), json.dumps(asdict(chosen)))
    return chosen


def place(run: Run) -> Path:
    """Where the share of a run that is not done is kept."""
    return run.checkpoint.with_name("share.json")


def _kept(run: Run) -> Share | None:
    """What it took when it was killed."""
    try:
        found = Share(**json.loads(place(run).read_bytes()))
        return found if run.checkpoint.is_file() and whole(found.threads, "threads", 1) else None
    except (OSError, ValueError, TypeError, UserError):  # not there, or no more whole
        return None


def _judged(method: nn.Module, data: Dataset, run: Run) -> Share:
    free = threads.free()
    if free == 1:
        return Share(1, "one core was free")
    trial = Trial(method, data, run.settings.recipe)
    work = trial.work()
    counts = threads.counts(work, free)
    if len(counts) == 1:
        return Share(1, f"{work / 1e9:.2g} GFLOP a step are few")
    seconds = trial.seconds(counts)
    tried = ", ".join(f"{count}: {1e3 * each:.3g}" for count, each in seconds.items())
    return Share(threads.fewest(seconds), f"milliseconds a step by threads, {free} cores free: {tried}")
