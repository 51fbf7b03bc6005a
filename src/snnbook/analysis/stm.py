"""The spatio-temporal mismatch (STM) score: how differently an SNN's and an ANN's layers see images.

SASTC, Eq. 1.  Two layers agree if they find the same images alike, that is if their similarity matrices are
close.  Entries grow with the size of a layer, and the score depends on the batch size, so scores compare only
for one pair of networks and at one batch size.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from snnbook.data import Dataset, test_batches
from snnbook.data.batching import in_batches
from snnbook.errors import UserError
from snnbook.folding import still
from snnbook.losses.sastc import similarity


class STM:
    """The score, gathered batch by batch; every result is a natural logarithm.

    Args:
        batch_size: images in every batch; 64 gives scores in the paper's range.
        log: what the paper leaves open: the logarithm ``"outside"`` the mean over time steps and pairs of
            layers, or ``"inside"`` it.

    Raises:
        UserError: an unknown ``log``.
    """

    def __init__(self, batch_size: int = 64, log: str = "outside"):
        if log not in ("outside", "inside"):
            raise UserError(f"log is {log!r}; expected 'outside' or 'inside' (the mean over pairs of layers)")
        self.batch_size, self.log = batch_size, log
        self.batches, self._total = 0, None

    @torch.no_grad()
    def update(self, student_features: list[Tensor], teacher_features: list[Tensor]) -> None:
        """Add a batch: S features ``[T, B, ...]`` of the student and K features ``[B, ...]`` of the teacher.

        Raises:
            UserError: another batch size, or another number of steps or layers than before.
        """
        for axis, features in ((1, student_features), (0, teacher_features)):
            for x in features:
                if x.shape[axis] != self.batch_size:
                    raise UserError(
                        f"a batch has {x.shape[axis]} images, the score is of batches of {self.batch_size}; "
                        "leave out a short last batch"
                    )
        student = torch.stack([similarity(x, time=True) for x in student_features], dim=1).double()
        teacher = torch.stack([similarity(x) for x in teacher_features]).double()
        found = (student[:, :, None] - teacher).square().mean((-2, -1)).cpu()
        if self._total is not None and found.shape != self._total.shape:
            raise UserError(
                f"a batch has {list(found.shape)} steps and layers, those before {list(self._total.shape)}; "
                "use one score for one pair of networks"
            )
        self._total = found if self._total is None else self._total + found
        self.batches += 1

    def distances(self) -> Tensor:
        """Mean squared distance of similarity matrices, mean over batches, ``[T, S, K]``, no logarithm."""
        if self._total is None:
            raise UserError(
                "the STM score has seen no batch; call update(student_features, teacher_features) first"
            )
        return self._total / self.batches

    def value(self, weights: Tensor | None = None) -> float:
        """The score; minus infinity where all layers agree.

        Args:
            weights: of the pairs, to be broadcast to ``[T, S, K]``, for instance an attention; None for equal
                ones.  They are scaled to sum to 1.

        Raises:
            UserError: no batch yet, or weights that do not fit, are negative or all zero.
        """
        distances = self.distances()
        if weights is None:
            weights = torch.ones(())
        try:
            weights = weights.detach().to("cpu", torch.float64).expand(distances.shape)
        except RuntimeError:
            raise UserError(
                f"weights have shape {list(weights.shape)}; expected one that fits {list(distances.shape)}"
            ) from None
        if (weights < 0).any() or not weights.any():
            raise UserError(
                "weights of the STM score must be at least 0 and not all 0; pass shares of attention"
            )
        weights = weights / weights.sum()
        if self.log == "outside":
            return float((weights * distances).sum().log())
        return float(torch.where(weights > 0, weights * distances.log(), 0.0).sum())

    def table(self) -> Tensor:
        """Logarithms of :meth:`distances`, one for each time step and pair of layers, ``[T, S, K]``."""
        return self.distances().log()

    def layers(self) -> Tensor:
        """Layer by layer, over time steps: ``[S, K]``."""
        return self._mean(0)

    def steps(self) -> Tensor:
        """Step by step, over teacher layers: ``[T, S]``."""
        return self._mean(2)

    def _mean(self, axis: int) -> Tensor:
        return self.distances().mean(axis).log() if self.log == "outside" else self.table().mean(axis)


@torch.no_grad()
def mismatch(
    networks: nn.Module | tuple[nn.Module, nn.Module],
    data: Dataset,
    batch_size: int = 64,
    log: str = "outside",
) -> STM:
    """The STM score of two networks over the test images; a last batch that is not full is left out.

    Args:
        networks: a method with a ``student`` and a ``teacher``, or the two: an SNN with
            ``features(images) -> [T, B, ...]`` each, and an ANN with ``features(images) -> [B, ...]`` each.
            In evaluation mode after this call.
        data: moved to the student's device; event frames reach the teacher as their mean over time.
        batch_size: images in every batch.
        log: see :class:`STM`.

    Raises:
        UserError: fewer test images than a batch, or a method without a teacher.
    """
    student, teacher = _pair(networks)
    score = STM(batch_size, log)
    data = data.to(next(student.parameters()).device)
    for images in _full_batches(data, batch_size):
        score.update(student.features(images), teacher.features(still(images)))
    return score


def _pair(networks) -> Iterable[nn.Module]:
    if isinstance(networks, nn.Module):
        if not hasattr(networks, "teacher"):
            raise UserError(
                f"method {type(networks).__name__} has no teacher to compare with; pass (student, teacher)"
            )
        networks = networks.student, networks.teacher
    return [network.eval() for network in networks]


def _full_batches(data: Dataset, batch_size: int) -> Iterable[Tensor]:
    count = len(data.test_labels)
    if count < batch_size:
        raise UserError(
            f"there are {count} test images, fewer than batch_size = {batch_size}; choose a smaller batch"
        )
    for images, labels, *_ in in_batches(test_batches(data, batch_size), batch_size):
        if len(labels) == batch_size:
            yield images
