"""What all backbones have in common."""

from torch import Tensor, nn


class Backbone(nn.Module):
    """A network in named parts, run one after another.

    A subclass sets ``stem`` (first convolution and BatchNorm), ``encode`` (the activation after it), ``stages``
    (a module list), ``channels`` (what each stage puts out), ``reductions`` (how many times larger its map is
    than the last one's), ``pool`` (to ``[N, features]``) and ``head`` (the classifier).
    """

    def features(self, x: Tensor) -> list[Tensor]:
        """Outputs of the first activation and of each stage, ``[N, C, H, W]`` each."""
        features = [self.encode(self.stem(x))]
        for stage in self.stages:
            features.append(stage(features[-1]))
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Images ``[N, C, H, W]`` to logits ``[N, classes]``."""
        return self.head(self.pool(self.features(x)[-1]))


def init_convolutions(module: nn.Module) -> None:
    """Kaiming-normal convolutions (fan out, ReLU gain), as the public code of Joint A-SNN."""
    for m in module.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
