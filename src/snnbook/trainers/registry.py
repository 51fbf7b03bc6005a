"""The methods by name, and how one is built for an experiment."""

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from snnbook import room
from snnbook.backbones import NetworkConfig
from snnbook.baselines.snntorch_resnet import SnnTorchResNet
from snnbook.checks import shown
from snnbook.data import Dataset
from snnbook.errors import UserError
from snnbook.trainers.direct import Direct
from snnbook.trainers.distillation import Distillation
from snnbook.trainers.feature_distillation import FeatureDistillation
from snnbook.trainers.joint import JointASNN
from snnbook.trainers.sastc import SASTC
from snnbook.trainers.switch import Switch
from snnbook.trainers.tet import TET

METHODS: dict[str, type[nn.Module]] = {
    "direct": Direct,
    "distillation": Distillation,
    "joint": JointASNN,
    "tet": TET,
    "switch": Switch,
    "sastc": SASTC,
    "feature_distillation": FeatureDistillation,
    "snntorch": SnnTorchResNet,
}


def build_method(
    name: str, config, network: NetworkConfig, data: Dataset, needs: Sequence[Path] = ()
) -> nn.Module:
    """The method ``name`` of an experiment, with fresh weights.

    Args:
        name: one of ``METHODS``.
        config: that method's ``Config``.
        network: its networks.
        data: gives the number of classes and the channels of an image.
        needs: weights trained before that it starts from (a teacher's), in the experiment's order.

    Raises:
        UserError: the method needs weights and got none, or the other way round; event frames of another number
            than the network's time steps; more time steps than any memory could hold.
    """
    method = METHODS[name]
    expected = getattr(method, "needs", ())
    if len(needs) != len(expected):
        raise UserError(
            f"method {name} needs {len(expected)} trained networks ({', '.join(expected) or 'none'}), "
            f"got {len(needs)}; list them under 'needs' in the experiment's row"
        )
    if data.frames and data.frames != network.time_steps:
        raise UserError(
            f"{data.name} has {data.frames} frames and network.time_steps is {network.time_steps}; "
            "in event data time is in the data: set data.frames and network.time_steps to the same number"
        )
    least = 4 * network.time_steps * len(data.classes)  # what one image's logits take; all else is more
    what = f"one image in network.time_steps = {shown(network.time_steps)}"
    room.check(least, room.at_hand(), what, advice="choose fewer time steps")
    return method(config, network, len(data.classes), data.channels, *needs)
