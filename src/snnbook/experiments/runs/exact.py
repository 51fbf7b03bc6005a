"""Weights kept to the last bit beside their record, for the runs that need them.

Git keeps no other weights that a run left, so a teacher is trained again where they are missing; and since
processors of another kind add in another order, it comes out with other weights than its record tells of, and no
student can be set beside those that learned from the first.  With the teacher's own weights beside its record, a
student can be trained on any machine, and at once.
"""

from pathlib import Path

from snnbook import files
from snnbook.errors import UserError
from snnbook.experiments.runs.job import Run, resolve
from snnbook.experiments.runs.record import Record
from snnbook.experiments.runs.standing import standing
from snnbook.trainers.loop.weights import weights_digest

LARGEST = 5_000_000  # bytes of a file, since git keeps it for ever


def keep_exact(name: str, seed: int = 0, *, results: Path | None = None, work: Path | None = None) -> Path:
    """Keep the weights of a finished run beside its record, unrounded; runs that need them take them from there.

    Args:
        name: ``<profile>/<table>/<row>``.
        seed: of the run.
        results: folder of records; the project's by default.
        work: folder of the weights that runs left; ``runs`` beside the project's own ``results`` by default.

    Returns:
        The file of weights.

    Raises:
        UserError: no such run, record or weights; weights that are not the record's, or too large to be kept.
    """
    profile, _, row = str(name).partition("/")
    run = resolve(row, seed, profile, results=results, work=work)
    check_left(run)
    content = run.weights.read_bytes()
    if len(content) > LARGEST:
        raise UserError(
            f"the weights of {run.id} take {len(content) / 1e6:.1f} MB; expected at most {LARGEST / 1e6:g}"
        )
    files.write_bytes(run.exact, content)
    return run.exact


def check_left(run: Run) -> Record:
    """The record of ``run``, whose weights are still in its folder.

    Raises:
        UserError: no such record or weights, or weights that are not the record's.
    """
    made = standing(run)
    if made is None:
        raise UserError(
            f"{run.id}, seed {run.seed}, has no record in the {run.profile} profile; run it first"
        )
    left = weights_digest(run.weights)
    if left != made.weights:
        raise UserError(
            f"the weights in {files.shown(run.folder)} ({left[:12]}) are not those that the record of {run.id}, "
            f"seed {run.seed}, tells of ({str(made.weights)[:12]}); choose the folder where it was made"
        )
    return made


def take(run: Run) -> bool:
    """Put the weights kept beside the record where ``run`` leaves its own; False if there are none, or no record.

    Raises:
        UserError: they are damaged, or not those that the record tells of.
    """
    made = standing(run)
    if made is None or not run.exact.is_file():
        return False
    check_kept(run, made)
    files.write_bytes(run.weights, run.exact.read_bytes())
    return True


def check_kept(run: Run, made: Record) -> None:
    """Raise a UserError if the weights kept beside the record ``made`` are damaged, or not those it tells of."""
    found = weights_digest(run.exact)
    if found != made.weights:
        raise UserError(
            f"the weights at {files.shown(run.exact)} ({found[:12]}) are not those that the record of {run.id}, "
            f"seed {run.seed}, tells of ({str(made.weights)[:12]}); fetch both again, with git, or delete these"
        )
