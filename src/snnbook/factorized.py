"""Weight factorization (Guo et al. 2023, Sec. 4.3): two networks share singular vectors, not singular values.

Every convolution's kernel is, at each kernel position, a matrix ``[out, in]``; its singular value decomposition
gives ``W = U diag(sigma) V^T`` (Eqs. 11-12).  U and V are then trained by both networks, a spectrum sigma by
each alone (Eq. 13).  :class:`SharedFactors` owns these parameters in place of the weights.  A tied layer's
``weight`` is composed of them when it is read, so it is never older than they are.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache

import torch
from torch import Tensor, nn

from snnbook.errors import UserError
from snnbook.precision import full_precision


class _Held(threading.local):
    """Composed weights that layers read for a while; a thread sees its own alone, and a copy begins with none."""

    def __init__(self):  # in each thread anew; the compiler of torch 2.8 would read a class's default for all
        self.weights: tuple[Tensor, Tensor] | None = None

    def __reduce__(self):
        return _Held, ()


class Factors(nn.Module):
    """U, V and two spectra of one layer of an ANN and the same layer of an SNN.

    Args:
        weight: the initial weight of both, ``[out, in, k, k]`` or ``[out, in]``.
        full: square U and V, as the paper's memory count says; otherwise thin ones, with r = min(out, in)
            columns, which compose the same weights from fewer numbers.

    Parameters: ``u [k*k, out, r]``, ``v [k*k, r, in]``, ``spectrum_ann`` and ``spectrum_snn`` ``[k*k, r]``,
    where r is the number of singular values; a full factorization keeps the unused columns of U or V too.

    Raises:
        UserError: a weight of another rank, or of numbers that have no singular value decomposition.
    """

    def __init__(self, weight: Tensor, full: bool = False):
        super().__init__()
        if weight.dim() not in (2, 4) or weight.dtype not in (torch.float32, torch.float64):
            raise UserError(
                f"a weight has shape {list(weight.shape)} and {weight.dtype}; expected [out, in, k, k] or "
                "[out, in] in float32 or float64; factorize first, convert afterwards"
            )
        self.shape = weight.shape
        matrices = _to_matrices(weight.detach())  # [k*k, out, in]
        try:
            u, s, v = torch.linalg.svd(matrices, full_matrices=full)
        except torch.linalg.LinAlgError:
            raise UserError(
                f"a weight of shape {list(weight.shape)} has no singular values; expected finite numbers"
            ) from None
        # Cloned, since axes of length 1 may have strides that pass for contiguous and slow down DDP.
        self.u, self.v = (nn.Parameter(x.clone(memory_format=torch.contiguous_format)) for x in (u, v))
        self.spectrum_ann, self.spectrum_snn = nn.Parameter(s.clone()), nn.Parameter(s.clone())
        self.held = _Held()

    def __getstate__(self) -> dict:
        return {**self.__dict__, "held": _Held()}  # a copy made in the middle of a pass composes its own

    def compose(self) -> tuple[Tensor, Tensor]:
        """The ANN's and the SNN's weight, from one batched product: spectra scale the columns of U."""
        r = self.spectrum_ann.shape[-1]
        u, v = self.u[..., :r], self.v[:, :r]
        scaled = torch.cat((u * self.spectrum_ann.unsqueeze(1), u * self.spectrum_snn.unsqueeze(1)), dim=1)
        ann, snn = torch.bmm(scaled, v).chunk(2, dim=1)
        return _from_matrices(ann, self.shape), _from_matrices(snn, self.shape)

    def weights(self) -> tuple[Tensor, Tensor]:
        """What the two layers read: the weights that are held, or else composed anew."""
        if (held := self.held.weights) is not None:
            return held
        with full_precision(self.u.device):
            return self.compose()


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
    so that a state dict holds no dead weights.  Reading ``layer.weight`` composes it, in full precision; a pass
    through both networks inside :meth:`composed` composes each weight once.  A composed weight is only read:
    to change one, change its factors, or :meth:`release` the networks first.

    A layer in whose place the other network has None stays as it is: recurrent weights, which no ANN has.

    Args:
        ann, snn: two networks with the same layers; the ANN's weights are the initial ones of both.
        full: see :class:`Factors`.
        stem: factorize the first convolution too.
        linear: factorize linear layers too (the public code does not).

    Raises:
        UserError: the two networks have different layers, none at all, or factors already.
    """

    def __init__(self, ann: nn.Module, snn: nn.Module, full=False, stem=True, linear=False):
        super().__init__()
        kinds = (nn.Conv2d, nn.Linear) if linear else (nn.Conv2d,)
        self._pairs = _paired_layers(ann, snn, kinds)
        self._stem = None  # the SNN's, where the two share it as it is
        if not stem:
            first = next((name for name, (a, _) in self._pairs.items() if isinstance(a, nn.Conv2d)), None)
            if first is not None:
                layer, twin = self._pairs.pop(first)
                twin.weight = layer.weight  # an ordinary convolution that both networks share
                object.__setattr__(self, "_stem", twin)  # no submodule: it belongs to its network
        self.layers = nn.ModuleDict()
        for name, pair in self._pairs.items():
            factors = self.layers[name.replace(".", "/")] = Factors(pair[0].weight, full)
            for which, layer in enumerate(pair):
                _tie(layer, factors, which)

    @contextmanager
    def composed(self) -> Iterator[None]:
        """Compose every weight once for all that the body reads; the factors must stand still meanwhile.

        While training, autocast composes in half precision, too; an evaluation sees what :meth:`release` gives.
        """
        factors = self.layers.values()
        device = next(self.parameters()).device if len(self.layers) else torch.device("cpu")
        with nullcontext() if self.training else full_precision(device):
            weights = [(f, f.compose()) for f in factors]
        with _holding(weights):
            yield

    def release(self) -> None:
        """Turn the composed weights, and a stem that is shared, into ordinary parameters, and leave no factors.

        What else the two networks share, such as the biases of the public code's classifiers, stays shared.
        """
        for pair in self._pairs.values():
            for layer in pair:
                layer.weight = nn.Parameter(layer.weight.detach().clone())
        if self._stem is not None:
            self._stem.weight = nn.Parameter(self._stem.weight.detach().clone())
        self._pairs, self._stem, self.layers = {}, None, nn.ModuleDict()


