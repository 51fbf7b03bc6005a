"""Each public name in use, as a type checker sees it.  `make typecheck` reads it; nothing runs it."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import snnbook
from snnbook import (
    IF,
    LIF,
    PLIF,
    SASTC,
    TET,
    ATan,
    DataConfig,
    Dataset,
    Direct,
    DirectConfig,
    Distillation,
    DistillationConfig,
    DSpike,
    FeatureDistillation,
    FeatureDistillationConfig,
    History,
    JointASNN,
    JointConfig,
    NetworkConfig,
    Recipe,
    Rectangle,
    RelativeTriangle,
    SASTCConfig,
    Sigmoid,
    SpikingNetwork,
    Surrogate,
    Switch,
    SwitchConfig,
    TETConfig,
    Triangle,
    UserError,
    build_ann,
    build_backbone,
    build_snn,
    calibration,
    check,
    evaluate,
    every_moment,
    fit,
    fold_batchnorm,
    from_nir,
    kl_divergence,
    kld_loss,
    load,
    load_pretrained,
    load_weights,
    mse_regularizer,
    norm_loss,
    preset,
    save_weights,
    sdt,
    set_time_steps,
    spike,
    tet,
    to_nir,
    to_onnx,
    weights_digest,
)


class Tent(Surrogate):
    def derivative(self, x: Tensor) -> Tensor:
        return (1 - x.abs()).clamp(min=0)


surrogates: list[Surrogate] = [
    ATan(alpha=2.0),
    DSpike(b=3.0),
    Rectangle(width=1.0),
    RelativeTriangle(gamma=1.0, threshold=0.5),
    Sigmoid(k=10.0),
    Triangle(gamma=1.0),
    Tent(),
]
spikes: Tensor = spike(torch.rand(3), surrogates[0], strict=False)
neurons: list[LIF] = [LIF(decay=0.5, surrogate=Tent()), IF(threshold=1.0), PLIF(decay=0.3), preset("tet")]

module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), *neurons[:1], nn.Flatten(), nn.Linear(144, 3))
network: SpikingNetwork = SpikingNetwork(module, time_steps=4)
longer: nn.Module = set_time_steps(network, 8)
settings = NetworkConfig("resnet18", width=8, time_steps=2)
snn: SpikingNetwork = build_snn(settings, 10, in_channels=1)
ann: nn.Module = build_ann(settings, 10, in_channels=1)
backbone: nn.Module = build_backbone("vgg11", 10, activation=nn.ReLU, width=8)
folded: nn.Module = fold_batchnorm(snn)
graph = to_nir(snn, torch.rand(4, 3, 8, 8), "snntorch")
written: Path = to_onnx(snn, (3, 8, 8), int8=True).save("network.onnx")
unlike: int = graph.differing
back: SpikingNetwork = from_nir(graph.save("network.nir"), time_steps=4).network

outputs, labels = torch.rand(2, 5, 3), torch.zeros(5, dtype=torch.int64)
losses: list[Tensor] = [
    sdt(outputs, labels),
    tet(outputs, labels, lam=0.05, phi=1.0),
    every_moment(outputs, labels),
    mse_regularizer(outputs),
    kl_divergence(outputs[0], outputs[1], temperature=4.0),
    kld_loss([outputs[0]], [outputs[1]]),
    norm_loss([outputs[0]], [outputs[1]], detach=False),
    calibration(torch.rand(1, 2, 5), torch.rand(1, 2, 5)),
]

teacher = Path("teacher.safetensors")
methods: list[nn.Module] = [
    Direct(DirectConfig("snn"), network),
    Direct(DirectConfig(train="ann"), settings, 10, in_channels=1),
    TET(TETConfig(lam=0.05), network),
    Switch(SwitchConfig(at=3), settings, 10),
    Distillation(DistillationConfig(), settings, 10, 3, teacher),
    FeatureDistillation(FeatureDistillationConfig(), settings, 10, 3, teacher),
    SASTC(SASTCConfig(), settings, 10, 3, teacher),
    JointASNN(JointConfig(), settings, 10),
]

answered: bool = bool(check("5.2", outputs)) and check("1.1").right
images = torch.rand(20, 1, 8, 8)
digits = load(DataConfig("digits", size=8))
own: Dataset = Dataset.from_tensors(images, labels, images.numpy(), np.zeros(20, int), classes=["a", "b"])
described: dict[str, object] = own.to("cpu").describe()
recipe = Recipe(epochs=3, batch_size=10, augment=("flip",))
pair = TensorDataset(images, labels)
history: History = fit(methods[0], own, recipe, seed=0, device="cpu", checkpoint=Path("run.pt"))
fit(methods[0], digits, recipe, seed=0, checkpoint="run.pt", progress=False)
fit(methods[0], (pair, pair), recipe, seed=0)
fit(methods[0], (DataLoader(pair, batch_size=10), DataLoader(pair)), recipe, seed=0)
losses_of_epochs: dict[str, list[float]] = history.losses
accuracy: float = evaluate(methods[0], own)["snn"]
evaluate(methods[0], digits, recipe)

digest: str = save_weights(network, "own.safetensors")
same: bool = digest == load_weights(network, Path("own.safetensors")) == weights_digest("own.safetensors")
kept: list[nn.Module] = [
    load_pretrained("desk/one-protocol/joint"),
    load_pretrained("desk/one-protocol/joint", "ann"),
]
version: str = snnbook.__version__
try:
    Recipe(epochs=0)
except UserError as error:
    print(error)

Recipe(epochs="3")  # type: ignore[arg-type]
fit(methods[0], own, recipe)  # type: ignore[call-arg]
_ = snnbook.nothing  # type: ignore[attr-defined]
