"""Weight factorization (Guo et al. 2023, Sec. 4.3): two networks share singular vectors, not singular values.

Every convolution's kernel is, at each kernel position, a matrix ``[out, in]``; its singular value decomposition
gives ``W = U diag(sigma) V^T`` (Eqs. 11-12).  U and V are then trained by both networks, a spectrum sigma by
each alone (Eq. 13).  :class:`SharedFactors` owns these parameters and removes the originals; once a step its
``compose()`` gives both networks their weights.
"""

import torch
from torch import Tensor, nn

from snnbook.errors import UserError


class Factors(nn.Module):
    """U, V and two spectra of one layer of an ANN and the same layer of an SNN.

    Args:
        weight: the initial weight of both, ``[out, in, k, k]`` or ``[out, in]``.
        full: square U and V, as the paper's memory count says; otherwise thin ones, with r = min(out, in)
            columns, which compose the same weights from fewer numbers.

    Parameters: ``u [k*k, out, r]``, ``v [k*k, r, in]``, ``spectrum_ann`` and ``spectrum_snn`` ``[k*k, r]``,
    where r is the number of singular values; a full factorization keeps the unused columns of U or V too.
    """

    def __init__(self, weight: Tensor, full: bool = False):
        super().__init__()
        self.shape = weight.shape
        matrices = _to_matrices(weight.detach())  # [k*k, out, in]
        u, s, v = torch.linalg.svd(matrices, full_matrices=full)
        # Cloned, since axes of length 1 may have strides that pass for contiguous and slow down DDP.
        self.u, self.v = (nn.Parameter(x.clone(memory_format=torch.contiguous_format)) for x in (u, v))
        self.spectrum_ann, self.spectrum_snn = nn.Parameter(s.clone()), nn.Parameter(s.clone())

    def compose(self) -> tuple[Tensor, Tensor]:
        """The ANN's and the SNN's weight, from one batched product: spectra scale the columns of U."""
        r = self.spectrum_ann.shape[-1]
        u, v = self.u[..., :r], self.v[:, :r]
        scaled = torch.cat((u * self.spectrum_ann.unsqueeze(1), u * self.spectrum_snn.unsqueeze(1)), dim=1)
        ann, snn = torch.bmm(scaled, v).chunk(2, dim=1)
        return _from_matrices(ann, self.shape), _from_matrices(snn, self.shape)


def _to_matrices(weight: Tensor) -> Tensor:
    """``[out, in, k, k]`` to ``[k*k, out, in]``: permuted, since a reshape would mix kernel positions."""
    if weight.dim() == 2:
        return weight.unsqueeze(0)
    return weight.permute(2, 3, 0, 1).flatten(0, 1)


def _from_matrices(matrices: Tensor, shape: torch.Size) -> Tensor:
    if len(shape) == 2:
        return matrices.squeeze(0)
    kernel = shape[2:]
    return matrices.unflatten(0, tuple(kernel)).permute(2, 3, 0, 1)


class SharedFactors(nn.Module):
    """The factorized layers of a pair of networks of one architecture.

    Removes the ``weight`` parameters of every pair of layers it ties and keeps :class:`Factors` in their place,
    so that a state dict holds no dead weights.  Call :meth:`compose` before each pair of forward passes.

    Args:
        ann, snn: two networks with the same layers; the ANN's weights are the initial ones of both.
        full: see :class:`Factors`.
        stem: factorize the first convolution too.
        linear: factorize linear layers too (the public code does not).

    Raises:
        UserError: the two networks have different layers.
    """

    def __init__(self, ann: nn.Module, snn: nn.Module, full=False, stem=True, linear=False):
        super().__init__()
        kinds = (nn.Conv2d, nn.Linear) if linear else (nn.Conv2d,)
        self._pairs = _paired_layers(ann, snn, kinds)
        if not stem:
            first = next(name for name, (a, _) in self._pairs.items() if isinstance(a, nn.Conv2d))
            layer, twin = self._pairs.pop(first)
            twin.weight = layer.weight  # an ordinary convolution that both networks share
        self.layers = nn.ModuleDict()
        for name, (a, s) in self._pairs.items():
            self.layers[name.replace(".", "/")] = Factors(a.weight, full)
            del a.weight, s.weight
        self.register_load_state_dict_post_hook(_compose_again)
        self.train()

    def train(self, mode: bool = True) -> "SharedFactors":
        """As usual; and since weights stand still while evaluating, ``eval()`` composes them once."""
        super().train(mode)
        with torch.no_grad():
            self.compose()
        return self

    def compose(self) -> None:
        """Give every tied layer its weight, as a tensor whose gradient reaches the factors."""
        for factors, (a, s) in zip(self.layers.values(), self._pairs.values(), strict=True):
            a.weight, s.weight = factors.compose()

    def release(self) -> None:
        """Turn the composed weights into ordinary parameters: two independent networks, for inference."""
        self.train(self.training)
        for pair in self._pairs.values():
            for layer in pair:
                weight = layer.__dict__.pop("weight")
                layer.weight = nn.Parameter(weight.detach().clone())


def _compose_again(module: SharedFactors, _) -> None:
    module.train(module.training)


def _paired_layers(ann: nn.Module, snn: nn.Module, kinds: tuple) -> dict[str, tuple[nn.Module, nn.Module]]:
    twins = dict(snn.named_modules())
    pairs = {
        name: (layer, twins.get(name)) for name, layer in ann.named_modules() if isinstance(layer, kinds)
    }
    for name, (layer, twin) in pairs.items():
        if twin is None or type(twin) is not type(layer) or twin.weight.shape != layer.weight.shape:
            raise UserError(
                f"layer {name} differs between the two networks; build both from one configuration"
            )
    return pairs
