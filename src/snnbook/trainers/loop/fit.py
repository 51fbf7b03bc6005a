"""The one training loop.  It knows nothing of spikes: a method gives it losses and predictions."""

import math
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

import torch
from torch import nn
from tqdm import tqdm

from snnbook.data import Dataset, batches, test_batches
from snnbook.errors import UserError
from snnbook.trainers.loop import checkpoint as checkpoints
from snnbook.trainers.loop.batchnorm import synchronized
from snnbook.trainers.loop.distributed import ALONE, World
from snnbook.trainers.loop.recipe import Recipe
from snnbook.trainers.loop.saved import save_memory

# Test images at a time: large enough to be fast, small enough for the widest network on a laptop.
TEST_BATCH = 256


@dataclass
class History:
    """What happened, one entry an epoch; of tests, one a test.

    Attributes:
        losses: each named loss term, mean over the epoch's steps.
        tested: the epochs after which there was a test, counted from 1.
        accuracy: each network's accuracy on the test set, in percent.
        test_losses: losses on the test set by name, of methods that ask for them with ``test_losses``.
        seconds: time of the epoch's training steps, without the test.
        images: training images seen in the epoch.
        notes: what a method's ``notes()`` and ``fit``'s ``note`` say of the epoch, by name: numbers and lists
            of them.
    """

    losses: dict[str, list[float]] = field(default_factory=dict)
    tested: list[int] = field(default_factory=list)
    accuracy: dict[str, list[float]] = field(default_factory=dict)
    test_losses: dict[str, list[float]] = field(default_factory=dict)
    notes: dict[str, list] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    images: list[int] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        return len(self.seconds)

    @property
    def images_per_second(self) -> float:
        """Median over epochs: the first one pays for warming up."""
        return median(n / s for n, s in zip(self.images, self.seconds, strict=True))

    def trained(self, losses: dict, seconds: float, images: int) -> None:
        """An epoch of training is over."""
        _append(self.losses, losses)
        self.seconds.append(seconds)
        self.images.append(images)

    def test(self, accuracy: dict, losses: dict) -> None:
        """The test after it, if there was one."""
        self.tested.append(self.epochs)
        _append(self.accuracy, accuracy)
        _append(self.test_losses, losses)


def _append(curves: dict[str, list], values: dict) -> None:
    for name, value in values.items():
        curves.setdefault(name, []).append(value)


