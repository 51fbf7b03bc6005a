"""What SASTC trains beside the student and leaves behind afterwards: projections and attention."""

from contextlib import nullcontext
from itertools import pairwise, zip_longest

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from snnbook.errors import UserError
from snnbook.folding import fold, unfold
from snnbook.losses.sastc import attention_weights, distance, similarity
from snnbook.precision import AsNow, full_precision

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
        for convolution, norm in zip_longest(self.convolutions, self.norms):
            x = convolution(x)
            if norm is not None:
                x = F.relu(torch.cat([norm(part) for part in x.chunk(parts)]) if parts > 1 else norm(x))
        return x


class Matching(nn.Module):
    """Distances between every student layer and every teacher layer, each pair with a projection of its own.

    Of two maps the larger is pooled to the smaller's size before projecting: the teacher's by the average,
    the student's as asked.  Projections are shared over time, and read all time steps in one call.

    Args:
        student_channels, teacher_channels: of the layers, S and K numbers.
        projection: one of ``PROJECTIONS``.
        batchnorm: statistics of the projections ``"step"`` by step, or ``"merged"`` over all time steps.
        student_pooling: ``"max"`` (spikes stay spikes) or ``"average"``.
        recompute: project a second time in the backward pass instead of keeping what is inside: the same
            gradients, in less memory and more time.
    """

    def __init__(
        self, student_channels, teacher_channels, projection, batchnorm, student_pooling, recompute=False
    ):
        super().__init__()
        self.projections = nn.ModuleList(
            nn.ModuleList(Projection(c, d, projection) for d in teacher_channels) for c in student_channels
        )
        self.per_step = batchnorm == "step"
        self.student_pooling = student_pooling
        self.recompute = recompute

    def forward(self, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
        """Features ``[T, B, C, H, W]`` and ``[B, C, H, W]`` to distances ``[T, B, S, K]``."""
        students = [_Sizes(fold(x), POOLINGS[self.student_pooling]) for x in student]
        teachers = [_Sizes(y, F.adaptive_avg_pool2d) for y in teacher]
        steps = len(student[0])
        rows = [
            torch.stack([self.pair(*pair, x, steps) for pair in zip(row, teachers, strict=True)], dim=-1)
            for row, x in zip(self.projections, students, strict=True)
        ]
        return torch.stack(rows, dim=-2)

    def pair(self, projection: Projection, teacher: "_Sizes", student: "_Sizes", steps: int) -> Tensor:
        """Distances of a student layer from a teacher layer, ``[T, B]``."""
        size = min(student.size, teacher.size)
        args = projection, student.at(size), teacher.at(size), steps, self.per_step
        if not self.recompute:
            return _distance(*args)
        settings = dict(use_reentrant=False, preserve_rng_state=False)  # nothing is drawn
        return checkpoint(_distance, *args, **settings, context_fn=lambda: (nullcontext(), AsNow()))


def _distance(projection: Projection, student: Tensor, teacher: Tensor, steps: int, per_step: bool) -> Tensor:
    return distance(unfold(projection(student, steps if per_step else 1), steps), teacher)


class _Sizes:
    """A layer's map ``[N, C, H, W]``, pooled once for each size that is asked for."""

    def __init__(self, features: Tensor, pool):
        self.size, self.pool = features.shape[-2:], pool
        self.pooled = {self.size: features}

    def at(self, size) -> Tensor:
        if size not in self.pooled:
            self.pooled[size] = self.pool(self.pooled[self.size], size)
        return self.pooled[size]


class Embedding(nn.Module):
    """Rows of a similarity matrix to vectors of unit length: a query or a key an image (Eq. 4).

    Shape: ``[..., B, B]`` to ``[..., B, length]``, in the precision of the similarities.
    """

    def __init__(self, batch_size: int, length: int):
        super().__init__()
        self.hidden = nn.Linear(batch_size, 2 * length)
        self.output = nn.Linear(2 * length, length)

    def forward(self, similarities: Tensor) -> Tensor:
        with full_precision(similarities.device):
            hidden = F.relu(_linear(self.hidden, similarities))
            return F.normalize(_linear(self.output, hidden), dim=-1, eps=1e-6)


def _linear(layer: nn.Linear, x: Tensor) -> Tensor:
    """``layer(x)`` in the precision of ``x``, whatever that of the layer is."""
    return F.linear(x, layer.weight.to(x.dtype), layer.bias.to(x.dtype))


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


class ConstantAttention(nn.Module):
    """In place of :class:`LayerAttention`, where it can end: one teacher layer is attended to as much as can be.

    Products of unit vectors end at 1 and -1.  With 1 for one teacher layer and -1 for all others, whatever the
    image, the time step and the student layer, Eq. 5 gives ``1 / (1 + (K - 1) e**-2)`` and, for each of the
    others, ``1 / (K - 1 + e**2)``.

    Args:
        favourite: the teacher layer, counted from 1.
        teachers: K, number of layers.

    Raises:
        UserError: no such layer.
    """

    def __init__(self, favourite: int, teachers: int):
        super().__init__()
        if favourite > teachers:
            raise UserError(
                f"constant_attention is {favourite}, and {teachers} layers of the teacher take part; "
                f"expected a number from 1 to {teachers}"
            )
        products = torch.full((teachers,), -1.0)
        products[favourite - 1] = 1
        self.register_buffer("weights", products.softmax(0), persistent=False)

    def forward(self, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
        """Features ``[T, B, ...]`` and ``[B, ...]`` to weights ``[T, B, S, K]``, a view of one row."""
        return self.weights.expand(*student[0].shape[:2], len(student), -1)


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
            "set recipe.batch_size to that number for each process, and recipe.drop_last to true"
        )
