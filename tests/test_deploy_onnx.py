"""ONNX: onnxruntime fires as torch does, at every step, from frames and from still images."""

import pytest
import torch
from torch import nn

from export_cases import Branches, images, layers, network
from snnbook import LIF, PLIF, NetworkConfig, SpikingNetwork, UserError, build_snn
from snnbook.deploy import round_weights, to_onnx
from snnbook.factorized import SharedFactors

onnx = pytest.importorskip("onnx", reason="needs the extra deploy")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra deploy")
pytest.importorskip("onnxscript", reason="needs the extra deploy")


def run(path, x):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {"images": x.numpy()})
    return torch.from_numpy(output)


def test_a_model_remembers_from_step_to_step(tmp_path):
    """A current below the threshold fires only because potentials add up."""
    made = network(nn.Sequential(nn.Conv2d(2, 1, 1), LIF(0.9, 1.0)), 6)
    with torch.no_grad():
        made.backbone[0].weight.fill_(0.3)
        made.backbone[0].bias.zero_()
    out = to_onnx(made, torch.ones(1, 2, 2, 2))
    fired = run(out.save(tmp_path / "net.onnx"), torch.ones(3, 2, 2, 2))
    assert fired[:, 2, 0, 0, 0].tolist() == [0, 1, 0, 1, 0, 1] and out.differing == 0


@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.parametrize("still", [True, False])
def test_spikes_equal_and_any_batch(int8, still, tmp_path):
    made = network(Branches(lambda: PLIF(0.637, threshold=0.913)), 3)  # far from ties
    x = images(3)[0] if still else images(3)
    out = to_onnx(made, x, int8)
    assert out.differing == 0 and out.spikes > 0 and out.outputs < 1e-4 and out.by.startswith("onnxruntime")
    assert [o.name for o in out.model.graph.output] == ["logits"]
    more = torch.cat([x, x, x], x.dim() - 4)
    expected = (round_weights(made) if int8 else made)(more)
    torch.testing.assert_close(run(out.save(tmp_path / "net.onnx"), more), expected, rtol=1e-4, atol=1e-4)


class Around(nn.Module):
    """A branch that goes around the first neuron, so that images are repeated before a layer that is none."""

    def __init__(self, rows=lambda x: x.shape[0]):
        super().__init__()
        self.stem, self.lif, self.head, self.rows = (
            nn.Conv2d(2, 4, 3, padding=1),
            LIF(),
            nn.Linear(144, 5),
            rows,
        )

    def forward(self, x):
        x = self.stem(x)
        return self.head((self.lif(x) + x).view(self.rows(x), -1))


@pytest.mark.parametrize("tried", [1, 2, 3])
def test_any_batch_where_images_are_repeated_before_a_layer(tried, tmp_path):
    made = SpikingNetwork(Around(), 4, encode="stem").eval()
    path = to_onnx(made, torch.rand(tried, 2, 6, 6)).save(tmp_path / "net.onnx")
    for batch in (1, 2, 4, 5):
        x = torch.rand(batch, 2, 6, 6)
        torch.testing.assert_close(run(path, x), made(x), rtol=1e-4, atol=1e-4)


def test_a_network_for_one_batch_alone_is_told_in_one_line():
    made = SpikingNetwork(Around(len), 4, encode="stem").eval()
    with pytest.raises(UserError, match=r"for one size of batch alone[^\n]*$"):
        to_onnx(made, torch.rand(3, 2, 6, 6))


def test_bytes_take_a_quarter():
    made = network(nn.Sequential(nn.Conv2d(2, 64, 3), LIF(), nn.Flatten(), nn.Linear(1024, 64)), 2)
    whole, model = (to_onnx(made, (2, 6, 6), int8).model for int8 in (False, True))
    assert model.ByteSize() < 0.35 * whole.ByteSize()
    onnx.checker.check_model(model)
    kinds = {x.name: x.data_type for x in model.graph.initializer}
    assert kinds["backbone.3.weight.int8"] == onnx.TensorProto.INT8


def upwards(groups):
    wider = nn.ConvTranspose2d(4, 6, 2, stride=2, groups=groups)
    return network(nn.Sequential(nn.Conv2d(2, 4, 3), LIF(0.637, 0.913), wider, LIF(0.637, 0.913)), 2)


def test_bytes_of_a_transposed_convolution(tmp_path):
    made, x = upwards(1), images(2)
    out = to_onnx(made, x, int8=True)
    assert out.differing == 0 and out.spikes > 0
    kinds = {i.name: i.data_type for i in out.model.graph.initializer}
    assert kinds["backbone.2.weight.int8"] == onnx.TensorProto.INT8
    torch.testing.assert_close(run(out.save(tmp_path / "net.onnx"), x), round_weights(made)(x))
    with pytest.raises(UserError, match=r"^backbone\.2\.weight[^\n]*without int8$"):
        to_onnx(upwards(2), x, int8=True)


def test_a_network_of_the_book_with_batchnorm_of_each_step():
    made = build_snn(NetworkConfig("convnet", width=4, time_steps=2, options={"batchnorm": "step"}), 10, 1)
    for _ in range(3):
        made(2 * torch.randn(8, 1, 8, 8))
    out = to_onnx(made, 2 * torch.randn(4, 1, 8, 8))
    assert out.differing == 0 and out.spikes > 0
    assert made.training


@pytest.mark.parametrize("arguments", [((2, 6),), ((2, 6, 6), "int8"), (None,)])
def test_bad_arguments(arguments):
    with pytest.raises(UserError):
        to_onnx(network(layers(LIF)), *arguments)


def test_what_torch_cannot_export_is_told_in_one_line():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.lif = nn.Conv2d(2, 2, 1), LIF()

        def forward(self, x):
            return self.lif(self.conv(x) if x.mean() > 0 else x)

    with pytest.raises(UserError, match=r"torch\.onnx cannot export") as error:
        to_onnx(network(Odd()), images())
    assert "\n" not in str(error.value)


def test_bytes_of_weights_that_are_composed_of_factors():
    twin, made = network(layers(LIF)), network(layers(LIF))
    SharedFactors(twin.backbone, made.backbone, linear=True)
    out = to_onnx(made, images(), int8=True)
    assert out.differing == 0 and out.spikes > 0
    stored = [x.name for x in out.model.graph.initializer if x.data_type == onnx.TensorProto.INT8]
    assert len(stored) == 3
