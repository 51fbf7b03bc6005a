"""A network as a model of ONNX: all time steps inside, so that it remembers.

A neuron that keeps its state between calls exports without a memory: each call of the model is a first step.  Here
the recurrence over T is part of what is exported, from a potential of zero.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from snnbook import files
from snnbook.checks import check_flag
from snnbook.deploy.batchnorm import fold_batchnorm
from snnbook.deploy.export import Export, held_against
from snnbook.deploy.extra import package, quiet
from snnbook.deploy.rounding import output_axis, rounded
from snnbook.deploy.wiring import checked_network, sample_of, spikes_of
from snnbook.errors import UserError, one_line
from snnbook.folding import SpikingNetwork


@dataclass(frozen=True)
class OnnxExport(Export):
    """A model of ONNX, and how well it does.

    Attributes:
        model: the ``onnx.ModelProto``; from ``images`` to ``logits`` ``[T, B, ...]``, for any B.
    """

    model: Any = field(repr=False)

    def save(self, path: str | Path) -> Path:
        """Write the model to ``path``; returns the path."""
        path = files.place(path, "ONNX models")
        files.write_bytes(path, self.model.SerializeToString())
        return path


def to_onnx(network: SpikingNetwork, sample: Tensor | tuple[int, ...], int8: bool = False) -> OnnxExport:
    """``network`` as a model of ONNX, tried at once in onnxruntime: all spikes are compared.

    BatchNorm is folded first.  T is the network's, unrolled; the batch may have any size.

    Args:
        network: in float32, on the CPU; it is left as it is.
        sample: images as the model will be given them, static ``[B, C, H, W]`` or frames ``[T, B, C, H, W]``; or
            the shape ``(C, H, W)`` of one, for random frames.
        int8: store weights in 8 bits, see :func:`snnbook.deploy.round_weights`; the model is then held against the
            network with its weights rounded, which it has to equal.

    Raises:
        UserError: no such network or sample; what torch.onnx cannot export; onnx, onnxscript or onnxruntime is not
            installed.
    """
    check_flag("int8", int8)
    images = sample_of(sample, checked_network(network))
    onnx, runtime = package("onnx", "writes models"), package("onnxruntime", "runs models")
    package("onnxscript", "translates torch's operations")
    network, scales = rounded(network, 8) if int8 else (fold_batchnorm(network), {})
    model = _exported(network, images)
    if int8:
        _store_bytes(onnx, model, network, scales)
    output, seen = spikes_of(network, images)
    found, *theirs = _run(runtime, model, images)
    spikes = [call for calls in seen.values() for call in calls]
    numbers = held_against(output, spikes, found, theirs)
    del model.graph.output[1:]
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        part.ClearField("metadata_props")  # where in torch each came from, more than the weights
    numbers["outputs"] = float((output - _run(runtime, model, images)[0]).abs().max())
    return OnnxExport(**numbers, by=f"onnxruntime {runtime.__version__}", model=model)


class _Told(nn.Module):
    """A network that puts out its neurons' spikes, too."""

    def __init__(self, network: SpikingNetwork):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        output, seen = spikes_of(self.network, images)
        return output, *(call for calls in seen.values() for call in calls)


def _exported(network: SpikingNetwork, images: Tensor):
    count = sum(len(calls) for calls in spikes_of(network, images)[1].values())
    axis = images.dim() - 4
    if images.shape[axis] == 1:  # which torch.export takes for a number that is always 1
        images = torch.cat([images, images], axis)
    names = ["logits", *(f"spikes_{i}" for i in range(count))]
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                _Told(network).eval(),
                (images,),
                input_names=["images"],
                output_names=names,
                dynamic_shapes=({axis: torch.export.Dim("batch", min=1)},),
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # whatever torch makes of a network
        raise UserError(f"torch.onnx cannot export this network: {one_line(error)[:250]}") from error
    model = program.model_proto
    if not model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param:
        raise UserError(
            "torch.onnx made a model of this network for one size of batch alone, since a layer takes the "
            "batch for a number, as by len(x) or x.view(4, -1); write x.shape[0]"
        )
    return model


def _run(runtime, model, images: Tensor) -> list[Tensor]:
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [torch.from_numpy(x) for x in session.run(None, {"images": images.numpy()})]


def _store_bytes(onnx, model, network: SpikingNetwork, scales: dict[str, Tensor]) -> None:
    """Weights become bytes and a node that multiplies them by their scales again, to the same float32."""
    graph = model.graph
    for name, scale in scales.items():
        layer = network.get_submodule(name.removesuffix(".weight"))
        axis = output_axis(layer)
        if axis and layer.groups > 1:
            raise UserError(
                f"{name} is a {type(layer).__name__}'s in groups, whose scales have no axis in ONNX; "
                "export without int8"
            )
        stored = next((x for x in graph.initializer if x.name == f"network.{name}"), None)
        if stored is None:
            raise UserError(f"torch.onnx stored no {name} as it is; export without int8")
        weight = onnx.numpy_helper.to_array(stored)
        factors = scale.numpy()
        others = [i for i in range(weight.ndim) if i != axis]
        whole = np.rint(weight / np.expand_dims(factors, others)).astype(np.int8)
        graph.initializer.remove(stored)
        graph.initializer.append(onnx.numpy_helper.from_array(whole, f"{name}.int8"))
        graph.initializer.append(onnx.numpy_helper.from_array(factors, f"{name}.scale"))
        inputs = [f"{name}.int8", f"{name}.scale"]
        graph.node.insert(0, onnx.helper.make_node("DequantizeLinear", inputs, [stored.name], axis=axis))
