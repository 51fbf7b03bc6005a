"""Networks without a picture: for spike trains of many channels, such as those of Spiking Heidelberg Digits."""

from torch import Tensor, nn

from snnbook.backbones.backbone import Backbone, conv_bn


class Recurrent(nn.Module):
    """Neurons that also hear, a step later, what all neurons of their layer fired.

    The current is ``c[t] + R s[t-1]`` with weights R and the layer's spikes s (Cramer et al. 2022).  An
    activation without time, such as ReLU, has no step before, and there are no weights R.

    Args:
        channels: of the layer.
        activation: factory of activation modules.

    Shape: ``[N, channels, H, W]`` to the same.
    """

    def __init__(self, channels: int, activation=nn.ReLU):
        super().__init__()
        self.neurons = activation()
        spiking = hasattr(self.neurons, "dynamics")
        self.recurrence = nn.Conv2d(channels, channels, 1, bias=False) if spiking else None

    def forward(self, x: Tensor) -> Tensor:
        return self.neurons(x) if self.recurrence is None else self.neurons(x, self.recurrence)


class Dense(Backbone):
    """Layers in which each neuron hears all channels, each with BatchNorm and an activation, and a linear readout.

    A vector is an image of one pixel, ``[N, C, 1, 1]``, and a dense layer a convolution of 1x1; larger images are
    averaged at the end.

    Args:
        num_classes: outputs of the classifier.
        in_channels: channels of the input, 700 or fewer of SHD.
        activation: factory of activation modules.
        width: neurons of each hidden layer.
        depth: hidden layers.
        recurrent: of the layers behind the first, see :class:`Recurrent`.

    Shape: ``[N, in_channels, H, W]`` to ``[N, num_classes]``.
    """

    def __init__(self, num_classes, in_channels=700, activation=nn.ReLU, width=128, depth=2, recurrent=False):
        options = dict(in_channels=in_channels, width=width, depth=depth, recurrent=recurrent)
        super().__init__(num_classes=num_classes, **options)
        self.channels, self.reductions = (width,) * (depth - 1), (1,) * (depth - 1)
        self.stem = conv_bn(in_channels, width, 1)
        self.encode = activation()
        self.stages = nn.ModuleList(
            nn.Sequential(
                *conv_bn(width, width, 1), Recurrent(width, activation) if recurrent else activation()
            )
            for _ in self.channels
        )
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(width, num_classes)
