"""The test: accuracy and losses on images that were not trained on."""

import math
from contextlib import AbstractContextManager
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from snnbook import precision
from snnbook.checks import shown
from snnbook.data import dataset_of, test_batches
from snnbook.data.own import Loaded, Pair
from snnbook.errors import UserError
from snnbook.trainers.loop.denormals import flushed
from snnbook.trainers.loop.distributed import ALONE, World
from snnbook.trainers.loop.finite import first_damaged
from snnbook.trainers.loop.recipe import Recipe

DEFAULT = Recipe()
# Test images at a time: large enough to be fast, small enough for the widest network on a laptop.
TEST_BATCH = 256


@torch.no_grad()
def evaluate(
    method: nn.Module, data: Loaded | Pair, recipe: Recipe = DEFAULT, world: World = ALONE
) -> dict[str, float]:
    """Accuracy of each of the method's networks on the whole test set, in percent; each image counts once.

    Args:
        method: in evaluation mode after this call.
        data: as in :func:`fit`; brought to the method's device.
        recipe: its memory layout and precision count here.
        world: the processes that share the images.

    Raises:
        UserError: weights or predictions that are not finite, no logits ``[B, classes]``, or recordings that end
            early and a method that does not know it.
    """
    check_method(method, recipe)
    data = dataset_of(data)
    check_padded(method, data)
    if name := next(filter(None, world.gather(first_damaged(method))), None):
        raise UserError(
            f'{name!r} holds NaN or infinity, which would pass for "no spike"; load sound weights or train again'
        )
    with flushed(_device(method)):
        return accuracy(method, data, recipe, world)


def check_padded(method: nn.Module | type[nn.Module], data: Loaded) -> None:
    """Raise a UserError if recordings of ``data`` end early and ``method`` takes no lengths."""
    asked = [getattr(method, name, None) for name in ("forward", "predict", "test_losses")]
    if data.padded and not all("lengths" in signature(each).parameters for each in asked if each):
        raise UserError(
            f"{data.cut.padded} recordings of {data.name} end before their {data.frames} frames, and this method "
            "would take the silence behind for a part of them; expected one that takes their lengths (direct, tet "
            "or switch); or set data.split_by to number or time, or fewer data.frames"
        )


@torch.no_grad()
def accuracy(method: nn.Module, data: Loaded | Pair, recipe: Recipe, world: World) -> dict[str, float]:
    """As :func:`evaluate`, of a method whose weights are known to be finite."""
    data = dataset_of(data).to(_device(method))
    method.eval()
    found: dict = {}
    for images, labels, *ends in test_batches(data, TEST_BATCH, part=world.part):
        outputs = predictions(method, images, labels, recipe, *ends)
        for name, logits in outputs.items():
            counts = {
                "right": (logits.argmax(-1) == labels).sum(),
                "damaged": (~logits.isfinite()).any(-1).sum(),
                "seen": len(labels),
            }
            for what, count in counts.items():
                found[name, what] = found.get((name, what), 0) + count
    found = world.total({key: int(value) for key, value in found.items()})
    for (name, what), count in found.items():
        if what == "damaged" and count:
            raise UserError(
                f"network {name!r} puts out NaN or infinity for {count} of {found[name, 'seen']} test images; "
                "lower recipe.learning_rate or use recipe.precision: float32"
            )
    return {name: 100 * n / found[name, "seen"] for (name, what), n in found.items() if what == "right"}


@torch.no_grad()
def test_losses(method: nn.Module, data: Loaded, recipe: Recipe, world: World = ALONE) -> dict[str, float]:
    """Mean over the test set of each loss in ``method.test_losses(images, labels)``; nothing for other methods."""
    if not hasattr(method, "test_losses"):
        return {}
    method.eval()
    totals = {}
    for images, labels, *ends in test_batches(data, TEST_BATCH, part=world.part):
        with autocast(images.device, recipe):
            losses = method.test_losses(images, labels, *ends)
        for name, value in losses.items():
            totals[name] = totals.get(name, 0) + float(value) * len(labels)
    means = {name: value / len(data.test_labels) for name, value in world.total(totals).items()}
    if not all(math.isfinite(value) for value in means.values()):
        raise UserError(f"a loss on the test set is not finite ({means}); lower recipe.learning_rate")
    return means


test_losses.__test__ = False  # pytest takes any test_* it meets for a test


def check_method(method: nn.Module, recipe: Recipe) -> None:
    """Raise a UserError unless ``method`` predicts and ``recipe`` is one."""
    if not isinstance(method, nn.Module) or not callable(getattr(method, "predict", None)):
        raise UserError(
            f"method is a {type(method).__name__}, which has no predict(images); expected a method; "
            "for a network of your own Direct(DirectConfig(), network) is one"
        )
    if not isinstance(recipe, Recipe):
        raise UserError(f"recipe is {shown(recipe)}; expected a Recipe, as Recipe(epochs=10) makes it")


def predictions(
    method: nn.Module, images: Tensor, labels: Tensor, recipe: Recipe, *ends: Tensor
) -> dict[str, Tensor]:
    """Logits ``[B, classes]`` of each network; ``ends`` are the lengths of padded recordings."""
    with autocast(images.device, recipe):
        found = method.predict(laid_out(images, recipe), *ends)
    if not isinstance(found, dict) or not found:
        raise UserError(
            f"predict gave a {type(found).__name__}; expected logits by network, {{'snn': [B, classes]}}"
        )
    for name, logits in found.items():
        if not isinstance(logits, Tensor) or logits.dim() != 2 or len(logits) != len(labels):
            shape = list(getattr(logits, "shape", ())) or type(logits).__name__
            raise UserError(
                f"predict gave {shape} for network {name!r} and {len(labels)} images; expected logits [B, classes]"
            )
    return found


def _device(method: nn.Module) -> torch.device:
    return next((p.device for p in method.parameters()), torch.device("cpu"))


def laid_out(images: Tensor, recipe: Recipe) -> Tensor:
    """Channels last, if that is wanted; event frames too, each step as one batch."""
    if not recipe.channels_last:
        return images
    folded = images.flatten(0, -4)
    return folded.contiguous(memory_format=torch.channels_last).unflatten(0, images.shape[:-3])


def autocast(device: torch.device, recipe: Recipe) -> AbstractContextManager[Any]:
    return precision.autocast(device, recipe.dtype, recipe.compile)