def keep_composed(module: nn.Module) -> AbstractContextManager[None]:
    """A context in which the tied layers of ``module`` read what they would now: for computing something again."""
    tied = [m.factors for m in module.modules() if isinstance(m, _Tied)]
    return _holding([(factors, factors.held.weights) for factors in tied])


@contextmanager
def _holding(weights: Iterable[tuple[Factors, tuple[Tensor, Tensor] | None]]) -> Iterator[None]:
    before = [(factors, factors.held.weights) for factors, _ in weights]
    try:
        for factors, composed in weights:
            factors.held.weights = composed
        yield
    finally:
        for factors, composed in before:
            factors.held.weights = composed


class _Tied(nn.Module):
    """A layer whose weight is composed.  Its factors are no part of it, since it shares them with its twin."""

    kind: type[nn.Module]
    source: tuple[Factors, int]

    @property
    def factors(self) -> Factors:
        return self.source[0]

    @property
    def weight(self) -> Tensor:
        factors, which = self.source
        return factors.weights()[which]

    def register_parameter(self, name: str, param: nn.Parameter | None) -> None:
        if name == "weight":  # a weight of its own makes it an ordinary layer again
            del self.source
            self.__class__ = self.kind
        nn.Module.register_parameter(self, name, param)
        if name == "weight":  # in its usual place, before the bias
            self._parameters.update({key: self._parameters.pop(key) for key in [*self._parameters][:-1]})

    def _apply(self, fn, recurse=True):
        self.factors._apply(fn)
        return super()._apply(fn, recurse)

    def __reduce_ex__(self, protocol):
        if type(self) is _tied_class(self.kind):  # a class made here, which pickle would not find by name
            return _new_tied, (self.kind,), self.__dict__
        return super().__reduce_ex__(protocol)


def without_factors(module: nn.Module) -> dict[str, nn.Module]:
    """The layers of ``module``, by name, whose weights are composed of factors that are not in it."""
    inside, layers = set(module.modules()), module.named_modules()
    return {name: m for name, m in layers if isinstance(m, _Tied) and m.factors not in inside}


def check_has_its_factors(module: nn.Module) -> None:
    """Raise a UserError if ``module`` is a part of a pair, without the factors that compose its weights.

    It computes as ever, but what it learns and what is saved of it are its own parameters alone.
    """
    if outside := without_factors(module):
        raise UserError(
            f"the weight of layer {next(iter(outside))!r} is composed of factors that are no part of this "
            f"{type(module).__name__}; take the whole method, or release() it first: method.factors.release()"
        )


def own_kind(layer: nn.Module) -> type[nn.Module]:
    """The class of ``layer``, or if its weight is composed, the class that it has with a weight of its own."""
    return layer.kind if isinstance(layer, _Tied) else type(layer)


@lru_cache
def _tied_class(kind: type[nn.Module]) -> type[nn.Module]:
    return type(f"Tied{kind.__name__}", (_Tied, kind), {"kind": kind})


def _new_tied(kind: type[nn.Module]) -> nn.Module:
    cls = _tied_class(kind)
    return cls.__new__(cls)


def _tie(layer: nn.Module, factors: Factors, which: int) -> None:
    del layer.weight
    layer.__class__ = _tied_class(type(layer))
    layer.source = factors, which


def _paired_layers(ann: nn.Module, snn: nn.Module, kinds: tuple) -> dict[str, tuple[nn.Module, nn.Module]]:
    ours, twins = (
        {name: layer for name, layer in net.named_modules() if isinstance(layer, kinds)} for net in (ann, snn)
    )
    if not ours or any(isinstance(layer, _Tied) for layer in (*ours.values(), *twins.values())):
        state = "have no layers to factorize" if not ours else "are factorized already"
        raise UserError(f"the two networks {state}; expected fresh ones with convolutions")
    for name in ours | twins:
        layer, twin = ours.get(name), twins.get(name)
        alone = layer is None or twin is None
        if alone and _left_out(snn if twin is None else ann, name):
            continue
        if alone or type(twin) is not type(layer) or twin.weight.shape != layer.weight.shape:
            raise UserError(
                f"layer {name} differs between the two networks; build both from one configuration"
            )
    return {name: (layer, twins[name]) for name, layer in ours.items() if name in twins}


def _left_out(network: nn.Module, name: str) -> bool:
    """Whether ``network`` has None where another has the layer ``name``."""
    above, _, own = name.rpartition(".")
    modules = dict(network.named_modules())
    return above in modules and getattr(modules[above], own, modules) is None
