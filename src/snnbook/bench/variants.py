"""What training with spikes is compared with: the limit, and the same networks with other libraries' neurons."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snnbook.backbones import NetworkConfig, build_ann, build_backbone
from snnbook.losses import sdt
from snnbook.neurons import preset

# The neuron of the comparison: Joint A-SNN's, which both libraries have.
NEURON = preset("joint_asnn")
DECAY, THRESHOLD = NEURON.decay, NEURON.dynamics.threshold


class Repeated(nn.Module):
    """The limit: an ANN that sees each image T times."""

    def __init__(self, network: NetworkConfig, num_classes: int = 10):
        super().__init__()
        self.network, self.time_steps = build_ann(network, num_classes), network.time_steps

    def forward(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        outputs = self.network(images.repeat(self.time_steps, 1, 1, 1))
        return {"ce": F.cross_entropy(outputs, labels.repeat(self.time_steps))}


class SnnTorchNeuron(nn.Module):
    """``snn.Leaky``, called step by step on ``[T*B, ...]``."""

    def __init__(self, time_steps: int):
        super().__init__()
        import snntorch

        self.time_steps = time_steps
        self.leaky = snntorch.Leaky(beta=DECAY, threshold=THRESHOLD, reset_mechanism="zero")

    def forward(self, x: Tensor) -> Tensor:
        potential, spikes = self.leaky.reset_mem(), []
        for current in x.unflatten(0, (self.time_steps, -1)):
            spike, potential = self.leaky(current, potential)
            spikes.append(spike)
        return torch.stack(spikes).flatten(0, 1)


class SpikingJellyNeuron(nn.Module):
    """``LIFNode`` in its multi-step mode on ``[T*B, ...]``; it chooses its fused kernel by itself."""

    def __init__(self, time_steps: int):
        super().__init__()
        from spikingjelly.activation_based import neuron

        self.time_steps = time_steps
        self.node = neuron.LIFNode(
            tau=1 / (1 - DECAY),
            decay_input=False,
            v_threshold=THRESHOLD,
            v_reset=0.0,
            step_mode="m",
        )

    def forward(self, x: Tensor) -> Tensor:
        self.node.reset()
        return self.node(x.unflatten(0, (self.time_steps, -1))).flatten(0, 1)


def spikingjelly_missing() -> bool:
    return find_spec("spikingjelly") is None


class Folded(nn.Module):
    """A backbone with another library's neurons, fed the image once for each time step, as its users do."""

    def __init__(self, network: NetworkConfig, neuron: Callable[[int], nn.Module], num_classes: int = 10):
        super().__init__()
        self.time_steps = network.time_steps
        activation = partial(neuron, network.time_steps)
        self.backbone = build_backbone(network.name, num_classes, 3, activation, network.width)

    def forward(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        outputs = self.backbone(images.repeat(self.time_steps, 1, 1, 1))
        return {"ce": sdt(outputs.unflatten(0, (self.time_steps, -1)), labels)}
