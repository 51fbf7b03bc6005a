"""The methods by name, and how one is built for an experiment."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from snnbook import room
from snnbook.backbones import NetworkConfig
from snnbook.baselines.snntorch_network import SnnTorchNetwork
from snnbook.checks import shown
from snnbook.data import Dataset
from snnbook.errors import UserError
from snnbook.trainers.direct import Direct
from snnbook.trainers.distillation import Distillation
from snnbook.trainers.feature_distillation import FeatureDistillation
from snnbook.trainers.joint import JointASNN
from snnbook.trainers.loop.evaluation import check_padded
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
    "snntorch": SnnTorchNetwork,
}


def build_method(
    name: str, config, network: NetworkConfig, data: Dataset, needs: Sequence[Path | nn.Module] = ()
) -> nn.Module:
    """The method ``name`` of an experiment, with fresh weights.

    Args:
        name: one of ``METHODS``.
        config: that method's ``Config``.
        network: its networks.
        data: gives the number of classes and the channels of an image.
        needs: weights trained before that it starts from (a teacher's), or networks, in the experiment's order.

    Raises:
        UserError: the method needs weights and got none, or the other way round; event frames of another number
            than the network's time steps; recordings of different lengths, which it cannot tell; more time steps
            than any memory could hold.
    """
    _check_count(name, len(needs))
    if data.frames and data.frames != network.time_steps:
        raise UserError(
            f"{data.name} has {data.frames} frames and network.time_steps is {network.time_steps}; "
            "in event data time is in the data: set data.frames and network.time_steps to the same number"
        )
    least = 4 * network.time_steps * len(data.classes)  # what one image's logits take; all else is more
    what = f"one image in network.time_steps = {shown(network.time_steps)}"
    room.check(least, room.at_hand(), what, advice="choose fewer time steps")
    check_padded(METHODS[name], data)
    return METHODS[name](config, network, len(data.classes), data.channels, *needs)


def check_needs(settings: Any, needs: Mapping[str, Any]) -> None:
    """Refuse runs that leave no weights this method could take, before they are trained.

    Args:
        settings: the run's, see :class:`snnbook.experiments.tables.settings.Settings`.
        needs: settings, by name, of the runs it needs.

    Raises:
        UserError: too many of them or too few, or one that leaves no teacher, say.
    """
    _check_count(settings.name, len(needs))
    check = getattr(METHODS[settings.name], "check_taught", None)
    for run, taught in needs.items() if check else ():
        check(settings.method, settings.network, run, taught)


def stand_ins(name: str, config, network: NetworkConfig, data: Dataset) -> list[nn.Module]:
    """In place of the weights that ``build_method`` needs, networks that have learned nothing."""
    method = METHODS[name]
    needs = getattr(method, "needs", ())
    return [method.stand_in(config, network, len(data.classes), data.channels) for _ in needs]


def can_stand_in(name: str) -> bool:
    """Whether :func:`stand_ins` knows what the method needs."""
    return not getattr(METHODS[name], "needs", ()) or hasattr(METHODS[name], "stand_in")


def _check_count(name: str, found: int) -> None:
    expected = getattr(METHODS[name], "needs", ())
    if found != len(expected):
        raise UserError(
            f"method {name} needs {len(expected)} trained networks ({', '.join(expected) or 'none'}), "
            f"got {found}; list them under 'needs' in the experiment's row"
        )
