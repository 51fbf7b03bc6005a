"""Accuracy over time: of each moment's readout, and of the mean readout of networks run for other lengths."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from snnbook.backbones import MultiExit
from snnbook.checks import shown, whole
from snnbook.data import Dataset, test_batches
from snnbook.errors import UserError
from snnbook.folding import SpikingNetwork, set_time_steps


@torch.no_grad()
def scalability(
    network: SpikingNetwork,
    data: Dataset,
    time_steps: Sequence[int],
    moments: int | None = None,
    batch_size: int = 64,
) -> dict[str, dict[int, float]]:
    """Test accuracies of a trained network over time, in percent, without tuning (Deng et al. 2022, A.5).

    Neurons know nothing of the future, so one run over the longest time gives every shorter one.

    Args:
        network: put into evaluation; its ``time_steps`` are as before afterwards.
        data: its test images are used, on the network's device.
        time_steps: lengths T' at which the mean of ``O(1) ... O(T')`` is asked (Figure 8).
        moments: ``O(1)`` to ``O(moments)`` are asked by themselves (Table 4); by default up to the longest T'.
        batch_size: images at a time.

    Returns:
        ``{"integrated": {T': accuracy}, "moments": {t: accuracy}}``.

    Raises:
        UserError: no length, or one below 1; event data with fewer frames; no SpikingNetwork.
    """
    if not time_steps:
        raise UserError("time_steps is empty; expected at least 1 number of steps")
    for name, value in (*(("time_steps", length) for length in time_steps), ("moments", moments)):
        if value is not None:
            whole(value, name, 1)
    if not isinstance(network, SpikingNetwork):
        raise UserError(
            f"network is {shown(network)}; expected a SpikingNetwork, which can run for other times"
        )
    moments = max(time_steps) if moments is None else moments
    longest, trained = max(*time_steps, moments), network.time_steps
    if data.frames:
        if longest > data.frames:
            raise UserError(
                f"a network was to run {longest} steps on {data.name} with {data.frames} frames; "
                "in event data time is in the data: ask for no more steps than frames"
            )
        longest = data.frames
    network.eval()
    correct, correct_moments = torch.zeros(2, longest, device="cpu")
    try:
        set_time_steps(network, longest)
        for images, labels, *ends in test_batches(data, batch_size):
            outputs = network(images).float()
            single, sums = outputs, outputs.cumsum(0)
            if ends:  # what has ended stays as it was then
                single, sums = (_held(x, *ends) for x in (single, sums))
            correct += _right(sums, labels)
            correct_moments += _right(single, labels)
    finally:
        set_time_steps(network, trained)
    share = 100 / len(data.test_labels)
    return {
        "integrated": {t: share * float(correct[t - 1]) for t in time_steps},
        "moments": {t: share * float(correct_moments[t - 1]) for t in range(1, moments + 1)},
    }


def _held(values: Tensor, ends: Tensor) -> Tensor:
    """``[T, B, classes]``, where each recording keeps the values of step ``ends``, its last, from then on."""
    steps = torch.arange(len(values), device=ends.device)[:, None].minimum(ends - 1)
    return values.gather(0, steps[..., None].expand_as(values))


def _right(outputs: Tensor, labels: Tensor) -> Tensor:
    """How many of ``[T, B, classes]`` are right at each step, ``[T]``."""
    return (outputs.argmax(-1) == labels).sum(1).cpu()


def variance_beyond(moments: dict, trained: int) -> float:
    """Sample variance of the accuracies of the moments behind the trained ones, in squared percentage points.

    The paper's text gives 3.81 and 4.04 for SDT and 1.41 and 0.08 for TET: from its Table 4, these are the sample
    variances over t = T + 1, ..., 8, which it does not say.  For the mean readout it gives 11.13 and 1.80, of a
    figure that prints no numbers (A.5).

    Args:
        moments: accuracy by moment, or by length; the keys are numbers or their strings, as in a record.
        trained: T of the training.

    Raises:
        UserError: fewer than two moments are left.
    """
    values = torch.tensor([value for t, value in moments.items() if int(t) > trained], dtype=torch.float64)
    if len(values) < 2:
        raise UserError(f"{len(values)} moments lie behind T = {trained}; a variance needs two")
    return float(values.var())


def spiking_network(method: nn.Module) -> SpikingNetwork:
    """The one spiking network of a method.

    Raises:
        UserError: it has none, or more.
    """
    found = [module for module in method.modules() if isinstance(module, SpikingNetwork)]
    if len(found) != 1:
        raise UserError(
            f"{type(method).__name__} has {len(found)} spiking networks; analyses over time need one"
        )
    if isinstance(found[0].backbone, MultiExit):
        raise UserError(
            f"the spiking network of {type(method).__name__} has several readouts; analyses over time need one"
        )
    return found[0]
