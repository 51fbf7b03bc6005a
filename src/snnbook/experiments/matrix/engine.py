"""Snakemake over ``snnbook run``.  It schedules; what is done, the records alone say, before and after."""

import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from snnbook import files, warm
from snnbook.data.location import default_root
from snnbook.errors import UserError
from snnbook.experiments.matrix import owner
from snnbook.experiments.matrix.estimate import durations
from snnbook.experiments.matrix.plan import Step, Task
from snnbook.experiments.matrix.prepare import Matrix
from snnbook.experiments.runs import record
from snnbook.experiments.runs.lock import hold
from snnbook.experiments.runs.record import Record
from snnbook.experiments.tables.tables import REHEARSAL

HOST = re.sub(r"\W", "-", socket.gethostname())
END_WITH_PARENT = 1  # Linux's PR_SET_PDEATHSIG
GRACE = 10.0  # seconds to end by oneself
# What a run imports, and what torch imports when an optimizer takes its first step.
WARM = (
    "snnbook.cli.commands",
    "snnbook.experiments.runs.run",
    "snnbook.experiments.runs.training",
    "torch._dynamo",
)


@dataclass(frozen=True)
class Failure:
    """A run that was to be made and has no record: why, by the last it said, and where the rest stands."""

    task: Task
    reason: str
    log: Path


def reproduce(matrix: Matrix, on_record: Callable[[Record, int], None]) -> list[Failure]:
    """Do the steps of ``matrix``; returns the runs that failed, none of which stops the others.

    Killed at any moment it leaves whole records and checkpoints, and nothing to unlock: each call has a folder
    of its own, plans anew, and waits for runs that outlived an earlier call.  However it ends, what it started
    ends with it; the folder goes, too, after a kill by the next call.

    Args:
        matrix: from :func:`snnbook.experiments.matrix.prepare.prepare`.
        on_record: called for each record as it appears, with the number of those that have not.

    Raises:
        UserError: Snakemake or the executor's plugin is not installed, or Snakemake itself failed.
        KeyboardInterrupt: after all that was started here has ended.
    """
    if not matrix.steps:
        return []
    _check_installed(matrix.executor)
    for step in matrix.steps:
        _prepare(matrix.log(step), step)
    messages = matrix.work / matrix.profile / "snakemake.log"
    with _own_folder(matrix.work / "reproduce") as folder, _warm(matrix, folder) as environment:
        code = _schedule(matrix, folder, environment, messages, on_record)
    failed = _failures(matrix, messages)
    if code and not failed:
        raise UserError(f"Snakemake failed, though each run has its record; see {messages}")
    return failed


@contextmanager
def _own_folder(place: Path) -> Iterator[Path]:
    """A folder in ``place`` for the body; folders whose calls were killed on this host are removed."""
    with files.explain_write_errors(place), hold(place / ".lock"):
        for folder in place.glob("*:*"):
            host, _, call = folder.name.rpartition("@")
            if host in ("", HOST) and not owner.alive(call):  # of another host's nobody here can tell
                shutil.rmtree(folder, ignore_errors=True)
        folder = place / f"{HOST}@{owner.name()}"
        folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check_installed(executor: str | None) -> None:
    if find_spec("snakemake") is None:
        raise UserError(
            "snakemake not installed, which runs the matrix; get it: make setup, or pip install -e '.[run]'"
        )
    plugin = f"snakemake-executor-plugin-{executor}"
    if executor and find_spec(plugin.replace("-", "_")) is None:
        raise UserError(f"{plugin} not installed, which submits to {executor}; get it: pip install {plugin}")


def _warm(matrix: Matrix, folder: Path) -> AbstractContextManager[dict[str, str]]:
    """A process in whose copies the runs are made, if so they are; gives the environment in which they find it."""
    return warm.started(folder, WARM) if matrix.warm else nullcontext({})


