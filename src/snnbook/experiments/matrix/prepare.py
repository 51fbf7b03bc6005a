"""The matrix of runs: what is asked for, what is left of it, and what that will take; nothing starts here."""

import math
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snnbook import threads
from snnbook.checks import whole
from snnbook.experiments.matrix import plan
from snnbook.experiments.matrix.cards import cards
from snnbook.experiments.matrix.estimate import START, Forecast, forecast
from snnbook.experiments.matrix.plan import Step, Task
from snnbook.experiments.runs import machines, record

EXECUTORS = ("slurm", "kubernetes")


@dataclass(frozen=True)
class Matrix:
    """Runs, and the steps that do what is left of them; see :func:`prepare`."""

    profile: str
    tasks: tuple[Task, ...]
    steps: tuple[Step, ...]
    results: Path
    work: Path
    data: Path | None
    bare: bool
    cores: int
    cards: int
    executor: str | None

    @property
    def todo(self) -> list[Task]:
        return [task for task in self.tasks if not (task.done or task.waits)]

    @property
    def gpus(self) -> int:
        """Cards a step takes: one, but none in the quick profile or on a machine without."""
        return int(self.profile != "quick" and bool(self.executor or self.cards))

    @property
    def slots(self) -> int:
        """How many steps go on at a time on this machine."""
        return self.cards if self.gpus else self.cores

    @property
    def threads(self) -> int:
        """CPU cores a step takes.  A quick run is too small to gain from a second."""
        if not self.gpus:
            return 1
        return 4 if self.executor else max(1, self.cores // self.slots)

    @property
    def warm(self) -> bool:
        """Whether runs are made in copies of one process that has imported torch: without notebook and card."""
        return self.bare and not (self.gpus or self.executor) and sys.platform == "linux"

    def log(self, step: Step) -> Path:
        """Where the output of a step goes."""
        return self.work / self.profile / step.name / "log.txt"

    def command(self, step: Step) -> str:
        """What a step does, as a line for the shell.  It may be given again at any time."""
        options = ["--seed", *map(str, step.seeds), "--profile", self.profile, "--weights"]
        options += ["--results", self.results, "--work", self.work]
        options += ["--data", self.data] if self.data else []
        options += ["--bare"] if self.bare else []
        options += ["--own-card"] if self.gpus else []
        line = shlex.join([sys.executable, "-m", "snnbook", "run", step.row, *map(str, options)])
        return f"{line} >> {shlex.quote(str(self.log(step)))} 2>&1"

    def text(self) -> str:
        """The plan: runs by table, what waits, hours, disk, data that have to be fetched first."""
        done = sum(task.done for task in self.tasks)
        waiting = len(self.tasks) - done - len(self.todo)
        counts = f"{done} done, {len(self.todo)} to do" + (f", {waiting} waiting" if waiting else "")
        lines = [f"{len(self.tasks)} runs in the {self.profile} profile, {counts}"]
        tables = Counter(task.name.partition("/")[0] for task in self.todo)
        lines += [f"  to do: {name}: {count} runs" for name, count in tables.items()]
        reasons: dict[tuple[str, str], list[str]] = {}
        for run, reason in dict.fromkeys((t.name, t.waits) for t in self.tasks if t.waits and not t.done):
            reasons.setdefault((run.partition("/")[0], reason), []).append(run)
        for (table, reason), runs in reasons.items():
            which = ", ".join(runs) if len(runs) < 4 else f"{len(runs)} rows of {table}"
            lines.append(f"  waits: {which}: {reason}")
        again = [step for step in self.steps if step.again]
        lines += [f"  again for the weights, which git does not keep: {step.row}" for step in again]
        runs = [one for step in again for one in step.runs]
        if on := {machines.device(record.read(one.record_path).environment) for one in runs}:
            lines.append(
                f"    recorded on {' and '.join(sorted(on))}; where weights come out otherwise, what needs them "
                "stops there, and a --results of your own makes both anew"
            )
        return "\n".join(lines + (self._needs() if self.steps else []))

    def _needs(self) -> list[str]:
        guess = forecast(self.steps, self.profile, self.results, 0 if self.warm else START)
        lines = [f"time: {self._time(guess)}"]
        if self.profile != "quick":
            lines.append(f"GPU time: {_on_gpu(guess)}")
            if not self.gpus:
                lines.append("no GPU here: everything runs on the CPU")
        disk = f"about {math.ceil(guess.disk / 1e6)} MB of weights" if guess.devices else "unknown"
        lines.append(
            f"disk: {disk} in {self.work}, {shutil.disk_usage(_existing(self.work)).free / 1e9:.0f} GB free"
        )
        return [*lines, f"records: in {self.results}", *self._missing()]

    def _time(self, guess: Forecast) -> str:
        notes = (
            (guess.typical, "counted as the profile's median"),
            (
                guess.stretched,
                "by an estimate, from records of other profiles and what the networks compute",
            ),
            (guess.unknown, "not counted, nothing like them has a record"),
        )
        note = "".join(f"; {count} runs {text}" for count, text in notes if count)
        if not guess.devices:
            return f"unknown{note}"
        alone = f"one after another, less on {self.executor}"
        where = alone if self.executor else f"{self.slots} at a time"
        seconds = guess.seconds / (1 if self.executor else min(self.slots, len(self.steps)))
        made = f"judged by records made on {', '.join(guess.devices)}"
        return f"about {duration(seconds)}, {where}, {made}{note}"

    def estimate(self) -> str:
        """Runs and hours in one line."""
        if not self.steps:
            return f"{self.profile}: nothing to run"
        guess = forecast(self.steps, self.profile, self.results, 0 if self.warm else START)
        seconds = (
            f"about {duration(guess.seconds)} on {' or '.join(guess.devices)}" if guess.devices else "unknown"
        )
        return f"{self.profile}: {len(self.todo)} runs, by an estimate {seconds}; GPU time: {_on_gpu(guess)}"

    def _missing(self) -> list[str]:
        """A line for each data set that is not there, with the run that fetches it: no other does, unasked."""
        from snnbook.data import location  # brings torch, which the rest does not need

        folder = self.data or location.default_root().absolute()
        first = {run.data_name: run.id for step in reversed(self.steps) for run in reversed(step.runs)}
        option = ["--data", str(folder)] if self.data else []
        lines = []
        for name, run in sorted(first.items()):
            if name in location.PLACES and location.found(name, folder) is None:
                ask = [
                    "snnbook",
                    "run",
                    run,
                    "--profile",
                    self.profile,
                    *option,
                    "--set",
                    "data.download=true",
                ]
                size = location.megabytes(name)
                lines.append(f"missing: {name}, {size}, in {folder}; to download it: {shlex.join(ask)}")
        return [f"data: in {folder}", *(lines or ["missing: no data"])]


def prepare(
    profile: str,
    chosen: Sequence[str] = (),
    seeds: Sequence[int] = (),
    *,
    results: Path | None = None,
    work: Path | None = None,
    data: Path | None = None,
    bare: bool = False,
    cores: int | None = None,
    executor: str | None = None,
) -> Matrix:
    """What is asked for and what is left of it.

    Args:
        profile: ``"quick"``, ``"desk"``, ``"lab"`` or ``"paper"``.
        chosen: tables; all by default.
        seeds: instead of each table's own.
        results: folder of records; the project's by default.
        work: folder of checkpoints, weights and logs; ``runs`` beside the project's own ``results`` by default.
        data: folder of data sets that are not bundled; rows whose images are not there wait.
        bare: without notebooks.  The quick profile always is: starting a notebook takes as long as a run.
        cores: of this machine, to be used; all by default.
        executor: None for this machine, ``"slurm"`` or ``"kubernetes"`` for a cluster.

    Raises:
        UserError: no such table, a damaged record, a mistake in a table, or no core to use.
    """
    if cores is not None:
        whole(cores, "--cores", 1)
    results = Path(results or record.folder()).absolute()
    work = Path(work or record.folder().parent / "runs").absolute()
    tasks = plan.matrix(profile, chosen, seeds, results, work, data)
    cores = cores or threads.cores()
    return Matrix(
        profile=profile,
        tasks=tuple(tasks),
        steps=tuple(plan.steps(tasks)),
        results=results,
        work=work,
        data=Path(data).absolute() if data else None,
        bare=bare or profile == "quick",
        cores=cores,
        cards=len(cards()),
        executor=executor,
    )


def duration(seconds: float) -> str:
    """For people: two digits, in minutes or hours."""
    number, unit = (seconds / 3600, "h") if seconds > 5400 else (seconds / 60, "min")
    return f"{float(f'{number:.2g}'):,.12g} {unit}"


def _on_gpu(guess: Forecast) -> str:
    if guess.papers_gpu:
        whence = "in part " if guess.gpu else ""
        total = duration((guess.gpu or 0) + guess.papers_gpu)
        return f"by an estimate about {total}, {whence}from the seconds a paper prints for its epochs"
    if guess.gpu:
        return f"about {duration(guess.gpu)}"
    return "unknown, no record was made on a GPU"


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())
