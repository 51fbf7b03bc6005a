"""What can be told before training begins: one line instead of a stop in its middle."""

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedTensorMixin

from snnbook.checks import MOST_SEED, shown, whole
from snnbook.data.loaders import LoaderDataset
from snnbook.data.own import Loaded
from snnbook.errors import UserError, one_line
from snnbook.factorized import check_has_its_factors
from snnbook.trainers.loop.evaluation import check_method, check_padded, predictions
from snnbook.trainers.loop.fits import explain_torch_errors, step_fits
from snnbook.trainers.loop.recipe import Recipe


def check_arguments(method: nn.Module, recipe: Recipe, seed: int, device: torch.device | str) -> torch.device:
    """The device, if all of them can be trained with."""
    check_method(method, recipe)
    check_has_its_factors(method)
    if recipe.memory != "full" and not callable(getattr(method, "backbones", None)):
        raise UserError(
            f"recipe.memory is {recipe.memory!r}, but the method has no backbones(); set it to 'full'"
        )
    whole(seed, "seed", most=MOST_SEED)
    parameters = [p for p in method.parameters() if p.requires_grad]
    meta = any(x.is_meta for _, x in _state(method))
    if not parameters or meta:
        what = "is on the meta device" if meta else "has no parameter that could learn"
        raise UserError(f"the method {what}; expected parameters that hold numbers and require a gradient")
    if lazy := [name for name, x in _state(method) if isinstance(x, UninitializedTensorMixin)]:
        raise UserError(
            f"{lazy[0]!r} has no shape yet; call the network once on a batch of images, then train"
        )
    check_gradients(method)
    check_layout(method, recipe)
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (AssertionError, NotImplementedError, RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise UserError(
            f"device is {shown(device)} ({one_line(error)[:100]}); expected 'cpu' or 'cuda'"
        ) from None
    return found


def check_gradients(method: nn.Module) -> None:
    """Raise a UserError if no gradient would reach the weights of ``method``."""
    if not torch.is_grad_enabled():
        raise UserError(
            "gradients are off, by torch.no_grad() or torch.inference_mode(); expected training outside of it"
        )
    if made := [name for name, x in _state(method) if x.is_inference()]:
        raise UserError(
            f"{made[0]!r} was made in torch.inference_mode() and cannot learn; build the method outside of it"
        )


def check_layout(method: nn.Module, recipe: Recipe) -> None:
    """Raise a UserError if ``method`` has tensors that cannot lie as ``recipe`` says, frozen or not."""
    if five := [name for name, x in _state(method) if recipe.channels_last and x.dim() == 5]:
        raise UserError(
            f"{five[0]!r} has five axes, as a Conv3d's weights, which know no channels_last; "
            "set recipe.channels_last: false"
        )


def _state(method: nn.Module) -> list[tuple[str, Tensor]]:
    """All tensors of ``method`` that it is moved with, by name."""
    return [*method.named_parameters(), *method.named_buffers()]


def check_schedule(data: Loaded, recipe: Recipe) -> None:
    """Raise a UserError if the schedule is stepped each batch and nobody knows how many an epoch has."""
    if recipe.each_batch and isinstance(data, LoaderDataset) and data.train_loader.batch_size is None:
        raise UserError(
            f"recipe.schedule is {recipe.schedule!r}, stepped each batch, but the training loader's batch sampler "
            "may give any number of them; give the loader a batch_size, or choose another schedule"
        )


def check_batches(method: nn.Module, images: int, recipe: Recipe, processes: int = 1) -> None:
    """Raise a UserError if so many ``images`` give no batch, or a last one that the method is not sized for."""
    if images < recipe.batch_size and recipe.drop_last:
        raise UserError(
            f"the training set has {images} images, fewer than recipe.batch_size = {recipe.batch_size}; "
            "choose a smaller batch or set recipe.drop_last: false"
        )
    rest = images % recipe.batch_size
    if rest and not recipe.drop_last and hasattr(method, "check_last_batch"):
        method.check_last_batch(rest // processes)


@torch.no_grad()
def check_predictions(method: nn.Module, data: Loaded, recipe: Recipe, processes: int = 1) -> None:
    """Try two blank images, so that a network of too few classes is told before a GPU stops at a label.

    And what is kept of them says whether a whole batch, shared by ``processes``, would fit into memory.
    """
    check_padded(method, data)
    method.eval()
    blank = torch.zeros(2, *data.shape, device=data.device)
    images = blank.transpose(0, 1).contiguous() if data.frames else blank
    batch = max(1, min(recipe.batch_size, len(data.train_labels)) // processes)
    with explain_torch_errors(), step_fits(method, recipe, blank.device, len(blank), batch):
        found = predictions(method, images, blank, recipe)
    for name, logits in found.items():
        if logits.shape[1] < data.num_classes:
            raise UserError(
                f"network {name!r} puts out {logits.shape[1]} classes and the data have {data.num_classes}; "
                "build it with as many"
            )
