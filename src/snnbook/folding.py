"""Time folded into the batch.

Public tensors are ``[T, B, ...]``.  Inside a network time is folded into the batch, ``[T*B, ...]``, step after
step, so that convolutions, pooling, linear layers and BatchNorm (whose statistics then run over time and batch
jointly, what these papers call tdBN) are torch's own.  Only neurons unfold.
"""

from torch import Tensor, nn

from snnbook.errors import UserError


def fold(x: Tensor) -> Tensor:
    """``[T, B, ...]`` to ``[T*B, ...]``, a view."""
    return x.flatten(0, 1)


def unfold(x: Tensor, time_steps: int) -> Tensor:
    """``[T*B, ...]`` to ``[T, B, ...]``, a view.

    Raises:
        UserError: the leading axis is no multiple of T.
    """
    if x.shape[0] % time_steps:
        raise UserError(
            f"the leading axis has {x.shape[0]} entries, not a multiple of T = {time_steps}; "
            "fold [T, B, ...] to [T*B, ...] first"
        )
    return x.unflatten(0, (time_steps, x.shape[0] // time_steps))


def still(images: Tensor) -> Tensor:
    """What a network without time sees of images: event frames ``[T, B, C, H, W]`` as their mean over T."""
    return images.mean(0) if images.dim() == 5 else images


def check_time_steps(time_steps: int) -> int:
    """``time_steps`` if it is a whole number of at least 1.

    Raises:
        UserError: it is not.
    """
    if isinstance(time_steps, bool) or not isinstance(time_steps, int) or time_steps < 1:
        raise UserError(f"time_steps is {time_steps!r}; expected a whole number of at least 1")
    return time_steps


def neurons(module: nn.Module) -> dict[str, nn.Module]:
    """The spiking neurons inside ``module``, by name, in order: what has ``time_steps`` and ``dynamics``."""
    return {name: m for name, m in module.named_modules() if hasattr(m, "dynamics")}


def set_time_steps(module: nn.Module, time_steps: int) -> nn.Module:
    """Let every neuron inside ``module`` run for T steps; works on trained networks; returns ``module``."""
    check_time_steps(time_steps)
    for m in module.modules():
        if hasattr(m, "time_steps"):
            m.time_steps = time_steps
    return module


class SpikingNetwork(nn.Module):
    """A backbone with spiking activations, seen from outside: images in, logits at each step out.

    A static image ``[B, C, H, W]`` is the same at each step, so its stem is computed once and the current it
    gives is repeated, not copied, into the first neuron (direct encoding).  Event frames ``[T, B, C, H, W]``
    are folded and pass the stem at each step.

    Args:
        backbone: a network whose ``encode`` attribute is its first neuron.
        time_steps: T.

    Shape: to ``[T, B, classes]``, the readout ``O(t)``: integrated by the classifier, never fired.
    """

    def __init__(self, backbone: nn.Module, time_steps: int):
        super().__init__()
        self.backbone = backbone
        self.time_steps = time_steps
        set_time_steps(self, time_steps)

    def fold_input(self, images: Tensor) -> Tensor:
        """Images as the backbone takes them, with its first neuron told whether they repeat."""
        static = images.dim() == 4
        if not static and images.shape[0] != self.time_steps:
            raise UserError(
                f"frames have {images.shape[0]} steps but the network runs T = {self.time_steps}; "
                "call set_time_steps(network, T) or pass [B, C, H, W] for a static image"
            )
        self.backbone.encode.repeat = static
        return images if static else fold(images)

    def forward(self, images: Tensor) -> Tensor:
        return unfold(self.backbone(self.fold_input(images)), self.time_steps)

    def features(self, images: Tensor) -> list[Tensor]:
        """What the first neuron and each stage put out, ``[T, B, C, H, W]`` each."""
        features = self.backbone.features(self.fold_input(images))
        return [unfold(x, self.time_steps) for x in features]
