"""What flows through a network: firing rates, synaptic operations, activations, one pass over images."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from snnbook.analysis.synapses import COUNTED, fan_out, padded
from snnbook.checks import whole
from snnbook.errors import UserError
from snnbook.folding import clock
from snnbook.precision import wide

# Positions an average pooling may run over: whole sums, then squares up to a 16x16 map.
WINDOWS = tuple(k * k for k in range(1, 17))
ACTIVATIONS = (
    *(nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus),
    *(nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.Sigmoid, nn.Tanh, nn.Softsign),
)


@dataclass(frozen=True)
class Activity:
    """One layer's synaptic operations (an input entry meets a weight), an image, averaged over images.

    Attributes:
        dense: all of them, zero inputs included.  Taps in the padding read no input and are none.
        effective: those whose input is not zero.
        padded: ``dense`` with the taps in the padding, as many tools count.
        used: share of inputs that are not zero, in [0, 1].
        mean: of the inputs.
        level: the only value besides zero that was seen among the inputs: 1 for spikes, 0 if there was none, None
            if there were several.
        window: 1 if all inputs were whole numbers (sums of spikes, as in SEW-ResNet), n if they were whole
            multiples of 1/n (spikes averaged over n positions), None if they were neither, or stand still.
        spikes: operations if each spike behind an input is added by itself; None without a window.
        still: a static image went through the layer once, before time is unfolded; its operations count once.
    """

    dense: float
    effective: float
    padded: float
    used: float
    mean: float
    level: float | None
    window: int | None = None
    spikes: float | None = None
    still: bool = False

    @property
    def binary(self) -> bool:
        """All inputs seen were 0 or 1, so a multiplication by them is an addition."""
        return self.level in (0.0, 1.0)

    def times(self, factor: float) -> "Activity":
        """The same, repeated."""
        spikes = None if self.spikes is None else factor * self.spikes
        counts = {name: factor * getattr(self, name) for name in ("dense", "effective", "padded")}
        return replace(self, spikes=spikes, **counts)


@dataclass(frozen=True)
class Observation:
    """A whole network, averaged over images.

    Attributes:
        layers: convolutions and linear layers by name, in the order of their first call; one that is called before
            time begins and again behind has two entries, ``NAME, still`` and ``NAME``.
        activations: entries an image that neurons and torch's activation modules put out, at one time step on
            average; those behind the end of a recording are none.
        rates: share of entries that are spikes, by spiking neuron; empty for an ANN.
        spikes: spikes an image, over all time steps; 0 for an ANN.
        time_steps: T; 1 for an ANN.
        uncounted: modules with weights of another kind, whose operations are not in ``layers``.
        neurons: those of ``activations`` that spiking neurons put out; None for all of them.
    """

    layers: dict[str, Activity]
    activations: float
    rates: dict[str, float]
    spikes: float
    time_steps: int
    uncounted: tuple[str, ...] = ()
    neurons: float | None = None

    @property
    def mean_rate(self) -> float:
        """Share of what spiking neurons put out that is spikes, larger layers counting more; 0 for an ANN."""
        entries = self.activations if self.neurons is None else self.neurons
        return self.spikes / (entries * self.time_steps) if entries else 0.0

    def every_step(self) -> "Observation":
        """The same network on a device that passes a still image through the stem at each time step again."""
        again = {
            name: replace(x.times(self.time_steps), still=False) if x.still else x
            for name, x in self.layers.items()
        }
        return replace(self, layers=again)

    def unskipped(self) -> "Observation":
        """The same network on a device that computes with zeros like with any number."""
        full = {
            name: replace(x, effective=x.dense, window=None, spikes=None) for name, x in self.layers.items()
        }
        return replace(self, layers=full)


class _Recordings:
    """Which rows belong to recordings that have not ended.

    Args:
        lengths: ``[B]``, time steps of each, in the order in which batches bring them; None if all go to the end.
    """

    def __init__(self, lengths: Tensor | None):
        self.lengths, self.first, self.clock = lengths, 0, None

    def running(self, x: Tensor, before: int) -> Tensor:
        """Rows of ``x`` that count; they come step after step, image after image.

        Args:
            before: rows that the module has had: a network without a clock calls it once a step, with one batch.
        """
        if self.lengths is None:
            return x
        now = clock()
        if now is not self.clock and self.clock is not None:  # the next call of the network: the next batch
            self.first += self.clock.batch
        self.clock = now
        start, batch = (before, len(self.lengths)) if now is None else (0, now.batch)
        row = torch.arange(start, start + len(x), device=x.device)
        lengths = self.lengths.to(x.device)[self.first : self.first + batch]
        if len(lengths) < batch:
            raise UserError(
                f"lengths has {len(self.lengths)} entries and run() passes more images; expected one for each"
            )
        return x[row // batch < lengths[row % batch]]


@dataclass
class _Site:
    """Sums over all calls of one activation."""

    rows: int = 0
    entries: int = 0
    nonzero: float = 0.0

    def running(self, x: Tensor, recordings: _Recordings) -> Tensor:
        """Rows of ``x`` that count."""
        before, self.rows = self.rows, self.rows + len(x)
        return recordings.running(x, before)

    def add(self, x: Tensor) -> None:
        self.entries += x.numel()
        self.nonzero += float((x != 0).sum())


@dataclass
class _Inputs(_Site):
    """Sums over all calls of one layer.

    Attributes:
        maps: by their shape ``[C, H, W]``: the number of inputs, of those not zero, and their sum, at each place.
    """

    padded: int = 0
    still: bool = False
    level: float | None = 0.0
    windows: tuple[int, ...] = WINDOWS
    maps: dict[torch.Size, Tensor] = field(default_factory=dict)

    def add(self, x: Tensor) -> None:
        super().add(x)
        total = x.sum(0, dtype=wide(x))
        seen = torch.stack([torch.full_like(total, len(x)), (x != 0).sum(0), total]).cpu().double()
        self.maps[x.shape[1:]] = self.maps.get(x.shape[1:], 0.0) + seen
        level = _level(x)
        if level not in (0.0, 1.0):  # zeros and ones are whole multiples of any 1/n
            self.windows = tuple(n for n in self.windows if _whole_multiples(x, n))
        if self.level == 0.0 or level not in (0.0, self.level):
            self.level = level if self.level == 0.0 else None

    def activity(self, layer: nn.Module, images: int, spiking: bool) -> Activity:
        """An image's share; only spiking networks have spikes to count."""
        weighted = sum((x * fan_out(layer, shape[1:])).flatten(1).sum(1) for shape, x in self.maps.items())
        dense, effective, values = (weighted / images).tolist()
        # An image may have whole values, too, and is no spike.
        window = min(self.windows, default=None) if spiking and not self.still else None
        return Activity(
            dense=dense,
            effective=effective,
            padded=self.padded / images,
            used=self.nonzero / max(self.entries, 1),
            mean=float(sum(x[2].sum() for x in self.maps.values())) / max(self.entries, 1),
            level=self.level,
            window=window,
            spikes=None if window is None else window * values,
            still=self.still,
        )