def fit(
    method: nn.Module,
    data: Dataset,
    recipe: Recipe,
    *,
    seed: int,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    identity: str = "",
    progress: bool = True,
    on_epoch: Callable[[History], None] | None = None,
    note: Callable[[int], dict] | None = None,
    world: World = ALONE,
) -> History:
    """Train ``method`` for ``recipe.epochs``, testing after every ``recipe.test_every`` of them and the last.

    The order of images and their augmentation depend on ``(seed, epoch)`` alone, so a run resumed from its
    checkpoint goes on exactly as if it had never stopped, be it in one process or in many.

    Args:
        method: see :mod:`snnbook.trainers`; moved to ``device`` and trained in place.
        data: moved to ``device`` whole, as bytes.
        recipe: how to train.
        seed: of order and augmentation.  The caller seeds the weights before building ``method``.
        device: where to train.
        checkpoint: file to resume from and to write after each epoch; None keeps nothing.
        identity: names the run; a checkpoint with another one is refused.
        progress: show a bar with rate, losses and time left.
        on_epoch: called after each epoch with the history so far.
        note: called with the number of epochs done, in the first process; what it returns joins the epoch's notes.
        world: the processes that train together, each calling this function; all get the same history.

    Raises:
        UserError: a checkpoint that is damaged or of another run; a loss that is no longer finite; a training
            set smaller than a batch; a batch that processes cannot share.
    """
    device = torch.device(device)
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    method.to(device, memory_format=layout)
    data = data.to(device)
    optimizer = recipe.optimizer_for(method)
    scheduler = recipe.scheduler_for(optimizer)
    scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "float16")
    history = History()
    if state := world.decide(lambda: checkpoints.resume(checkpoint, identity)):
        method.load_state_dict(state["method"])
        optimizer.load_state_dict(state["optimizer"])
        scheduler.load_state_dict(state["scheduler"])
        scaler.load_state_dict(state["scaler"])
        history = History(**state["history"])

    count = len(data.train_labels)
    if count < recipe.batch_size and recipe.drop_last:
        raise UserError(
            f"the training set has {count} images, fewer than recipe.batch_size = {recipe.batch_size}; "
            "choose a smaller batch or set recipe.drop_last: false"
        )
    learner = world.wrap(method, device)
    if recipe.compile:
        learner = torch.compile(learner)
    synchronize = synchronized(method) if recipe.sync_batchnorm and world.size > 1 else nullcontext()
    with (
        synchronize,
        _saving(method, recipe),
        tqdm(
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
                method, learner, data, recipe, optimizer, scaler, seed, epoch, device, bar, world
            )
            scheduler.step()
            if not all(math.isfinite(value) for value in losses.values()):
                raise UserError(
                    f"the loss is no longer finite in epoch {epoch + 1} ({losses}); "
                    "lower recipe.learning_rate or use recipe.precision: float32"
                )
            world.average_statistics(method)
            history.trained(losses, seconds, images)
            if history.epochs % recipe.test_every == 0 or history.epochs == recipe.epochs:
                history.test(evaluate(method, data, recipe, world), test_losses(method, data, recipe, world))
            bar.set_postfix({name: f"{values[-1]:.2f}%" for name, values in history.accuracy.items()})
            notes = world.mean(method.notes()) if hasattr(method, "notes") else {}
            if note is not None:
                notes |= world.decide(partial(note, epoch + 1))
            _append(history.notes, notes)
            if checkpoint is not None and world.rank == 0:
                state = {
                    "identity": identity,
                    "method": method.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "scheduler": scheduler.state_dict(),
                    "scaler": scaler.state_dict(),
                    "history": asdict(history),
                }
                checkpoints.save(checkpoint, state)
            if on_epoch is not None:
                on_epoch(history)
    method.eval()
    return history


def _saving(method: nn.Module, recipe: Recipe) -> ExitStack:
    saving = ExitStack()
    for network in method.backbones().values() if recipe.memory != "full" else ():
        saving.enter_context(save_memory(network, recipe.memory))
    return saving


def _train_epoch(method, learner, data, recipe, optimizer, scaler, seed, epoch, device, bar, world):
    """One pass; returns the mean of each loss term, seconds and images seen, over all processes."""
    method.train()
    if hasattr(method, "begin_epoch"):
        method.begin_epoch(epoch)
    # For methods that draw numbers of their own, other ones in each process.
    torch.manual_seed((seed * 1_000_003 + epoch) * world.size + world.rank)
    totals, steps, images_seen, start = {}, 0, 0, time.perf_counter()
    for images, labels in batches(
        data,
        recipe.batch_size,
        seed=seed,
        epoch=epoch,
        augment=recipe.augment,
        drop_last=recipe.drop_last,
        part=world.part,
    ):
        whole = min(recipe.batch_size, len(data.train_labels) - images_seen)
        images = _laid_out(images, recipe)
        with _autocast(device, recipe):
            terms = learner(images, labels)
            if world.size > 1:
                terms = _shares(terms, method, world, len(labels) / whole)
            loss = sum(terms.values())
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        # Summed on the device: reading a number each step would make a GPU wait.
        for name, value in terms.items():
            totals[name] = totals.get(name, 0) + value.detach().float()
        steps += 1
        images_seen += whole
        bar.update(whole)
    losses = world.mean({name: float(value) / steps for name, value in totals.items()})
    bar.update(len(data.train_labels) - images_seen)  # the part of a batch that was left out
    return losses, time.perf_counter() - start, images_seen


def _shares(terms: dict, method: nn.Module, world: World, share: float) -> dict:
    """Terms of a process that had this share of a batch, such that their mean over processes is the batch's."""
    summed = getattr(method, "summed", ())
    return {name: world.size * (1 if name in summed else share) * value for name, value in terms.items()}


@torch.no_grad()
def evaluate(method: nn.Module, data: Dataset, recipe: Recipe, world: World = ALONE) -> dict[str, float]:
    """Accuracy of each of the method's networks on the whole test set, in percent; each image counts once."""
    method.eval()
    correct = {}
    for images, labels in test_batches(data, TEST_BATCH, part=world.part):
        images = _laid_out(images, recipe)
        with _autocast(images.device, recipe):
            predictions = method.predict(images)
        for name, logits in predictions.items():
            correct[name] = correct.get(name, 0) + (logits.argmax(-1) == labels).sum()
    counts = world.total({name: int(value) for name, value in correct.items()})
    return {name: 100 * count / len(data.test_labels) for name, count in counts.items()}


@torch.no_grad()
def test_losses(method: nn.Module, data: Dataset, recipe: Recipe, world: World = ALONE) -> dict[str, float]:
    """Mean over the test set of each loss in ``method.test_losses(images, labels)``; nothing for other methods."""
    if not hasattr(method, "test_losses"):
        return {}
    method.eval()
    totals = {}
    for images, labels in test_batches(data, TEST_BATCH, part=world.part):
        with _autocast(images.device, recipe):
            losses = method.test_losses(images, labels)
        for name, value in losses.items():
            totals[name] = totals.get(name, 0) + float(value) * len(labels)
    return {name: value / len(data.test_labels) for name, value in world.total(totals).items()}


test_losses.__test__ = False  # pytest takes any test_* it meets for a test


def _laid_out(images: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    """Channels last, if that is wanted; event frames too, each step as one batch."""
    if not recipe.channels_last:
        return images
    folded = images.flatten(0, -4)
    return folded.contiguous(memory_format=torch.channels_last).unflatten(0, images.shape[:-3])


def _autocast(device: torch.device, recipe: Recipe):
    if recipe.dtype is None:
        return nullcontext()
    return torch.autocast(device.type, recipe.dtype)
