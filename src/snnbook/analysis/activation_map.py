"""Where a network looks: spike activation maps of an SNN, Grad-CAM of an ANN."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snnbook.backbones import Backbone
from snnbook.checks import shown
from snnbook.errors import UserError
from snnbook.folding import still
from snnbook.losses.shapes import as_labels


def spike_activation_map(spikes: Tensor, size: tuple[int, int], gamma: float = 0.4) -> Tensor:
    """Positions whose neurons fire in quick succession (Kim & Panda 2021): no gradients, no labels.

    A spike at time t counts for each earlier spike of the same neuron ``exp(-gamma (t - t'))``; a map sums that
    over channels::

        N(t) = sum over t' < t of exp(-gamma (t - t')) s(t')
        M(t) = sum over channels of N(t) s(t)

    Args:
        spikes: of one layer, ``[T, B, C, H, W]``.
        size: of the images, to which maps are enlarged (bilinear).
        gamma: how fast old spikes are forgotten a time step; SASTC does not say which it uses.

    Returns:
        ``[T, B, height, width]`` in [0, 1]: each image's maps divided by their largest value over time.  The first
        step has no earlier spike, so its map is zero.

    Raises:
        UserError: no feature maps over time, or a single step.
    """
    if spikes.dim() != 5 or len(spikes) < 2:
        raise UserError(
            f"spikes have shape {list(spikes.shape)}; expected [T, B, C, H, W] with two time steps or more"
        )
    earlier, maps = torch.zeros_like(spikes[0]), []
    for s in spikes:
        maps.append((earlier * s).sum(1))  # [B, H, W]
        earlier = math.exp(-gamma) * (earlier + s)
    return _normalized(torch.stack(maps), size)


def grad_cam(
    network: Backbone, images: Tensor, size: tuple[int, int], classes: Tensor | None = None
) -> Tensor:
    """Which positions of the last stage speak for a class, and how much (Selvaraju et al. 2017).

    The libraries that offer it bring an image-processing stack along; it is four lines on a backbone's parts.

    Args:
        network: an ANN, put into evaluation.
        images: ``[B, C, H, W]``, normalized.
        size: to which maps are enlarged (bilinear).
        classes: class to explain for each image ``[B]``; None for the predicted ones.

    Returns:
        ``[1, B, height, width]`` in [0, 1], shaped as the maps of an SNN with one time step.

    Raises:
        UserError: a network without parts to look between, or classes that it does not have.
    """
    if not all(hasattr(network, part) for part in ("features", "pool", "head")):
        raise UserError(f"network is {shown(network)}; expected a Backbone, with features, pool and head")
    network.eval()
    with torch.inference_mode(False), torch.enable_grad():
        images = images.clone()  # one made in inference mode takes no part in a gradient
        last = network.features(images)[-1].detach().requires_grad_()  # [B, C, h, w]
        logits = network.head(network.pool(last))
        sizes = {"B": len(logits), "classes": logits.shape[1]}
        chosen = logits.argmax(1) if classes is None else as_labels(classes, sizes)
        if chosen.is_floating_point():
            raise UserError("classes are probabilities; expected the number of one class for each image")
        (gradient,) = torch.autograd.grad(logits.gather(1, chosen[:, None]).sum(), last)
    weights = gradient.mean((2, 3), keepdim=True)  # a channel's say
    return _normalized(F.relu((weights * last.detach()).sum(1))[None], size)


def activation_maps(method: nn.Module, images: Tensor, largest: int = 16) -> dict[str, list]:
    """Where a student's layers and its teacher look, small enough for a record.

    Args:
        method: with a ``student`` of two time steps or more and a ``teacher``, see
            :class:`snnbook.trainers.student_and_teacher.StudentAndTeacher`; in evaluation mode after this call.
        images: ``[N, C, H, W]``, normalized.
        largest: side to which larger maps are averaged.

    Returns:
        ``student``: of each layer, spike activation maps, mean over time steps; ``teacher``: Grad-CAM.  Maps are
        ``[N, h, w]`` of the layer's own size, each divided by its largest value, rounded to three digits.

    Raises:
        UserError: a method without a teacher, or a student of a single time step.
    """
    if not hasattr(method, "teacher"):
        raise UserError(
            f"method {type(method).__name__} has no teacher; analysis.activation_maps shows a student beside it"
        )
    method.eval()
    with torch.no_grad():
        student = method.student.features(images)
    last = method.teach(images)[1][-1]
    size = tuple(min(n, largest) for n in last.shape[-2:])
    layers = [spike_activation_map(x, x.shape[-2:]).mean(0) for x in student]
    return {
        "student": [_rounded(maps, largest) for maps in layers],
        "teacher": _rounded(grad_cam(method.teacher, still(images), size)[0], largest),
    }


def _rounded(maps: Tensor, largest: int) -> list:
    """``[N, h, w]``, averaged to ``largest`` a side, each with its greatest value at 1, as nested lists."""
    size = tuple(min(n, largest) for n in maps.shape[-2:])
    small = F.adaptive_avg_pool2d(maps, size).double()
    small = small / small.amax((1, 2), keepdim=True).clamp(min=1e-12)
    return [[[round(x, 3) for x in row] for row in image] for image in small.tolist()]


def _normalized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """``[T, B, h, w]`` enlarged, and divided by each image's largest value; an empty map stays empty."""
    enlarged = F.interpolate(maps.float(), size=size, mode="bilinear", align_corners=False)
    return enlarged / enlarged.amax((0, 2, 3), keepdim=True).clamp(min=1e-12)