def _schedule(
    matrix: Matrix,
    folder: Path,
    environment: dict[str, str],
    messages: Path,
    on_record: Callable[[Record, int], None],
) -> int:
    """Run Snakemake in ``folder``; returns its exit code.  What it says goes to the file ``messages``."""
    seconds = durations(matrix.steps, matrix.profile, matrix.results)
    # A rehearsal begins with the longest, so that at its end no long one goes on alone; evidence keeps its order.
    ranks = seconds if matrix.profile == REHEARSAL else {s.name: -i for i, s in enumerate(matrix.steps)}
    steps = {
        s.name: {"after": s.after, "command": matrix.command(s), "priority": round(ranks[s.name])}
        for s in matrix.steps
    }
    plan = {"threads": matrix.threads, "gpus": matrix.gpus, "steps": steps}
    files.write_text(folder / "plan.json", json.dumps(plan, indent=1))
    # Runs are started elsewhere, so what their environment names has to be a whole path.
    places = {"SNNBOOK_DATA": str(default_root().absolute())}
    if tables := os.environ.get("SNNBOOK_EXPERIMENTS"):
        places["SNNBOOK_EXPERIMENTS"] = os.path.abspath(tables)
    environment = (
        os.environ | places | environment | ({} if matrix.executor else {owner.VARIABLE: owner.name()})
    )
    with files.explain_write_errors(messages), open(files.place(messages, "messages"), "w") as log:
        # A session of its own, to be ended whole; and if this process is killed, Snakemake starts nothing more.
        process = subprocess.Popen(
            _command(matrix, folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
    try:
        return _watch(matrix, process, on_record)
    finally:
        _end(process)


def _command(matrix: Matrix, folder: Path) -> list[str]:
    """What starts Snakemake on the plan in ``folder``."""
    workflow = files.root() / "workflow"
    command = [sys.executable, "-m", "snakemake"]
    command += ["--snakefile", workflow / "Snakefile", "--directory", folder]
    # Snakemake reads the value as YAML, here and again in the jobs it submits; hexadecimal digits it leaves alone.
    command += ["--config", f"plan=x{os.fsencode(folder / 'plan.json').hex()}"]
    command += ["--keep-going", "--nolock", "--scheduler", "greedy"]
    command += ["--profile", "none"]  # what a reader has set up for other workflows
    if matrix.executor:
        command += ["--workflow-profile", workflow / "profiles" / matrix.executor]
    else:
        command += ["--workflow-profile", "none"]
        command += ["--cores", matrix.cores, "--resources", f"gpu={matrix.cards}"]
    if matrix.executor == "kubernetes":  # pods share no file system with Snakemake but the volume both mount
        command += ["--default-storage-provider", "fs", "--default-storage-prefix", folder / "flags"]
    return list(map(str, _behind_others(command) if matrix.profile == "desk" else command))


def _end(process: subprocess.Popen) -> None:
    """End ``process`` and all that it started: asked first, made to after a while."""
    for number, seconds in ((signal.SIGINT, GRACE), (signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
        deadline = time.monotonic() + seconds
        try:
            os.killpg(process.pid, number)
            while time.monotonic() < deadline:
                process.poll()  # a child that nobody asks after would stay in its group
                os.killpg(process.pid, 0)
                time.sleep(0.05)
        except ProcessLookupError:
            break
    process.wait()


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(END_WITH_PARENT, signal.SIGINT)


def _behind_others(command: list) -> list:
    """``command``, which takes hours, leaving the cores to whoever works at this machine."""
    nice = shutil.which("nice")
    return [nice, "-n", "10", *command] if nice else command


def _watch(matrix: Matrix, process: subprocess.Popen, on_record: Callable[[Record, int], None]) -> int:
    missing = [task.run.record_path for task in matrix.todo]
    while True:
        code = process.poll()
        for path in [path for path in missing if path.is_file()]:
            missing.remove(path)
            on_record(record.read(path), len(missing))
        if code is not None:
            return code
        try:
            process.wait(0.5)
        except subprocess.TimeoutExpired:
            continue


def _prepare(log: Path, step: Step) -> None:
    """Find out now what cannot be written, and take an older log away, but of a run that is at work."""
    for run in step.runs:
        run.check_folders()
    with files.explain_write_errors(log):
        log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with ExitStack() as stack:
            for run in step.runs:
                stack.enter_context(hold(run.folder / "lock", 0))
            with files.explain_write_errors(log):
                log.unlink(missing_ok=True)
    except files.HeldError:
        pass


def _failures(matrix: Matrix, messages: Path) -> list[Failure]:
    """The runs without a record.  ``messages`` is where Snakemake says why it never came to a run."""
    by_run = {(run.row, run.seed): step for step in matrix.steps for run in step.runs}
    failed = []
    for task in matrix.todo:
        if task.run.record_path.is_file():
            continue
        step = by_run[task.name, task.seed]
        log = matrix.log(step)
        if log.is_file():
            said = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
            own = [line for line in said if line.startswith(f"snnbook: {task.name}, seed {task.seed}: ")]
            reason = (own or said or ["ended without a word"])[-1].rpartition(f"seed {task.seed}: ")[2]
            failed.append(Failure(task, reason.removeprefix("snnbook: "), log))
        else:
            after = f", it needs {' and '.join(step.after)}" if step.after else ""
            failed.append(Failure(task, f"not started{after}", messages))
    return failed