def _level(x: Tensor) -> float | None:
    """The only value besides zero, 0 if there is none, None if there are several."""
    level = x.max() if x.max() != 0 else x.min()
    return float(level) if bool(((x == 0) | (x == level)).all()) else None


def _whole_multiples(x: Tensor, window: int) -> bool:
    """All entries are whole, not negative, multiples of ``1 / window``, up to rounding; only zeros are none."""
    scaled = x.float() * window
    whole = scaled.round()
    near = (scaled >= 0) & ((scaled - whole).abs() < 1e-3) & ((whole != 0) == (x != 0))
    return bool(near.all())


@torch.no_grad()
def observe(
    network: nn.Module, run: Callable[[], object], images: int, lengths: Tensor | None = None
) -> Observation:
    """Watch ``network`` while ``run()`` passes ``images`` images through it.

    Operations are counted as they are computed here: the stem of our networks sees a still image once, however
    many time steps follow; :meth:`Observation.every_step` tells what they are without that.  Whether a layer adds
    or multiplies is decided by all inputs it is given, so few images may make averaged spikes look like spikes.

    Not counted: biases (one addition an output), BatchNorm (which a deployed network has folded into weights),
    additions inside a pooling, what neurons compute themselves, a decay and a comparison a step each, and what is
    computed without a module: ``F.relu``, or a layer's weight in another place.

    Args:
        network: the backbone to watch; layers outside it are not counted.
        run: calls the method, for instance ``lambda: method.predict(batch)``.
        images: how many images that is.
        lengths: ``[images]``, time steps of each, where recordings end early: what is computed behind counts
            nothing.  In the order in which they pass, in one batch or several.

    Raises:
        UserError: nothing passed through ``network``, or more images than there are lengths.
    """
    whole(images, "images", 1)
    recordings = _Recordings(lengths)
    layers: dict[tuple[str, bool], _Inputs] = {}
    sites: dict[str, _Site] = {}
    steps, handles = {1}, []
    modules = dict(network.named_modules())
    neurons = {name for name, m in modules.items() if hasattr(m, "dynamics") or hasattr(m, "spike_grad")}

    def watch_layer(name):
        def hook(layer, inputs, named, output):
            x, now = inputs[0] if inputs else named["input"], clock()
            still = now is not None and now.still and not now.begun
            tally = layers.setdefault((name, still), _Inputs(still=still))
            running = tally.running(x.detach(), recordings)
            if running.numel():
                tally.add(running)
                tally.padded += padded(layer, x, output) * len(running) // len(x)

        return hook

    def watch_site(name):
        def hook(module, inputs, output):
            spikes = output[0] if isinstance(output, tuple) else output  # some give their potential, too
            site = sites.setdefault(name, _Site())
            site.add(site.running(spikes, recordings))
            if name in neurons:
                now, own = clock(), getattr(module, "time_steps", None)  # others are called once a step
                steps.add(now.time_steps if now else own or site.rows // images)

        return hook

    for name, module in modules.items():
        if isinstance(module, COUNTED):
            handles.append(module.register_forward_hook(watch_layer(name), with_kwargs=True))
        elif name in neurons or isinstance(module, ACTIVATIONS):
            handles.append(module.register_forward_hook(watch_site(name)))
    try:
        # Code that was compiled before does not look at hooks.
        with torch.compiler.set_stance("force_eager"):
            run()
    finally:
        for handle in handles:
            handle.remove()
    if handles and not (layers or sites):
        raise UserError(
            f"run() passed nothing through this {type(network).__name__}; expected it to call the network that is "
            "watched, and not a copy"
        )

    time_steps, spiking = max(steps), bool(neurons)
    firing = {name: site for name, site in sites.items() if name in neurons}  # not a ReLU beside them
    entries, fired = (sum(site.entries for site in group.values()) for group in (sites, firing))
    twice = {name for name, still in layers if (name, not still) in layers}
    names = {key: f"{key[0]}, still" if key[1] and key[0] in twice else key[0] for key in layers}
    return Observation(
        layers={names[key]: x.activity(modules[key[0]], images, spiking) for key, x in layers.items()},
        activations=entries / images / time_steps,
        rates={name: site.nonzero / site.entries for name, site in firing.items()},
        spikes=sum(site.nonzero for site in firing.values()) / images,
        time_steps=time_steps,
        uncounted=_uncounted(network),
        neurons=fired / images / time_steps,
    )


def _uncounted(network: nn.Module) -> tuple[str, ...]:
    """Modules with weights of their own whose operations are not known; parametrized weights are their layer's."""
    modules = dict(network.named_modules())
    matrices = [name for name, p in network.named_parameters(remove_duplicate=False) if p.dim() > 1]
    owners = [name.partition("parametrizations.")[0].rpartition(".")[0] for name in matrices]
    return tuple(dict.fromkeys(name for name in owners if not isinstance(modules[name], COUNTED)))
