"""Loss landscapes: the loss on a plane through a minimum, along filter-normalized directions (Li et al. 2018)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from snnbook.checks import MOST_SEED, whole
from snnbook.errors import UserError
from snnbook.factorized import check_has_its_factors

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Landscape:
    """Losses on a square grid around a trained network.

    Attributes:
        steps: the grid's coordinates along each direction ``[n]``; 0, the trained network, is in the middle.
        losses: each loss by name, ``[n, n]``, rows along the first direction.
    """

    steps: Tensor
    losses: dict[str, Tensor]

    def minimum(self, name: str) -> float:
        """Loss ``name`` of the trained network itself, in the middle."""
        middle = len(self.steps) // 2
        return float(self.losses[name][middle, middle])

    def rise(self, name: str, radius: float) -> float:
        """Mean of loss ``name`` over the grid's points within ``radius``, less the loss in the middle.

        A number for how sharp a minimum is; filter normalization makes it comparable between networks of one kind.

        Raises:
            UserError: no point but the middle lies within ``radius``.
        """
        distance = torch.sqrt(self.steps[:, None] ** 2 + self.steps[None, :] ** 2)
        within = (distance <= radius + 1e-9) & (distance > 0)
        if not within.any():
            raise UserError(f"no grid point lies within {radius} of the middle; choose a finer grid")
        return float(self.losses[name][within].mean()) - self.minimum(name)


def filter_normalized_direction(network: nn.Module, generator: torch.Generator) -> list[Tensor]:
    """A random direction, one tensor a parameter, filters as long as the network's own (Li et al. 2018, Sec. 4).

    Normal draws; every filter (first axis of a weight) is scaled to the norm of the trained filter.  Parameters
    that are no weights (biases, BatchNorm) do not move.
    """
    direction = []
    for p in network.parameters():
        if p.dim() < 2:
            direction.append(torch.zeros_like(p))
            continue
        d = torch.randn(p.shape, generator=generator, device="cpu").to(p)
        direction.append(d * _lengths(p.detach()) / _lengths(d).clamp(min=1e-12))
    return direction


def _lengths(weight: Tensor) -> Tensor:
    """The norm of each filter, shaped to scale the weight."""
    return weight.flatten(1).norm(dim=1).view(-1, *[1] * (weight.dim() - 1))


@torch.no_grad()
def landscape(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    losses: Mapping[str, Loss],
    *,
    points: int = 21,
    radius: float = 1.0,
    seed: int = 0,
    batch_size: int = 128,
) -> Landscape:
    """Losses of a trained network on a plane around it, in evaluation (running statistics of BatchNorm).

    Args:
        network: returns what the losses take; its weights are the same afterwards, whatever happens.
        images: ``[N, C, H, W]``, or frames ``[T, N, C, H, W]``, normalized, on the network's device; a few
            hundred are enough.
        labels: ``[N]``.
        losses: means over a batch, by name; all are computed from one forward pass.
        points: grid points a side, odd, so that the minimum is one of them.
        radius: the grid runs from ``-radius`` to ``radius``, in units of the filters' own norms.
        seed: of the two directions.
        batch_size: images at a time; changes memory, not results.

    Raises:
        UserError: an even number of points, or fewer than three; a seed that is none; a part of a pair, whose
            factors lie elsewhere.
    """
    check_has_its_factors(network)
    seed = whole(seed, "seed", most=MOST_SEED)
    if points < 3 or points % 2 == 0:
        raise UserError(
            f"points is {points}; expected an odd number of at least 3, the minimum in the middle"
        )
    batch_axis = 1 if images.dim() == 5 else 0
    network.eval()
    generator = torch.Generator().manual_seed(seed)
    first, second = (filter_normalized_direction(network, generator) for _ in range(2))
    parameters = list(network.parameters())
    kept = [p.detach().clone() for p in parameters]
    steps = torch.linspace(-radius, radius, points, dtype=torch.float64, device="cpu")
    steps[points // 2] = 0
    surfaces = {
        name: torch.zeros(points, points, dtype=torch.float64, device=steps.device) for name in losses
    }
    try:
        for i, a in enumerate(steps.tolist()):
            for j, b in enumerate(steps.tolist()):
                for p, w, u, v in zip(parameters, kept, first, second, strict=True):
                    p.copy_(w + a * u + b * v)
                for x, y in zip(images.split(batch_size, batch_axis), labels.split(batch_size), strict=True):
                    outputs = network(x).float()
                    for name, loss in losses.items():
                        surfaces[name][i, j] += float(loss(outputs, y)) * len(y) / len(labels)
    finally:
        for p, w in zip(parameters, kept, strict=True):
            p.copy_(w)
    return Landscape(steps, surfaces)
