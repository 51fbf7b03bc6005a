"""How long, how fast and how precisely to train."""

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from snnbook.checks import check_fields
from snnbook.errors import UserError
from snnbook.trainers.loop.saved import WAYS

PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Recipe:
    """The section ``recipe`` of an experiment; the defaults are those of Joint A-SNN (Guo et al. 2023, Sec. 5.1).

    Attributes:
        epochs: passes over the training images.
        batch_size: images a step, over all processes (the paper gives none).
        optimizer: ``"adam"`` or ``"sgd"``.
        learning_rate, momentum, weight_decay: the optimizer's; momentum for SGD alone.  Weight decay is added to
            the gradient, with Adam, too (which is not AdamW).
        schedule: ``"cosine"`` to zero over the epochs, ``"steps"``, ``"constant"``, or ``"cycle"``: up linearly
            over ``warmup``, then down a cosine to zero, stepped each batch, as the others are each epoch.
        warmup: epochs, or a part of one, of the cycle's rise.
        decay_all: False spares BatchNorm, biases and learned decays the weight decay.
        milestones: epochs after which ``"steps"`` divides the learning rate by ten.
        precision: ``"float32"``, ``"bfloat16"`` or ``"float16"`` (autocast; float16 scales gradients).
        channels_last: memory layout of images and convolutions.
        augment: names of augmentations, see :func:`snnbook.data.batches`.
        test_every: epochs from one test to the next; the last is always tested.
        drop_last: leave out the last batch of an epoch if it is not full.
        sync_batchnorm: with several processes, BatchNorm takes the statistics of the whole batch and not of each
            process's share; then they train like one process.
        memory: what a step keeps for its backward pass: ``"full"``, spikes as ``"bytes"``, or ``"recompute"``, see
            :mod:`snnbook.trainers.loop.saved`.
        compile: let ``torch.compile`` compile the whole method, and decide what it keeps; takes a C++ compiler,
            and minutes on a CPU.  On one GPU its steps become CUDA graphs.

    Raises:
        UserError: a value of another type, not finite, out of range or unknown.
    """

    epochs: int = 300
    batch_size: int = 128
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.0
    weight_decay: float = 5e-4
    schedule: str = "cosine"
    warmup: float = 0.0
    decay_all: bool = True
    milestones: tuple[int, ...] = ()
    precision: str = "float32"
    channels_last: bool = True
    augment: tuple[str, ...] = ("crop", "flip")
    test_every: int = 1
    drop_last: bool = True
    sync_batchnorm: bool = False
    memory: str = "full"
    compile: bool = False

    def __post_init__(self) -> None:
        check_fields(
            self,
            "recipe",
            choices={
                "optimizer": ("adam", "sgd"),
                "schedule": ("cosine", "steps", "constant", "cycle"),
                "precision": tuple(PRECISIONS),
                "memory": WAYS,
            },
            at_least={"epochs": 1, "batch_size": 1, "test_every": 1, "milestones": 1}
            | {"momentum": 0, "weight_decay": 0, "warmup": 0},
            above={"learning_rate": 0},
        )
        if (self.schedule == "steps") != bool(self.milestones):
            raise UserError(
                f"recipe.schedule is {self.schedule!r} and recipe.milestones {list(self.milestones)}; "
                "expected milestones with 'steps', and with it alone"
            )
        if self.warmup and self.schedule != "cycle":
            raise UserError(
                f"recipe.warmup is {self.warmup} and recipe.schedule {self.schedule!r}; expected a warm-up with "
                "'cycle' alone"
            )
        if self.warmup and self.warmup >= self.epochs:
            raise UserError(
                f"recipe.epochs is {self.epochs} and recipe.warmup {self.warmup}; expected a warm-up of fewer "
                "epochs than there are; set recipe.warmup, too"
            )
        if self.compile and self.memory != "full":
            raise UserError(
                f"recipe.memory is {self.memory!r} and recipe.compile is on, but torch.compile decides by itself "
                "what to keep; set recipe.memory: full or recipe.compile: false"
            )

    @property
    def dtype(self) -> torch.dtype | None:
        """What autocast computes in; None for float32, where it is off."""
        return PRECISIONS[self.precision]

    def optimizer_for(self, method: nn.Module) -> torch.optim.Optimizer:
        parameters = [p for p in method.parameters() if p.requires_grad]
        if not self.decay_all:
            weights, others = [p for p in parameters if p.dim() > 1], [p for p in parameters if p.dim() <= 1]
            groups = [dict(params=weights), dict(params=others, weight_decay=0.0)]
            parameters = [group for group in groups if group["params"]]
        # Torch's fused SGD takes what lies in memory for momentum if the first step is one that float16 skips.
        fused = not (self.optimizer == "sgd" and self.momentum and self.precision == "float16")
        common = dict(lr=self.learning_rate, weight_decay=self.weight_decay, fused=fused)
        if self.optimizer == "sgd":
            return torch.optim.SGD(parameters, momentum=self.momentum, **common)
        return torch.optim.Adam(parameters, **common)

    @property
    def each_batch(self) -> bool:
        """Whether the schedule is stepped each batch, and not each epoch."""
        return self.schedule == "cycle"

    def schedule_steps(self, images: int) -> int:
        """How often the schedule is stepped in an epoch of ``images`` training images."""
        if not self.each_batch:
            return 1
        return max(1, images // self.batch_size if self.drop_last else math.ceil(images / self.batch_size))

    def scheduler_for(
        self, optimizer: torch.optim.Optimizer, images: int
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """Stepped once a batch for ``"cycle"``, else once an epoch, of ``images`` training images."""
        if self.schedule == "cycle":
            return torch.optim.lr_scheduler.LambdaLR(
                optimizer, partial(self.factor, steps=self.schedule_steps(images))
            )
        if self.schedule == "cosine":
            return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=self.epochs)
        if self.schedule == "steps":
            return torch.optim.lr_scheduler.MultiStepLR(optimizer, list(self.milestones), gamma=0.1)
        return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)

    def factor(self, step: int, steps: int) -> float:
        """What the cycle multiplies the learning rate by before batch ``step`` of ``epochs * steps``."""
        rise, whole = self.warmup * steps, self.epochs * steps
        if step < rise:
            return (step + 1) / (rise + 1)
        return 0.5 + 0.5 * math.cos(math.pi * min(1.0, (step - rise) / (whole - rise)))
