"""What training changes, and a checkpoint keeps therefore, beside the history."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from snnbook.trainers.loop.recipe import Recipe


@dataclass(frozen=True)
class Training:
    """A method, and what moves its weights."""

    method: nn.Module
    optimizer: Optimizer
    scheduler: LRScheduler
    scaler: torch.amp.GradScaler

    @classmethod
    def of(cls, method: nn.Module, recipe: Recipe, images: int, device: torch.device) -> "Training":
        """A new training as ``recipe`` has it, with so many training ``images``."""
        optimizer = recipe.optimizer_for(method)
        scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "float16")
        return cls(method, optimizer, recipe.scheduler_for(optimizer, images), scaler)

    def state(self) -> dict[str, Any]:
        """The state of each part by its name, as checkpoints have them."""
        return {name: part.state_dict() for name, part in vars(self).items()}

    def step(self, loss: Tensor) -> None:
        """Move the weights against the gradient of ``loss``."""
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
