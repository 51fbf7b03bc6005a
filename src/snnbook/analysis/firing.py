"""What flows through a network: firing rates, multiply-accumulates, activations, one pass over images."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

# Positions an average pooling may run over: whole sums, then squares up to a 16x16 map.
WINDOWS = tuple(k * k for k in range(1, 17))


@dataclass
class Activity:
    """One layer, averaged over images.

    Attributes:
        operations: multiply-accumulates an image, over all time steps, if every input were used.
        used: the share of inputs that are not zero, in [0, 1].
        binary: all inputs seen were 0 or 1, so a multiplication by them is an addition.
        window: 1 if all inputs were whole numbers (sums of spikes, as in SEW-ResNet), n if they were whole
            multiples of 1/n (spikes averaged over n positions), None if they were neither.
        spikes: mean number of spikes behind one input, ``window`` times its mean; None without a window.
    """

    operations: float
    used: float
    binary: bool
    window: int | None = None
    spikes: float | None = None


@dataclass
class Observation:
    """A whole network, averaged over images.

    Attributes:
        layers: convolutions and linear layers by name.
        activations: entries an image that the activation sites put out, at one time step.
        rates: share of entries that are spikes, by activation site; empty for an ANN.
        spikes: spikes an image, over all time steps; 0 for an ANN.
        time_steps: T; 1 for an ANN.
    """

    layers: dict[str, Activity]
    activations: float
    rates: dict[str, float]
    spikes: float
    time_steps: int

    @property
    def mean_rate(self) -> float:
        """Share of all activation entries that are spikes, larger layers counting more."""
        return self.spikes / (self.activations * self.time_steps)


@dataclass
class _Tally:
    """Sums over all calls of one module."""

    rows: int = 0
    entries: int = 0
    nonzero: float = 0.0
    total: float = 0.0
    operations: int = 0
    binary: bool = True
    windows: tuple[int, ...] = WINDOWS

    def add(self, x: Tensor) -> None:
        self.rows += len(x)
        self.entries += x.numel()
        self.nonzero += float((x != 0).sum())
        self.total += float(x.sum(dtype=torch.float64))
        if not bool(((x == 0) | (x == 1)).all()):  # zeros and ones are whole multiples of any 1/n
            self.binary = False
            self.windows = tuple(n for n in self.windows if _whole_multiples(x, n))

    def activity(self, time_steps: int, spiking: bool) -> Activity:
        """An image's share, each layer counted once a time step; only spiking networks have spikes to count."""
        window = min(self.windows, default=None) if spiking else None
        spikes = None if window is None else window * self.total / self.entries
        operations = self.operations * time_steps / self.rows
        return Activity(operations, self.nonzero / self.entries, self.binary, window, spikes)


def _whole_multiples(x: Tensor, window: int) -> bool:
    """All entries are whole, not negative, multiples of ``1 / window``, up to rounding."""
    scaled = x.float() * window
    return bool((scaled >= 0).all()) and bool(((scaled - scaled.round()).abs() < 1e-3).all())


@torch.no_grad()
def observe(network: nn.Module, run: Callable[[], object], images: int) -> Observation:
    """Watch ``network`` while ``run()`` passes ``images`` images through it.

    Args:
        network: the backbone to watch; layers outside it are not counted.
        run: calls the method, for instance ``lambda: method.predict(batch)``.
        images: how many images that is.

    A layer that sees a static image once (the stem before a repeating neuron) is counted once a time step, as
    the papers do: that is what an accelerator without our shortcut computes.
    """
    layers: dict[str, _Tally] = {}
    sites: dict[str, _Tally] = {}
    spiking, handles = False, []

    def watch_layer(name):
        def hook(layer, inputs, output):
            tally = layers.setdefault(name, _Tally())
            tally.add(inputs[0])
            positions = output[0, 0].numel() if output.dim() == 4 else 1
            tally.operations += len(output) * layer.weight.numel() * positions

        return hook

    def watch_site(name):
        return lambda module, inputs, output: sites.setdefault(name, _Tally()).add(output)

    for name, module in network.named_modules():
        neuron = hasattr(module, "dynamics") or hasattr(module, "spike_grad")  # ours, or snnTorch's
        spiking = spiking or neuron
        if isinstance(module, nn.Conv2d | nn.Linear):
            handles.append(module.register_forward_hook(watch_layer(name)))
        elif neuron or isinstance(module, nn.ReLU):
            handles.append(module.register_forward_hook(watch_site(name)))
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()

    time_steps = max(tally.rows for tally in sites.values()) // images
    return Observation(
        layers={name: tally.activity(time_steps, spiking) for name, tally in layers.items()},
        activations=sum(tally.entries for tally in sites.values()) / images / time_steps,
        rates={name: tally.nonzero / tally.entries for name, tally in sites.items()} if spiking else {},
        spikes=sum(tally.nonzero for tally in sites.values()) / images if spiking else 0.0,
        time_steps=time_steps,
    )
