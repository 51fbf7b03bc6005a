"""BatchNorm merged into the layer before it, by the flow of data."""

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from snnbook.errors import UserError
from snnbook.folding import SpikingNetwork


def fold_batchnorm(network: nn.Module) -> nn.Module:
    """A copy of ``network`` for inference whose BatchNorms are merged into the convolutions before them.

    ``W' = W gamma / sigma`` and ``b' = beta + (b - mu) gamma / sigma`` (Deng et al. 2022, Eq. 6) with the running
    statistics; the merged BatchNorms become identities, so names stay.  Outputs equal the network's in evaluation,
    up to rounding.

    Args:
        network: a backbone or a :class:`SpikingNetwork`; it is left as it is.

    Raises:
        UserError: a BatchNorm reads something other than one convolution, as in networks that normalize before
            they convolve.
    """
    folded = copy.deepcopy(network).eval()
    root = folded.backbone if isinstance(folded, SpikingNetwork) else folded
    for norm, conv in _convolution_before_each_batchnorm(root).items():
        root.set_submodule(conv, fuse_conv_bn_eval(root.get_submodule(conv), root.get_submodule(norm)))
        root.set_submodule(norm, nn.Identity())
    return folded


def _convolution_before_each_batchnorm(root: nn.Module) -> dict[str, str]:
    """Names of BatchNorms and of the convolutions they read, by the flow of data."""
    layers, pairs = dataflow(root), {}
    for node, layer in layers.items():
        if not isinstance(layer, nn.BatchNorm2d):
            continue
        source = node.args[0]
        if not isinstance(layers.get(source), nn.Conv2d):
            what = type(layers[source]).__name__ if source in layers else str(source.op)
            raise UserError(
                f"BatchNorm {node.target} reads {what}, not a convolution, so there is nothing to fold it into; "
                "fold networks that normalize behind each convolution, or keep this one as it is"
            )
        if len(source.users) > 1:
            raise UserError(
                f"convolution {source.target} is read by others, too, than BatchNorm {node.target}; "
                "expected by it alone; keep this network as it is"
            )
        pairs[node.target] = source.target
    return pairs


def dataflow(root: nn.Module) -> dict:
    """The layers of a network by the node of its ``torch.fx`` graph: a node's ``args`` are those it reads."""
    from torch import fx  # takes a while to import, and training does not need it

    class Tracer(fx.Tracer):
        def is_leaf_module(self, module, name):
            ours = hasattr(module, "dynamics") or isinstance(module, nn.Conv2d)
            return ours or super().is_leaf_module(module, name)

    graph = Tracer().trace(root)
    return {node: root.get_submodule(node.target) for node in graph.nodes if node.op == "call_module"}
