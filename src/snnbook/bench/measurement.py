"""What a measurement is, and the steps that several groups take."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from snnbook.backbones import NetworkConfig
from snnbook.bench.measure import Step
from snnbook.trainers import Direct
from snnbook.trainers.loop.saved import save_memory

BF16 = torch.bfloat16
LIMIT = "ANN on T*B images"
MISSING = "SpikingJelly is not installed; the extra bench has it"


@dataclass(frozen=True)
class Measurement:
    """Variants to be timed in turn.

    Attributes:
        title: what is done once a round.
        variants: by name; a :class:`Step`'s memory is counted too.
        base: the variants whose time together is 1.
        images: a step sees, for images per second.
        absent: variants that cannot run here, and why.
        seen_through: the :class:`Step` among the variants whose layers are timed one by one; None for none.
        asked: of variants that are rows of tables, the hash of their settings, see :class:`.job.Run`.
    """

    title: str
    variants: dict[str, Callable[[], None]]
    base: tuple[str, ...]
    images: int | None = None
    absent: dict[str, str] = field(default_factory=dict)
    seen_through: str | None = None
    asked: dict[str, str] = field(default_factory=dict)


def batch_of(size: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Random images ``[size, 3, 32, 32]`` and labels."""
    return torch.randn(size, 3, 32, 32, device=device), torch.randint(10, (size,), device=device)


def spiking(network: NetworkConfig, images, labels, memory: str = "full", **options) -> Step:
    """A step of direct training; ``options`` are those of :class:`Step`."""
    method = Direct(Direct.Config(), network, 10)
    for backbone in method.backbones().values():
        save_memory(backbone, memory)
    return Step(method, images, labels, **options)
