"""The one training loop.  It knows nothing of spikes: a method gives it losses and predictions."""

import hashlib
import math
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from snnbook import bars, files
from snnbook.checks import shown
from snnbook.data import batches, dataset_of
from snnbook.data.loaders import LoaderDataset
from snnbook.data.own import Loaded, Pair
from snnbook.errors import UserError
from snnbook.trainers.loop import checkpoint as checkpoints
from snnbook.trainers.loop.arguments import check_arguments, check_batches, check_predictions, check_schedule
from snnbook.trainers.loop.batchnorm import synchronized
from snnbook.trainers.loop.compiled import compiled
from snnbook.trainers.loop.denormals import flushed
from snnbook.trainers.loop.distributed import ALONE, World
from snnbook.trainers.loop.evaluation import accuracy, autocast, laid_out, test_losses
from snnbook.trainers.loop.finite import first_damaged
from snnbook.trainers.loop.fits import explain_torch_errors
from snnbook.trainers.loop.history import History, plain
from snnbook.trainers.loop.recipe import Recipe
from snnbook.trainers.loop.resumed import restore
from snnbook.trainers.loop.saved import save_memory
from snnbook.trainers.loop.training import Training


def fit(
    method: nn.Module,
    data: Loaded | Pair,
    recipe: Recipe,
    *,
    seed: int,
    device: torch.device | str = "cpu",
    checkpoint: str | Path | None = None,
    identity: str | None = None,
    progress: bool = True,
    on_epoch: Callable[[History], None] | None = None,
    note: Callable[[int], dict[str, Any]] | None = None,
    world: World = ALONE,
) -> History:
    """Train ``method`` for ``recipe.epochs``, testing after every ``recipe.test_every`` of them and the last.

    The order of images and their augmentation depend on ``(seed, epoch)`` alone, so a run resumed from its
    checkpoint goes on exactly as if it had never stopped, with as many processes as before.  Torch's generator is
    seeded by ``(seed, epoch)``, too, and left where the training put it; what a method draws must come from it.

    Args:
        method: see :mod:`snnbook.trainers`; moved to ``device`` and trained in place.
        data: moved to ``device`` whole, if it is a :class:`snnbook.data.Dataset`; or a pair of data sets or
            loaders of torch, see :func:`snnbook.data.dataset_of`.
        recipe: how to train.
        seed: of order and augmentation.  The caller seeds the weights before building ``method``.
        device: where to train.
        checkpoint: file to resume from and to write after each epoch; None keeps nothing.
        identity: names the run; a checkpoint with another one is refused.  None names it by seed, data, recipe and
            the method's class, settings and modules.
        progress: show a bar with rate, losses and time left.
        on_epoch: called after each epoch with the history so far.
        note: called with the number of epochs done, in the first process; what it returns joins the epoch's notes.
        world: the processes that train together, each calling this function; all get the same history.

    Raises:
        UserError: arguments that do not fit together, a step that does not fit into memory; a checkpoint that is
            damaged, of another run or cannot be written; losses, weights or predictions that are not finite; a
            training set smaller than a batch; a batch that processes cannot share; test losses or networks with
            other names than before; weights that begin to learn and were frozen before.
    """
    device = check_arguments(method, recipe, seed, device)
    seed = int(seed)  # one of NumPy's is too narrow for what is worked out of it
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    method.to(device, memory_format=layout)
    data = dataset_of(data).to(device)
    check_schedule(data, recipe)
    count = len(data.train_labels)
    training = Training.of(method, recipe, count, device)
    history = History()
    if identity is None:
        name = checkpoints.described(method)
        identity = f"seed {seed}, data {data.fingerprint}, recipe {_short(recipe)}, method {name}"
    if state := _resumed(checkpoint, identity, world):
        history = restore(state, checkpoint, training, recipe.epochs, recipe.schedule_steps(count))
    if name := first_damaged(method):
        raise UserError(
            f"{name!r} holds NaN or infinity before training begins; expected numbers; load sound weights or "
            "build the network anew"
        )
    if checkpoint is not None and history.epochs < recipe.epochs:
        world.decide(partial(files.check_writable, [Path(checkpoint)], "training state"))
    if checkpoint is not None and isinstance(data, LoaderDataset):
        data.check_repeats(seed)
    check_predictions(method, data, recipe, world.size)
    check_batches(method, count, recipe, world.size)
    learner = world.wrap(method, device)
    if recipe.compile:
        learner = compiled(learner, device, alone=world.size == 1)
    synchronize = synchronized(method) if recipe.sync_batchnorm and world.size > 1 else nullcontext()
    with (
        explain_torch_errors(),
        flushed(device),
        synchronize,
        _saving(method, recipe),
        bars.bar(
            total=recipe.epochs * count,
            initial=history.epochs * count,
            unit="img",
            unit_scale=True,
            disable=not (progress and world.rank == 0),
            mininterval=0.5,
        ) as bar,
    ):
        for epoch in range(history.epochs, recipe.epochs):
            bar.set_description(f"epoch {epoch + 1}/{recipe.epochs}")
            losses, seconds, images = _train_epoch(
                training, learner, data, recipe, seed, epoch, device, bar, world
            )
            if not recipe.each_batch:
                _advance(training.scheduler)
            if not all(math.isfinite(value) for value in losses.values()):
                raise UserError(
                    f"the loss is no longer finite in epoch {epoch + 1} ({losses}); "
                    "lower recipe.learning_rate or use recipe.precision: float32"
                )
            world.average_statistics(method)
            if name := next(filter(None, world.gather(first_damaged(method))), None):
                raise UserError(
                    f"{name!r} is no longer finite in epoch {epoch + 1}; "
                    "lower recipe.learning_rate or use recipe.precision: float32"
                )
            history.trained(losses, seconds, images)
            if history.epochs % recipe.test_every == 0 or history.epochs == recipe.epochs:
                history.test(accuracy(method, data, recipe, world), test_losses(method, data, recipe, world))
            bar.set_postfix({name: f"{values[-1]:.2f}%" for name, values in history.accuracy.items()})
            notes = world.mean(plain(method.notes())) if hasattr(method, "notes") else {}
            if note is not None:
                notes |= plain(world.decide(partial(note, epoch + 1)))
            history.note(notes)
            if checkpoint is not None and world.rank == 0:
                state = {"identity": identity, **training.state(), "history": asdict(history)}
                checkpoints.save(checkpoint, state)
            if on_epoch is not None:
                on_epoch(history)
    method.eval()
    return history


