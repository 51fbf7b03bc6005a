"""Whether a step of training fits into memory, worked out while two images are tried."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from snnbook import room
from snnbook.backbones import Backbone
from snnbook.errors import UserError, one_line
from snnbook.trainers.loop.recipe import Recipe

LAYERS = (nn.Linear, nn.modules.conv._ConvNd)
ADVICE = "choose a smaller recipe.batch_size, fewer network.time_steps, or recipe.memory: recompute"
MEMORY = f"memory is full ({{}}); {ADVICE}"
SMALL = "the images are too small for the network ({}); expected larger ones, or a network that pools less"
COMPILER = (
    "compiling takes a C++ compiler that works; install one, or do without recipe.compile and "
    "SNNBOOK_KERNEL=compiled"
)
# What torch says, in part, and what it means.
MEANINGS = {
    "can't allocate memory": MEMORY,
    "more than 1 value per channel": "a batch of one image has nothing that BatchNorm could normalize by; "
    "choose another recipe.batch_size, or set recipe.drop_last: true",
    "view size is not compatible": "a view(...) of numbers that lie in another order, as those of images do with "
    "recipe.channels_last; take flatten(1) or reshape(...), or set recipe.channels_last: false",
    "InvalidCxxCompiler": COMPILER,
    "CppCompileError": COMPILER,
    "Output size is too small": SMALL,
    "Kernel size can't be greater than actual input size": SMALL,
}


def at_hand(device: torch.device) -> float:
    """Bytes that can be had on ``device``, with those that torch has had and uses no more."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    return room.at_hand() if device.type == "cpu" else float("inf")


@contextmanager
def step_fits(
    method: nn.Module, recipe: Recipe, device: torch.device, tried: int, batch: int
) -> Iterator[None]:
    """While the body has ``method`` predict ``tried`` images, find out whether a step on ``batch`` would fit.

    What is counted is certain to be needed: gradients, what the optimizer keeps, and what each convolution and
    linear layer of the library's own networks puts out, which stays for the backward pass unless it is recomputed.

    Raises:
        UserError: it would not.
    """
    available = at_hand(device)
    kept = (1 + (2 if recipe.optimizer == "adam" else recipe.momentum > 0)) * sum(
        p.nbytes for p in method.parameters() if p.requires_grad
    )

    def count(layer: nn.Module, _inputs: Any, output: Any) -> None:
        nonlocal kept
        taken = output.nbytes // tried * batch if isinstance(output, Tensor) else 0
        whose = "" if device.type == "cpu" else "of the GPU"
        room.check(kept + taken, int(min(available, 2**63)), f"a step of {batch} images", whose, ADVICE)
        if layer in staying:
            kept += taken

    networks = method.backbones().values() if callable(getattr(method, "backbones", None)) else ()
    own = [network for network in networks if any(isinstance(m, Backbone) for m in network.modules())]
    stay = recipe.memory != "recompute" and not recipe.compile
    staying = {
        m
        for network in own
        if stay
        for m in network.modules()
        if all(p.requires_grad for p in m.parameters())
    }
    with ExitStack() as hooks:
        for layer in method.modules():
            if isinstance(layer, LAYERS):
                hooks.callback(layer.register_forward_hook(count).remove)
        yield


@contextmanager
def explain_torch_errors() -> Iterator[None]:
    """Turn what torch says of a network, its images or the memory in the body into one line.

    Raises:
        UserError: memory was full, or torch said one of ``MEANINGS``; other errors pass.
    """
    try:
        yield
    except (RuntimeError, ValueError) as error:
        meaning = next((ours for theirs, ours in MEANINGS.items() if theirs in str(error)), None)
        meaning = MEMORY if isinstance(error, torch.OutOfMemoryError) else meaning
        if meaning is None:
            raise
        raise UserError(meaning.format(one_line(error)[:120])) from error
