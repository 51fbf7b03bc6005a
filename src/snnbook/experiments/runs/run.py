"""The one entry: compute, resume after any kill, do nothing when the record stands."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from snnbook import bars
from snnbook.experiments.runs.job import BUNDLED, Run, resolve
from snnbook.experiments.runs.provenance import pick_device
from snnbook.experiments.runs.record import Record
from snnbook.experiments.runs.standing import standing
from snnbook.trainers.loop import processes


def run(
    run_id: str,
    *,
    seed: int = 0,
    profile: str = "quick",
    recipe: str = "paper",
    data: Path | None = None,
    overrides: Sequence[str] = (),
    device: str = "auto",
    results: Path | None = None,
    work: Path | None = None,
    progress: bool = True,
    weights: bool = False,
) -> Record:
    """Train and measure one row of a table, or return its record if that stands.

    A run that was killed goes on from its last finished epoch and ends with the same metrics and curve as one
    that was not.  Rows it ``needs`` or ``inherits`` are trained first.

    On a CPU it takes the threads that pay, see :func:`snnbook.experiments.runs.share.choose`.

    Called in every process that ``torchrun`` started, it trains in all of them together, on a CPU or a GPU each.
    The first one writes files and shows progress; those of other nodes must see the folder ``work``, too, and
    find the data.

    Args:
        run_id: ``<table>/<row>``, see ``snnbook list``.
        seed: of weights, order and augmentation.
        profile: ``"quick"``, ``"desk"``, ``"lab"`` or ``"paper"``.
        recipe: ``"paper"``, what its text says, or ``"official"``, what its public code does.
        data: folder of data sets that are not bundled; see ``snnbook doctor``.
        overrides: ``section.key=value`` each; they mark the run's id, so that it never passes for the row.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
        results: folder of records; the project's by default.
        work: folder of checkpoints and weights; ``runs`` beside the project's own ``results`` by default.
        progress: show a bar.
        weights: train again, beside a record that stands, if the weights are missing; the record stays as it is.

    Raises:
        UserError: anything wrong with the arguments, the table, the data, a checkpoint or a folder; a record made
            of other data than are there now.
    """
    resolved = resolve(run_id, seed, profile, recipe, overrides, results, work)
    return finish(resolved, data=data, device=device, progress=progress, weights=weights)


def finish(
    asked: Run,
    *,
    data: Path | None = None,
    device: str = "auto",
    progress: bool = True,
    weights: bool = False,
) -> Record:
    """As :func:`run`, of a run that is resolved already."""
    processes.check()
    with bars.shown(progress and processes.first()):
        return _finish(asked, data, device, progress, weights)


def _finish(asked: Run, data: Path | None, device: str, progress: bool, weights: bool) -> Record:
    if not (processes.launched() or weights):
        found = standing(asked)
        if found is not None:
            if asked.data_name not in BUNDLED:
                from snnbook.experiments.runs.training import check_data  # torch takes its time to import

                check_data(asked, found, data)
            return found
    asked.check()
    from snnbook.experiments.runs.training import Context, check_data, train
    from snnbook.trainers.loop.distributed import join

    with join(pick_device(device)) as (world, own):
        context = Context(own, data, progress, world)

        def stands() -> bool:  # one process looks: a record may appear while others still start
            found = standing(asked)
            if found is not None:
                check_data(asked, found, data)
            return found is not None

        if weights or not world.decide(stands):
            world.decide(asked.check_folders)  # before what it needs is trained
            train(asked, context)
        return Record(**world.decide(lambda: asdict(standing(asked))))