def _resumed(checkpoint: str | Path | None, identity: str, world: World) -> dict[str, Any] | None:
    """The training state to go on from, which each process reads itself, once the first has found it sound."""
    found: list[dict[str, Any] | None] = []

    def look() -> bool:
        found.append(checkpoints.resume(checkpoint, identity))
        return found[0] is not None

    there = world.decide(look)
    state = found[0] if found else checkpoints.resume(checkpoint, identity) if there else None
    if len(set(world.gather(state is None))) > 1:
        raise UserError(
            f"processes do not see the same checkpoint {checkpoint}; expected a folder that all of them share"
        )
    return state


def _saving(method: nn.Module, recipe: Recipe) -> ExitStack:
    with ExitStack() as saving:
        for network in method.backbones().values() if recipe.memory != "full" else ():
            saving.enter_context(save_memory(network, recipe.memory))
        return saving.pop_all()


def _train_epoch(
    training: Training,
    learner: nn.Module,
    data: Loaded,
    recipe: Recipe,
    seed: int,
    epoch: int,
    device: torch.device,
    bar: Any,
    world: World,
) -> tuple[dict[str, float], float, int]:
    """One pass; returns the mean of each loss term, seconds and images seen, over all processes."""
    method, optimizer = training.method, training.optimizer
    method.train()
    if hasattr(method, "begin_epoch"):
        method.begin_epoch(epoch)
    _check_frozen(method, optimizer)
    # For methods that draw numbers of their own, other ones in each process.
    torch.manual_seed((seed * 1_000_003 + epoch) * world.size + world.rank)
    totals, steps, images_seen, start = {}, 0, 0, _clock(device)
    for images, labels, *ends in batches(
        data,
        recipe.batch_size,
        seed=seed,
        epoch=epoch,
        augment=recipe.augment,
        drop_last=recipe.drop_last,
        part=world.part,
    ):
        shared = min(recipe.batch_size, len(data.train_labels) - images_seen)
        together = len(labels) if world.size == 1 else shared  # images of this step, in all processes
        images = laid_out(images, recipe)
        optimizer.zero_grad(set_to_none=True)  # before the forward pass, which may need their memory
        with autocast(device, recipe):
            terms = _checked(learner(images, labels, *ends))
            if world.size > 1:
                terms = _shares(terms, method, world, len(labels) / together)
            loss = sum(terms.values())
        training.step(loss)
        if recipe.each_batch:
            _advance(training.scheduler)
        # Summed on the device: reading a number each step would make a GPU wait.
        for name, value in terms.items():
            totals[name] = totals.get(name, 0) + value.detach().float()
        steps += 1
        images_seen += together
        bar.update(together)
    if not steps:
        raise UserError("an epoch had no batch; expected the training data to give the same images each time")
    losses = world.mean({name: float(value) / steps for name, value in totals.items()})
    bar.update(len(data.train_labels) - images_seen)  # the part of a batch that was left out
    return losses, _clock(device) - start, images_seen


def _check_frozen(method: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Raise a UserError if weights ask for a gradient that no optimizer has, and so would never learn."""
    known = {p for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in method.named_parameters():
        if parameter.requires_grad and parameter not in known:
            raise UserError(
                f"{name!r} was frozen when training began, so it would not learn now; hand it over unfrozen and "
                "freeze it in begin_epoch(0)"
            )


def _advance(scheduler: torch.optim.lr_scheduler.LRScheduler) -> None:
    """A step of the schedule, which counts batches, whether or not the scaler left out the optimizer's step.

    In float16 the first one is often left out, of which torch would warn as of a mistake.
    """
    with warnings.catch_warnings() if scheduler.last_epoch == 0 else nullcontext():
        if scheduler.last_epoch == 0:
            warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step")
        scheduler.step()


def _clock(device: torch.device) -> float:
    """Seconds; on a CPU those of its cores in this process, by thread, which others' work does not lengthen."""
    return time.process_time() / torch.get_num_threads() if device.type == "cpu" else time.perf_counter()


def _checked(terms: dict[str, Tensor]) -> dict[str, Tensor]:
    """Loss terms by name, each a number."""
    named = isinstance(terms, dict) and terms
    if not named or not all(isinstance(value, Tensor) and not value.dim() for value in terms.values()):
        raise UserError(
            f"the method's forward gave {shown(terms)}; expected losses by name, each a tensor of one number: "
            "{'ce': cross_entropy(...)}"
        )
    return terms


def _short(recipe: Recipe) -> str:
    return hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]


def _shares(terms: dict, method: nn.Module, world: World, share: float) -> dict:
    """Terms of a process that had this share of a batch, such that their mean over processes is the batch's."""
    summed = getattr(method, "summed", ())
    return {name: world.size * (1 if name in summed else share) * value for name, value in terms.items()}
