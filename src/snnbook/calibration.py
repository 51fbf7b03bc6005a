"""What SASTC trains beside the student and leaves behind afterwards: projections and attention."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snnbook.errors import UserError
from snnbook.folding import fold, unfold
from snnbook.losses.sastc import attention_weights, distance, similarity

# Kernel sizes, one convolution each; BatchNorm and ReLU stand between them.
PROJECTIONS = {"sastc": (3, 1), "semckd": (1, 3, 1), "hint": (3,)}
POOLINGS = {"max": F.adaptive_max_pool2d, "average": F.adaptive_avg_pool2d}
# Layers that take part, of those a network's features() lists.
CANDIDATES = {"all": slice(None), "inner": slice(1, None)}
# Below, a query would be a single number, which unit length turns into plus or minus one, without a gradient.
SMALLEST_BATCH = 8


class Projection(nn.Module):
    """Convolutions that turn a student layer's channels into a teacher layer's (Eq. 2).

    BatchNorm always takes the batch's own statistics and keeps none: this module never outlives training.

    Args:
        in_channels: of the student layer.
        channels: of the teacher layer; between convolutions there are twice as many.
        kind: one of ``PROJECTIONS``.
    """

    def __init__(self, in_channels: int, channels: int, kind: str):
        super().__init__()
        kernels = PROJECTIONS[kind]
        widths = [in_channels, *[2 * channels] * (len(kernels) - 1), channels]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False)
            for (before, after), kernel in zip(pairwise(widths), kernels, strict=True)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(w, track_running_stats=False) for w in widths[1:-1])

    def forward(self, x: Tensor, parts: int = 1) -> Tensor:
        """``[N, C, H, W]`` to ``[N, C', H, W]``, normalized in so many equal parts of the leading axis."""
        return project(x, [self], parts)[0]

    def finish(self, x: Tensor, parts: int) -> Tensor:
        """All but the first convolution and the BatchNorm behind it."""
        for i, convolution in enumerate(self.convolutions[1:], start=1):
            x = convolution(x)
            if i < len(self.norms):
                x = _rectify(x, [self.norms[i]], parts)
        return x


def project(x: Tensor, projections: list[Projection], parts: int) -> list[Tensor]:
    """Each projection of ``x``; the first convolution of all of them, the costly one, is a single call.

    Args:
        x: ``[N, C, H, W]``.
        projections: of one kind.
        parts: see :class:`Projection`.
    """
    first = [p.convolutions[0] for p in projections]
    y = F.conv2d(x, torch.cat([c.weight for c in first]), padding=first[0].padding)
    if len(projections[0].norms):
        y = _rectify(y, [p.norms[0] for p in projections], parts)
    outputs = y.split([c.out_channels for c in first], dim=1)
    return [p.finish(z, parts) for p, z in zip(projections, outputs, strict=True)]


def _rectify(x: Tensor, norms: list[nn.BatchNorm2d], parts: int) -> Tensor:
    """BatchNorm, each part of the leading axis with its own statistics, and ReLU."""
    weight, bias = torch.cat([n.weight for n in norms]), torch.cat([n.bias for n in norms])
    y = [F.batch_norm(p, None, None, weight, bias, training=True, eps=norms[0].eps) for p in x.chunk(parts)]
    return F.relu(torch.cat(y) if parts > 1 else y[0])


class Matching(nn.Module):
    """Distances between every student layer and every teacher layer, each pair with a projection of its own.

    Of two maps the larger is pooled to the smaller's size before projecting: the teacher's by the average,
    the student's as asked.  Projections are shared over time.

    Args:
        student_channels, teacher_channels: of the layers, S and K numbers.
        projection: one of ``PROJECTIONS``.
        batchnorm: statistics of the projections ``"step"`` by step, or ``"merged"`` over all time steps.
        student_pooling: ``"max"`` (spikes stay spikes) or ``"average"``.
    """

    def __init__(self, student_channels, teacher_channels, projection, batchnorm, student_pooling):
        super().__init__()
        self.projections = nn.ModuleList(
            nn.ModuleList(Projection(c, d, projection) for d in teacher_channels) for c in student_channels
        )
        self.per_step = batchnorm == "step"
        self.pool = POOLINGS[student_pooling]

    def forward(self, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
        """Features ``[T, B, C, H, W]`` and ``[B, C, H, W]`` to distances ``[T, B, S, K]``."""
        rows = [self.row(*pair, teacher) for pair in zip(self.projections, student, strict=True)]
        return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)

    def row(self, projections, student: Tensor, teacher: list[Tensor]) -> list[Tensor]:
        """Distances of one student layer from each teacher layer, ``[T, B]`` each."""
        steps, folded = len(student), fold(student)
        sizes = [min(student.shape[-2:], target.shape[-2:]) for target in teacher]
        distances = [None] * len(teacher)
        for size in dict.fromkeys(sizes):
            js = [j for j, wanted in enumerate(sizes) if wanted == size]
            pooled = folded if size == folded.shape[-2:] else self.pool(folded, size)
            outputs = project(pooled, [projections[j] for j in js], steps if self.per_step else 1)
            for j, output in zip(js, outputs, strict=True):
                target = teacher[j]
                target = target if size == target.shape[-2:] else F.adaptive_avg_pool2d(target, size)
                distances[j] = distance(unfold(output, steps), target)
        return distances


class Embedding(nn.Module):
    """Rows of a similarity matrix to vectors of unit length: a query or a key an image (Eq. 4).

    Shape: ``[..., B, B]`` to ``[..., B, length]``, float32.
    """

    def __init__(self, batch_size: int, length: int):
        super().__init__()
        self.hidden = nn.Linear(batch_size, 2 * length)
        self.output = nn.Linear(2 * length, length)

    def forward(self, similarities: Tensor) -> Tensor:
        with torch.autocast(similarities.device.type, enabled=False):
            return F.normalize(self.output(F.relu(self.hidden(similarities))), dim=-1, eps=1e-6)


class LayerAttention(nn.Module):
    """Attention of each student layer, at each time step and for each image, over the teacher's layers.

    Each layer has an embedding of its own; a student layer's is shared over time.

    Args:
        batch_size: B of every batch to come, since an embedding reads whole rows of ``[B, B]``.
        students, teachers: S and K, numbers of layers.
        length: of a query.

    Raises:
        UserError: a batch below ``SMALLEST_BATCH``, or a length below 2.
    """

    def __init__(self, batch_size: int, students: int, teachers: int, length: int):
        super().__init__()
        check_attention(batch_size, length)
        self.batch_size = batch_size
        self.queries = nn.ModuleList(Embedding(batch_size, length) for _ in range(students))
        self.keys = nn.ModuleList(Embedding(batch_size, length) for _ in range(teachers))

    def forward(self, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
        """Features ``[T, B, ...]`` and ``[B, ...]`` to weights ``[T, B, S, K]``.

        Raises:
            UserError: a batch of another size.
        """
        check_batch(len(teacher[0]), self.batch_size)
        pairs = zip(self.queries, student, strict=True)
        queries = torch.stack([query(similarity(x, time=True)) for query, x in pairs], dim=-2)
        pairs = zip(self.keys, teacher, strict=True)
        keys = torch.stack([key(similarity(x)) for key, x in pairs], dim=-2)
        return attention_weights(queries, keys)


def check_attention(batch_size: int, length: int) -> None:
    """Raise a UserError unless the attention can tell layers apart."""
    if batch_size < SMALLEST_BATCH:
        raise UserError(
            f"batch_size is {batch_size}; expected at least {SMALLEST_BATCH}, "
            "since the attention compares the images of a batch; choose a larger batch"
        )
    if length < 2:
        raise UserError(
            f"embedding is {length}; expected at least 2 numbers a query, a single one cannot learn"
        )


def check_batch(found: int, expected: int) -> None:
    """Raise a UserError unless a batch has the size the attention was built for."""
    if found != expected:
        raise UserError(
            f"a batch has {found} images, but method.batch_size = {expected} sizes the attention; "
            "set recipe.batch_size to the same number and recipe.drop_last to true"
        )
