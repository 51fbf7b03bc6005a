"""Training one run to its record, which is written last."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from snnbook import data as datasets
from snnbook import files
from snnbook.analysis import epoch_notes, rehearse
from snnbook.data import Dataset
from snnbook.errors import UserError
from snnbook.experiments.runs import exact, making, provenance, record, share, stretches
from snnbook.experiments.runs.job import BUNDLED, Run, digest
from snnbook.experiments.runs.lock import hold
from snnbook.experiments.runs.record import Origin, Record
from snnbook.experiments.runs.standing import standing
from snnbook.trainers import build_method
from snnbook.trainers.loop.allocator import keep_freed_memory
from snnbook.trainers.loop.distributed import ALONE, World
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.history import History
from snnbook.trainers.loop.weights import check_fits, load_weights, save_weights, weights_digest
from snnbook.trainers.registry import can_stand_in, stand_ins


class Context:
    """What a run and the runs it needs have in common."""

    def __init__(self, device: torch.device, root: Path | None, progress: bool, world: World = ALONE):
        self.device, self.root, self.progress, self.world = device, root, progress, world
        self.loaded: dict = {}

    def load(self, wanted) -> Dataset:
        if wanted not in self.loaded:
            self.world.decide(
                lambda: self._load(wanted)
            )  # and download, if asked, as only one process should
            self._load(wanted)
            self.say(self.loaded[wanted].summary())
        return self.loaded[wanted]

    def _load(self, wanted) -> None:
        if wanted not in self.loaded:
            self.loaded[wanted] = datasets.load(wanted, self.root)

    def say(self, text: str) -> None:
        if self.progress and self.world.rank == 0:
            print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Trained:
    """A run whose weights are on disk: what a run that needs it has to know of it.

    Attributes:
        run: which.
        path, weights: where they are, and their digest.
        fingerprint: of its data.
        parents: the runs it needed itself.
    """

    run: Run
    path: Path
    weights: str
    fingerprint: str
    parents: tuple["Trained", ...]

    def origin(self) -> Origin:
        """As a record names it."""
        needs = [vars(parent.origin()) for parent in self.parents]
        return Origin(self.run.id, self.run.settings.as_dict(), self.fingerprint, self.weights, needs)


def identity(run: Run, fingerprint: str, parents: tuple[Trained, ...]) -> str:
    """Equal for equal settings, equal data and equal weights to start from; what a checkpoint must match."""
    content = [run.settings.as_dict(), fingerprint, [parent.weights for parent in parents]]
    return f"{run.profile}/{run.id}/seed{run.seed}/{digest(content)[:12]}"


def train(run: Run, context: Context, patience: float | None = None) -> None:
    """Leave weights and record of ``run`` on disk; a record that stands is not touched.

    Raises:
        UserError: an analysis that cannot be done, data that cannot be had, a record made of other data.
    """
    settings, world = run.settings, context.world
    data = context.load(settings.data)
    _rehearse(run, data, context)
    parents = tuple(trained(parent, context) for parent in run.parents)
    name = identity(run, data.fingerprint, parents)
    with ExitStack() as stack:

        def claim() -> bool:
            run.check_folders()
            stack.enter_context(hold(run.folder / "lock", patience))
            _check_made_of(data.fingerprint, standing(run))
            return _done(run, name) or _taken(run, name)

        if not world.decide(claim):  # else the process we waited for did it
            _check_same(name, world)
            context.say(f"{run.id}, seed {run.seed}, {run.profile} profile, {_where(context)}")
            if not run.results.is_relative_to(Path.cwd()):  # nobody may have named the folders
                context.say(f"record goes to {run.results}, checkpoints to {run.work}; {_data(run, context)}")
            _train(run, context, data, parents, name)


def _rehearse(run: Run, data: Dataset, context: Context) -> None:
    """Find out before the runs it needs are trained that this one can take what they leave.

    Raises:
        UserError: their data have other classes or channels, the method cannot be built, or its analyses not done;
            or the weights it starts from are not those of its networks.
    """
    settings = run.settings
    for parent in run.parents:
        theirs = context.load(parent.settings.data)
        if (theirs.num_classes, theirs.channels) != (data.num_classes, data.channels):
            raise UserError(
                f"{run.id} has images of {data.num_classes} classes with {data.channels} channels, and "
                f"{parent.id}, which it needs, of {theirs.num_classes} with {theirs.channels}; expected the same"
            )
    if run.parents and all(can_stand_in(one.settings.name) for one in (run, run.inherits) if one):
        method = _built(run, data)
        rehearse(method, data, settings.analysis)
        if run.inherits:
            theirs = context.load(run.inherits.settings.data)  # with event data other frames, as other steps
            check_fits(method, _built(run.inherits, theirs), run.inherits.id)


def _built(run: Run, data: Dataset) -> nn.Module:
    """The method of a run with what has learned nothing in place of the weights it needs."""
    name, config, network = run.settings.name, run.settings.method, run.settings.network
    return build_method(name, config, network, data, needs=stand_ins(name, config, network, data))


def _train(run: Run, context: Context, data: Dataset, parents: tuple[Trained, ...], name: str) -> None:
    settings, world = run.settings, context.world
    keep_freed_memory()
    torch.manual_seed(run.seed)
    needs = [parent.path for parent in parents if parent.run is not run.inherits]
    method = build_method(settings.name, settings.method, settings.network, data, needs=needs)
    for parent in parents:
        if parent.run is run.inherits:
            load_weights(method, parent.path)
    rehearse(method, data, settings.analysis)
    with (
        _beside_the_checkpoint(run),
        share.choose(run, method, data, context.device, world.size).used() as taken,
    ):
        here = provenance.environment(context.device, settings.recipe.precision)
        before = [] if world.rank else stretches.earlier(run, here, provenance.tree())
        history = fit(
            method,
            data,
            settings.recipe,
            seed=run.seed,
            device=context.device,
            checkpoint=run.checkpoint,
            identity=name,
            progress=context.progress,
            note=partial(epoch_notes, method, data, settings.analysis, settings.recipe.epochs),
            world=world,
        )
        world.decide(lambda: _finish(run, name, data, method, history, parents, context, taken, before))


@contextmanager
def _beside_the_checkpoint(run: Run) -> Iterator[None]:
    """What is kept beside a checkpoint, goes with it, or with the error because of which there never was one."""
    try:
        yield
    finally:
        if not run.checkpoint.is_file():
            for place in (share.place(run), stretches.place(run)):
                place.unlink(missing_ok=True)


def _finish(
    run: Run,
    name: str,
    data: Dataset,
    method: nn.Module,
    history: History,
    parents: tuple[Trained, ...],
    context: Context,
    taken: share.Share,
    before: list[str],
) -> None:
    """Weights first, then their mark, then the record: what is there is whole."""
    _mark(run).unlink(missing_ok=True)
    left = save_weights(method, run.weights)
    files.write_text(_mark(run), name)
    if run.record_path.is_file():
        told = record.read(run.record_path).weights
        if told not in (None, left):
            context.say(
                f"these weights of {run.id}, seed {run.seed} ({left[:12]}), are not those its record tells of "
                f"({told[:12]}), which were made elsewhere; runs that need them will not take them"
            )
    else:
        origins = [parent.origin() for parent in parents]
        made = making.make(run, data, method, history, origins, context.device, context.world, taken, before)
        record.write(made, run.record_path)
    run.checkpoint.unlink(missing_ok=True)


def trained(run: Run, context: Context) -> Trained:
    """A run another needs.  Where git does not keep its weights and they are missing, it is trained again."""
    fingerprint = context.load(run.settings.data).fingerprint
    parents = tuple(trained(parent, context) for parent in run.parents)
    if not context.world.decide(lambda: _done(run, identity(run, fingerprint, parents))):
        context.say(f"{run.id} first, which is needed here")
        train(run, context, patience=float("inf"))
    return _left(run, fingerprint, parents)


def check_data(run: Run, made: Record, root: Path | None) -> None:
    """Refuse to take ``made`` for the run on the data in ``root``, if it was made of others.

    Without ``root`` the usual folder is looked at; where nothing is there, nothing can be compared.

    Raises:
        UserError: other data, or a ``root`` without them.
    """
    try:
        found = datasets.load(replace(run.settings.data, download=False), root)
    except UserError:
        if root is not None:
            raise
        return
    _check_made_of(found.fingerprint, made)


def _check_made_of(fingerprint: str, made: Record | None) -> None:
    if made is not None and made.data["fingerprint"] != fingerprint:
        raise UserError(
            f"the record of {made.run}, seed {made.seed}, was made of other data (fingerprint "
            f"{made.data['fingerprint']}, here {fingerprint}); choose another --results, or those data"
        )


def _left(run: Run, fingerprint: str, parents: tuple[Trained, ...]) -> Trained:
    """A run that is done, if the weights on disk are those its record tells of.

    Raises:
        UserError: they are others: whatever started from them would not be what the two records say.
    """
    try:
        found, told = weights_digest(run.weights), record.read(run.record_path).weights
    except UserError as error:
        raise UserError(f"{error}; if you delete it, {run.id} is trained again") from None
    if told not in (None, found):
        raise UserError(
            f"the weights of {run.id}, seed {run.seed}, in {run.folder} ({found[:12]}) are not those its record "
            f"tells of ({told[:12]}), which were made elsewhere; choose another --results to make both anew"
        )
    return Trained(run, run.weights, found, fingerprint, parents)


def _done(run: Run, name: str) -> bool:
    mark = _mark(run)
    there = run.weights.is_file() and mark.is_file() and mark.read_bytes() == name.encode()
    return there and run.record_path.is_file()


def _taken(run: Run, name: str) -> bool:
    """Its weights lay beside its record, and are now where it leaves its own."""
    _mark(run).unlink(missing_ok=True)
    if exact.take(run):
        files.write_text(_mark(run), name)
        return True
    return False


def _mark(run: Run) -> Path:
    """Says whose weights those in the folder of ``run`` are."""
    return run.weights.with_suffix(".id")


def _check_same(name: str, world: World) -> None:
    found = sorted(set(world.gather(name)))
    if len(found) > 1:
        raise UserError(
            f"processes are at different runs ({', '.join(found)}); "
            "expected the same command, tables and data on all nodes"
        )


def _data(run: Run, context: Context) -> str:
    if run.data_name in BUNDLED:
        return "data came with a package"
    return f"data from {context.root or datasets.default_root()}"


def _where(context: Context) -> str:
    count = context.world.size
    return f"on {context.device}" if count == 1 else f"in {count} processes on {context.device.type}"
