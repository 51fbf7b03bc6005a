"""What losses take: tensors whose axes fit each other, so that nothing is broadcast by accident.

All checks but one look at shapes alone.  Whether labels are numbers of classes is in their values, so it is
looked up on the CPU only: on a GPU each step would wait for the answer, and the GPU's own assertion stops it.
Nor is it while compiling or inside :mod:`torch.func`, whose tensors may stand for many.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch._C import _functorch

from snnbook.checks import shown
from snnbook.errors import UserError


def check_axes(*tensors: tuple[str, Tensor, str]) -> dict[str, int]:
    """Sizes of named axes; raise a UserError unless each has one size in all ``tensors``, and none is empty.

    All have to be on one device, too.

    Args:
        tensors: a name, a floating-point tensor, and its axes, such as ``"T B classes"``; ``...`` at the end is
            one axis or more.
    """
    sizes, owners = {}, {}
    for name, x, pattern in tensors:
        axes = pattern.split()
        expected = f"[{', '.join(axes)}]"
        if not isinstance(x, Tensor) or not x.is_floating_point():
            kind = f"of {x.dtype}" if isinstance(x, Tensor) else shown(x)
            raise UserError(f"{name} is {kind}; expected a floating-point tensor {expected}")
        shape = list(x.shape)
        if x.dim() < len(axes) or (x.dim() > len(axes) and axes[-1] != "..."):
            hint = "; unsqueeze(0) for one time step" if axes[0] == "T" and x.dim() == len(axes) - 1 else ""
            raise UserError(f"{name} has shape {shape}; expected {expected}{hint}")
        if x.numel() == 0:
            raise UserError(f"{name} has shape {shape}, which is empty; expected {expected} with entries")
        check_device(f"{name} is", x, *tensors[0][:2])
        for axis, size in zip(axes, shape, strict=False):
            if axis != "..." and sizes.setdefault(axis, size) != size:
                raise UserError(
                    f"{name} has shape {shape}, but {axis} = {sizes[axis]} in {owners[axis]}; "
                    f"expected {expected} with the same {axis}"
                )
            owners.setdefault(axis, name)
    return sizes


def check_exits(pattern: str, **networks: Sequence[Tensor]) -> dict[str, int]:
    """As :func:`check_axes`, of lists with a tensor an exit: as many of each network, one batch for all.

    Args:
        pattern: axes of each tensor; all but B may differ from exit to exit.
        networks: the lists, by name.

    Returns:
        The sizes of the last exits' axes.
    """
    expected = f"a list with a tensor [{', '.join(pattern.split())}] an exit"
    for name, exits in networks.items():
        if not isinstance(exits, list | tuple) or not exits:
            raise UserError(f"{name} is {shown(exits)}; expected {expected}, and at least one")
    counts = {name: len(exits) for name, exits in networks.items()}
    if len(set(counts.values())) > 1:
        found = " and ".join(f"{count} of {name}" for name, count in counts.items())
        raise UserError(f"there are exits {found}; expected as many of both networks")
    sizes = {}
    for number, tensors in enumerate(zip(*networks.values(), strict=True), start=1):
        named = zip(networks, tensors, strict=True)
        before, sizes = sizes, check_axes(*((f"exit {number} of {n}", x, pattern) for n, x in named))
        if before and before["B"] != sizes["B"]:
            raise UserError(
                f"exit {number} has a batch of {sizes['B']} and those before it {before['B']}; expected one batch"
            )
    return sizes


def check_device(name: str, x: Tensor, other_name: str, other: Tensor) -> None:
    """Raise a UserError unless ``x`` is on the device of ``other``."""
    if x.device != other.device:
        where = f"{name} on {x.device}, {other_name} on {other.device}"
        raise UserError(f"{where}; expected one device; move them with .to({str(other.device)!r})")


def readable(x: Tensor) -> bool:
    """Whether the values of ``x`` can be looked up, and at no cost."""
    if torch.compiler.is_compiling() or x.device.type != "cpu":
        return False
    return not _functorch.is_functorch_wrapped_tensor(x)


def as_labels(labels: Tensor, sizes: dict[str, int], outputs: Tensor | None = None) -> Tensor:
    """Labels as cross-entropy takes them; raise a UserError unless they fit the sizes ``B`` and ``classes``.

    Args:
        labels: class numbers ``[B]``, integers from 0; or probabilities ``[B, classes]``, whose rows sum to 1.
        sizes: of the outputs' axes.
        outputs: on whose device the labels have to be.
    """
    batch, classes = sizes["B"], sizes["classes"]
    expected = f"{batch} whole numbers below {classes}, or probabilities [{batch}, {classes}]"
    if not isinstance(labels, Tensor):
        raise UserError(f"labels are {shown(labels)}; expected a tensor of {expected}")
    soft = labels.is_floating_point()
    number = not labels.is_complex() and labels.dtype != torch.bool
    if not number or labels.shape != ((batch, classes) if soft else (batch,)):
        raise UserError(f"labels are {labels.dtype} of shape {list(labels.shape)}; expected {expected}")
    if outputs is not None:
        check_device("labels are", labels, "outputs", outputs)
    if readable(labels):
        low, high = (float(x) for x in torch.aminmax(labels.sum(-1) if soft else labels.long()))
        least = float(labels.min()) if soft else low
        if not (least >= 0 and (low > 0.98 and high < 1.02 if soft else high < classes)):
            what = f"rows that sum to {low:g} to {high:g}" if soft else f"numbers from {low:g} to {high:g}"
            raise UserError(f"labels have {what}, the least entry {least:g}; expected {expected}")
    return labels if soft else labels.long()
