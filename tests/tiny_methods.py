"""Methods small enough to test the engine with."""

from dataclasses import dataclass

from torch import nn

from snnbook.trainers.loop.weights import load_weights


@dataclass(frozen=True)
class TinyConfig:
    strength: float = 1.0


class Tiny(nn.Module):
    """A method small enough to test the engine with: one linear layer."""

    Config = TinyConfig

    def __init__(self, config, network, num_classes, in_channels):
        super().__init__()
        self.network = nn.Sequential(nn.ReLU(), nn.Linear(64 * in_channels, num_classes))
        self.strength = config.strength

    def forward(self, images, labels):
        return {"ce": self.strength * nn.functional.cross_entropy(self.predict(images)["ann"], labels)}

    def predict(self, images):
        return {"ann": self.network(images.flatten(1))}

    def backbones(self):
        return {"ann": self.network}


class Pupil(Tiny):
    """Starts from the weights of another run."""

    needs = ("teacher",)

    def __init__(self, config, network, num_classes, in_channels, teacher):
        super().__init__(config, network, num_classes, in_channels)
        load_weights(self, teacher)
