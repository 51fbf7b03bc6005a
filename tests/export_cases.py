"""What tests of exports share: small networks of every kind that can be written."""

import torch
from torch import nn

from snnbook import IF, LIF, PLIF, SpikingNetwork

TARGETS = (None, "snntorch", "spikingjelly", "norse", "sinabs")


class Branches(nn.Module):
    """A residual block whose shortcut is the identity, and one joined behind the neurons."""

    def __init__(self, neuron):
        super().__init__()
        self.stem, self.encode = nn.Conv2d(2, 4, 3, padding=1), neuron()
        self.conv, self.act = nn.Conv2d(4, 4, 3, padding=1, bias=False), neuron()
        self.after, self.sewn = nn.Conv2d(4, 4, 3, padding=1, groups=2), neuron()
        self.head = nn.Linear(4 * 36, 5)

    def forward(self, x):
        x = self.encode(self.stem(x))
        x = self.act(self.conv(x) + x)
        x = self.sewn(self.after(x)) + x
        return self.head(torch.flatten(x, 1))


def layers(neuron, pool=nn.AvgPool2d, head=True):
    """Convolution, BatchNorm, a pooling and two layers of neurons on maps of 6x6."""
    made = [nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), neuron(), pool(2), nn.Flatten()]
    return nn.Sequential(*made, nn.Linear(36, 8), neuron(), *([nn.Linear(8, 5)] if head else []))


def network(backbone, time_steps=5, seed=0):
    """In evaluation mode, with weights that let its neurons fire."""
    torch.manual_seed(seed)
    made = SpikingNetwork(backbone, time_steps)
    with torch.no_grad():
        for m in made.modules():
            if isinstance(m, nn.Conv2d | nn.Linear):
                m.weight.normal_(0, 2 / m.weight[0].numel() ** 0.5)
            elif isinstance(m, nn.BatchNorm2d):
                m.running_mean.normal_(0, 0.3)
                m.running_var.uniform_(0.5, 2)
    return made.eval()


def neurons(decay, threshold, strict):
    """Factories of the neurons that can be written, by what they are."""
    plain = dict(threshold=threshold, strict=strict)
    return {
        "lif": lambda: LIF(decay, **plain),
        "if": lambda: IF(**plain),
        "plif": lambda: PLIF(decay, **plain),
        "learned": lambda: LIF(decay, learn_threshold=True, **plain),
        "scaled": lambda: LIF(decay, scale_input=True, **plain),
    }


def images(time_steps=5, seed=1):
    return torch.randn(time_steps, 4, 2, 6, 6, generator=torch.Generator().manual_seed(seed))
