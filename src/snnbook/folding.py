"""Time folded into the batch, and the one place that knows how much of it there is.

Public tensors are ``[T, B, ...]``.  Inside a network time is folded into the batch, ``[T*B, ...]``, step after
step, so that convolutions, pooling, linear layers and BatchNorm (whose statistics then run over time and batch
jointly) are torch's own.  Only neurons unfold.

How many steps there are, :class:`SpikingNetwork` says at each call, by a :class:`Clock` that its neurons read
while it runs.  Each thread has its own, and nothing is left behind.
"""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator, contextmanager, nullcontext

from torch import Tensor, nn

from snnbook.checks import shown, whole
from snnbook.errors import UserError, one_line
from snnbook.inputs import check_images, misfit
from snnbook.kernels.repeat import repeated
from snnbook.precision import AsNow


def fold(x: Tensor) -> Tensor:
    """``[T, B, ...]`` to ``[T*B, ...]``, a view."""
    return x.flatten(0, 1)


def unfold(x: Tensor, time_steps: int) -> Tensor:
    """``[T*B, ...]`` to ``[T, B, ...]``, a view.

    Raises:
        UserError: the leading axis is no multiple of T, or T no number of steps.
    """
    time_steps = check_time_steps(time_steps)
    rows = _rows(x)
    if rows % time_steps:
        raise UserError(
            f"the leading axis has {rows} entries, not a multiple of T = {time_steps}; "
            "fold [T, B, ...] to [T*B, ...] first"
        )
    return x.unflatten(0, (time_steps, rows // time_steps))


def _rows(x: Tensor) -> int:
    if x.dim() == 0:
        raise UserError("a single number has no time; expected a tensor with a leading axis [T*B, ...]")
    return x.shape[0]


def still(images: Tensor) -> Tensor:
    """What a network without time sees of images: event frames ``[T, B, C, H, W]`` as their mean over T."""
    return images.mean(0) if images.dim() == 5 else images


def check_time_steps(time_steps: int) -> int:
    """``time_steps``, as an ``int``, if it is a whole number of at least 1.

    Raises:
        UserError: it is not.
    """
    return whole(time_steps, "time_steps", 1)


class Clock:
    """What time it is in one call of a network.

    Attributes:
        time_steps: T.
        batch: B, images in this call.
        still: the images stand still, so what comes before the first neuron is computed once, ``[B, ...]``.
        begun: a first neuron has repeated that.
    """

    def __init__(self, time_steps: int, batch: int, still: bool, begun: bool = False):
        self.time_steps, self.batch, self.still, self.begun = time_steps, batch, still, begun

    def unfold(self, x: Tensor) -> Tensor:
        """``[T*B, ...]``, or what stands still, ``[B, ...]``, to ``[T, B, ...]``; a view.

        Behind the first neuron every tensor has T*B rows.  One with B rows may be the mistake of a layer that took
        time steps for images, so it is refused.

        Raises:
            UserError: another leading axis, or time where it has not begun.
        """
        rows, folded = _rows(x), self.time_steps * self.batch
        if self.still and rows == self.batch and (not self.begun or rows == folded):
            self.begun = True
            return repeated(x, self.time_steps)
        if rows != folded:
            branch = "; where branches meet static images, name the layer before they part: encode=name"
            raise UserError(
                f"a tensor has {rows} rows; expected T*B = {self.time_steps}*{self.batch}; layers behind the "
                f"first neuron must keep the leading axis{branch if self.still else ''}"
            )
        if self.still and not self.begun:
            raise UserError(
                f"the first neuron was given {rows} rows for {self.batch} images that stand still; if a layer "
                "before it repeats them, name that layer: SpikingNetwork(..., encode=name)"
            )
        return x.unflatten(0, (self.time_steps, self.batch))

    def unfold_all(self, outputs, still: bool = True):
        """``outputs``, a tensor or lists, tuples, dictionaries of them, each unfolded; some may be ``still``."""
        if isinstance(outputs, Tensor):
            still = still and self.still and _rows(outputs) == self.batch
            return repeated(outputs, self.time_steps) if still else self.unfold(outputs)
        if isinstance(outputs, list | tuple):
            made = getattr(type(outputs), "_make", type(outputs))  # named tuples, too
            return made([self.unfold_all(x, still) for x in outputs])
        if isinstance(outputs, dict):
            return {name: self.unfold_all(x, still) for name, x in outputs.items()}
        raise UserError(f"a network returned {type(outputs).__name__}; expected tensors, in lists or by name")


class _Now(threading.local):
    def __init__(self):  # in each thread anew; the compiler of torch 2.8 would read a class's default for all
        self.clock: Clock | None = None


_NOW = _Now()


def clock() -> Clock | None:
    """The clock of the network that runs, None outside; a layer of your own may ask it for T."""
    return _NOW.clock


@contextmanager
def running(clock: Clock | None) -> Iterator[None]:
    """Neurons called in the body, by this thread, go by ``clock``."""
    before, _NOW.clock = _NOW.clock, clock
    try:
        yield
    finally:
        _NOW.clock = before


class AtThisTime(ContextDecorator):
    """A context in which it is again the time it was when this was made; may be entered more than once."""

    def __init__(self):
        now = clock()
        self.then = None if now is None else (now.time_steps, now.batch, now.still, now.begun)

    def __enter__(self) -> None:
        self.before, _NOW.clock = _NOW.clock, None if self.then is None else Clock(*self.then)

    def __exit__(self, *error) -> None:
        _NOW.clock = self.before


def checkpoint_contexts():
    """``context_fn`` of :func:`torch.utils.checkpoint.checkpoint`, which runs layers again in the backward pass.

    By then the network's call is over; the clock of the first time must be set once more, and its precision.
    Layers whose weights are composed (:mod:`snnbook.factorized`) are not run again this way, since by then their
    weights are composed anew, which torch refuses; ``recipe.memory: recompute`` does it.
    """
    return nullcontext(), AsNow(AtThisTime())


def unfold_current(current: Tensor, time_steps: int | None) -> Tensor:
    """A neuron's input by step, ``[T, B, ...]``: by the clock of the network that runs, else by its own T.

    Raises:
        UserError: neither is there; or see :meth:`Clock.unfold`.
    """
    now = clock()
    if now is not None:
        return now.unfold(current)
    if time_steps is None:
        raise UserError(
            "a neuron whose network says how many steps there are was called outside it; call the network or its "
            "run(function, images); to run layers again, checkpoint() needs context_fn=folding.checkpoint_contexts"
        )
    return unfold(current, time_steps)


def neurons(module: nn.Module) -> dict[str, nn.Module]:
    """The spiking neurons inside ``module``, by name, in order: what has ``dynamics``."""
    return {name: m for name, m in module.named_modules() if hasattr(m, "dynamics")}


def set_time_steps(module: nn.Module, time_steps: int) -> nn.Module:
    """Let every spiking network inside ``module`` run for T steps, and every neuron that is in none.

    Works on trained networks; returns ``module``.

    Raises:
        UserError: no number of steps, nothing that has time, or a part of a network, which says T itself.
    """
    time_steps = check_time_steps(time_steps)
    if not isinstance(module, nn.Module):
        raise UserError(f"module is {shown(module)}; expected a network or a neuron")
    networks = [m for m in module.modules() if isinstance(m, SpikingNetwork)]
    told = {m for network in networks for m in network.modules()}
    own = [m for m in neurons(module).values() if m not in told]
    if not networks and not own:
        raise UserError(
            f"{type(module).__name__} has neither spiking networks nor neurons; nothing has a T here"
        )
    if any(m.time_steps is None for m in own):
        raise UserError(
            f"neurons of this {type(module).__name__} are told T by the SpikingNetwork around them; "
            "set network.time_steps, or wrap the part: SpikingNetwork(part, T)"
        )
    for m in (*networks, *own):
        m.time_steps = time_steps
    return module


class SpikingNetwork(nn.Module):
    """A backbone with spiking activations, seen from outside: images in, logits at each step out.

    A static image ``[B, C, H, W]`` is the same at each step, so what comes before the first neuron is computed
    once and the current it gives is repeated, not copied (direct encoding).  Event frames ``[T, B, C, H, W]`` are
    folded and pass all layers at each step.

    Args:
        backbone: any module with neurons inside; their own ``time_steps`` become None: the network says it.
        time_steps: T; may be set at any time.
        encode: name of the layer before which a static image is repeated, if that is not the first neuron: an
            encoder of your own, or where a branch begins that goes around that neuron.  By default the layer at
            ``backbone.encode``, if there is one.  The last network made of a backbone says it.

    Shape: to ``[T, B, classes]``, the readout ``O(t)``: integrated by the classifier, never fired.

    Raises:
        UserError: no such T or layer; a network inside the network; images or layers of other shapes.
    """

    def __init__(self, backbone: nn.Module, time_steps: int, encode: str | None = None):
        super().__init__()
        if not isinstance(backbone, nn.Module):
            raise UserError(
                f"a network is {type(backbone).__name__}; expected an nn.Module with neurons inside"
            )
        if any(isinstance(m, SpikingNetwork) for m in backbone.modules()):
            raise UserError(
                "a SpikingNetwork was given to a SpikingNetwork; T is said once: give its backbone"
            )
        self.time_steps = check_time_steps(time_steps)  # before torch takes a module for a part
        self.backbone = backbone
        layer = _layer(backbone, encode)
        for neuron in neurons(backbone).values():
            neuron.time_steps = None
        for before in repeating(backbone).values():  # what an earlier network around it asked for
            hooks = before._forward_pre_hooks
            for number in [n for n, hook in hooks.items() if hook is _repeat]:
                del hooks[number]
        if layer is not None and not hasattr(layer, "dynamics"):  # neurons repeat by themselves
            layer.register_forward_pre_hook(_repeat)

    def extra_repr(self) -> str:
        first = "".join(f", encode={name}" for name in repeating(self.backbone))
        return f"T={self.time_steps}{first}"

    @property
    def time_steps(self) -> int:
        return self._time_steps

    @time_steps.setter
    def time_steps(self, value: int) -> None:
        self._time_steps = check_time_steps(value)

    def run(self, function: Callable, images: Tensor):
        """``function`` of the folded images, while the neurons inside go by this network's clock.

        Args:
            function: a part of the network, or what you make of several; takes and returns folded tensors.
            images: ``[B, C, H, W]`` or ``[T, B, C, H, W]``.

        Returns:
            What ``function`` returns (a tensor, or lists, tuples and dictionaries), ``[T, B, ...]`` each.
        """
        check_images(images, self.time_steps)
        frames = images.dim() == 5
        clock = Clock(self.time_steps, images.shape[1 if frames else 0], not frames)
        try:
            with running(clock):
                outputs = function(fold(images) if frames else images)
        except RuntimeError as error:
            if _met_before_time(error, clock):
                raise UserError(
                    f"{one_line(error)}: what stands still, {clock.batch} rows, met what has time, "
                    f"{clock.time_steps * clock.batch} rows; name the layer where the branch begins: "
                    "SpikingNetwork(..., encode=name)"
                ) from error
            if reason := misfit(images, self.backbone):
                raise UserError(reason) from error
            raise
        return clock.unfold_all(outputs)

    def forward(self, images: Tensor) -> Tensor:
        return self.run(self._outputs, images)

    def _outputs(self, images: Tensor):
        """What the backbone puts out; where time has begun, it has to be there."""
        outputs, now = self.backbone(images), clock()
        if now.begun:
            now.unfold_all(outputs, still=False)
        return outputs

    def features(self, images: Tensor) -> list[Tensor]:
        """What the first neuron and each stage put out, ``[T, B, C, H, W]`` each."""
        if not hasattr(self.backbone, "features"):
            raise UserError(f"{type(self.backbone).__name__} has no features(x); expected a Backbone")
        return self.run(self.backbone.features, images)


def _met_before_time(error: RuntimeError, clock: Clock) -> bool:
    """A branch around the first neuron came back: torch names both of the leading axes that do not match."""
    sizes = {str(clock.batch), str(clock.time_steps * clock.batch)}
    return clock.begun and sizes <= set(re.findall(r"\d+", str(error)))


def _layer(backbone: nn.Module, name: str | None) -> nn.Module | None:
    if name is None:
        layer = getattr(backbone, "encode", None)
        return layer if isinstance(layer, nn.Module) else None
    found = dict(backbone.named_modules()).get(name) if isinstance(name, str) and name else None
    if found is None:
        known = ", ".join(child for child, _ in backbone.named_children())
        raise UserError(f"encode is {shown(name)}, which {type(backbone).__name__} has not; it has {known}")
    return found


def repeating(backbone: nn.Module) -> dict[str, nn.Module]:
    """By name, the layer that is no neuron and before which still images are repeated, if there is one."""
    return {n: m for n, m in backbone.named_modules() if _repeat in m._forward_pre_hooks.values()}


def _repeat(layer: nn.Module, inputs: tuple) -> tuple | None:
    """Before a layer that is no neuron: static images, once for each step."""
    now = clock()
    if now is None or not now.still:
        return None
    if not inputs or not isinstance(inputs[0], Tensor):
        raise UserError(
            f"the layer {type(layer).__name__} before which images are repeated was not given a tensor first; "
            "name another one: SpikingNetwork(..., encode=name)"
        )
    if _rows(inputs[0]) != now.batch:  # len() would make a number of an exporter's symbol
        return None
    now.begun = True
    steps = repeated(inputs[0], now.time_steps).contiguous()  # a layer may write into its input
    return fold(steps), *inputs[1:]
