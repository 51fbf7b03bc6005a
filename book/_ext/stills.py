"""What each widget computes, by the library; and a still of it, for pages without scripts.

``compute(name, values)`` gives what the widget's ``compute`` gives in the browser, under the same names, so that a
test can hold the one to the other.  ``START`` has the values that the widget's controls begin with.
"""

import math

import torch
from panels import Axis, Panel
from torch import Tensor

from snnbook import kernels, losses, surrogates
from snnbook.analysis.energy import Constants
from snnbook.factorized import Factors
from snnbook.kernels import Dynamics

START = {
    "neuron": dict(c=0.4, beta=0.25, theta=0.5, reset="hard"),
    "surrogate": dict(kind="rectangle", width=1, w=0.1),
    "moments": dict(m1=0, m2=2, m3=6, m4=10, label="0", lam=0.05),
    "spectra": dict(ann1=1.5, ann2=0.5, snn1=1, snn2=0.8, u=30, v=-20),
    "energy": dict(
        prices="45nm-32",
        ac=Constants.accumulate,
        mac=Constants.multiply_accumulate,
        T=4,
        r=0.4,
        a=1,
        layers=1,
        stem=0.1,
    ),
}
STEPS, LONG, LONGEST = 30, 200, 16
CURRENTS = [i * 0.01 for i in range(151)]
DISTANCES = [(i - 120) / 40 for i in range(241)]
WEIGHTS = [(i - 20) / 20 for i in range(101)]


def compute(name: str, values: dict) -> dict:
    """Numbers, and lists of them, of the widget ``name`` at these values of its controls."""
    found = {"neuron": neuron, "surrogate": surrogate, "moments": moments}
    found |= {"spectra": spectra, "energy": energy}
    return {
        key: each.tolist() if isinstance(each, Tensor) else each
        for key, each in found[name](**values).items()
    }


def neuron(c: float, beta: float, theta: float, reset: str) -> dict:
    current = _doubles([c, *CURRENTS]).expand(LONG, -1)  # (T, N)
    dynamics = Dynamics(theta, strict=False, hard_reset=reset == "hard")
    spikes = kernels.lif_reference(current, dynamics, beta)
    before, after = _potentials(current[:STEPS, 0], spikes[:STEPS, 0], beta, theta, reset)
    rates = spikes.mean(0)
    return dict(
        before=before,
        after=after,
        spikes=spikes[:STEPS, 0],
        rate=rates[0],
        rates=rates[1:],
        weakest=theta * (1 - beta),
    )


def _potentials(current, spikes, beta, theta, reset) -> tuple[Tensor, Tensor]:
    """Before and after the reset, ``[T]`` each, along the spikes that the library fired."""
    before, after, u = [], [], torch.zeros_like(current[0])
    for c, s in zip(current, spikes, strict=True):
        before.append(beta * u + c)
        u = before[-1] * (1 - s) if reset == "hard" else before[-1] - theta * s
        after.append(u)
    return torch.stack(before), torch.stack(after)


def _surrogate(kind: str, width: float) -> surrogates.Surrogate:
    """Of area 1 and peak ``1 / width``."""
    made = dict(
        rectangle=lambda: surrogates.Rectangle(width),
        triangle=lambda: surrogates.Triangle(width),
        sigmoid=lambda: surrogates.Sigmoid(4 / width),
        atan=lambda: surrogates.ATan(2 / width),
    )
    return made[kind]()


def surrogate(kind: str, width: float, w: float) -> dict:
    time_steps, g = 20, _surrogate(kind, width)
    weights = _doubles([w, *WEIGHTS]).requires_grad_()
    current = weights.expand(time_steps, -1)  # (T, N)
    spikes = kernels.lif_reference(current, Dynamics(1.0, g), 0.5)
    (gradients,) = torch.autograd.grad(spikes.mean(0).sum(), weights)
    before, _ = _potentials(current[:, 0].detach(), spikes[:, 0].detach(), 0.5, 1.0, "hard")
    distances = before - 1.0
    return dict(
        derivative=g.derivative(_doubles(DISTANCES)),
        distances=distances,
        rate=spikes[:, 0].mean(),
        dead=int((g.derivative(distances) == 0).sum()),
        gradient=gradients[0],
        gradients=gradients[1:],
    )


def moments(m1: float, m2: float, m3: float, m4: float, label: str, lam: float) -> dict:
    y, phi = int(label), 1.0
    margins = _doubles([m1, m2, m3, m4])
    outputs = torch.stack([phi + margins / 2, phi - margins / 2], -1).unsqueeze(1)  # (T, B, classes)
    outputs.requires_grad_()
    labels, sure = torch.tensor([y]), outputs.softmax(-1)[:, 0, y]
    found = dict(
        sdt=losses.sdt(outputs, labels),
        tet=losses.every_moment(outputs, labels),
        total=losses.tet(outputs, labels, lam, phi),
    )
    lifts = {  # times T, so that they are of one moment
        f"lift_{name}": -len(outputs) * torch.autograd.grad(loss, outputs)[0][:, 0, y]
        for name, loss in found.items()
    }
    return dict(sure=sure, whole=outputs.mean(0).softmax(-1)[0, y], **found, **lifts)


def spectra(ann1: float, ann2: float, snn1: float, snn2: float, u: float, v: float) -> dict:
    factors = Factors(torch.eye(2, dtype=torch.float64))
    with torch.no_grad():
        factors.u.copy_(_turned(u).mT.unsqueeze(0))  # the u_i are columns, the v_i rows
        factors.v.copy_(_turned(v).unsqueeze(0))
        factors.spectrum_ann.copy_(_doubles([[ann1, ann2]]))
        factors.spectrum_snn.copy_(_doubles([[snn1, snn2]]))
        ann, snn = factors.compose()
    length = ann.norm() * snn.norm()
    return dict(ann=ann, snn=snn, cosine=(ann * snn).sum() / length if length > 0 else None)


def _turned(degrees: float) -> Tensor:
    x = math.radians(degrees)
    return _doubles([[math.cos(x), math.sin(x)], [-math.sin(x), math.cos(x)]])


def energy(
    ac: float, mac: float, T: int, r: float, a: float, layers: float, stem: float, prices: str = ""
) -> dict:
    constants = Constants(accumulate=ac, multiply_accumulate=mac)
    by_steps = [1e6 * constants.joules(t * r * layers * 1e6, stem * 1e6) for t in range(1, LONGEST + 1)]
    ann = 1e6 * constants.joules(0, (stem + a * layers) * 1e6)
    # The rate at which a layer's operations cost the same in both.
    break_even = constants.joules(0, a) / constants.joules(T, 0)
    return dict(snn=by_steps[int(T) - 1], ann=ann, by_steps=by_steps, break_even=break_even)


def _doubles(values) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def still(name: str) -> str:
    """Two panels of the widget as it starts, as SVG."""
    values = START[name]
    draw = {"neuron": _neuron, "surrogate": _surrogate_panels, "moments": _moments}
    draw |= {"spectra": _spectra, "energy": _energy}
    return "".join(panel.svg() for panel in draw[name](values, compute(name, values)))


def _neuron(values: dict, found: dict) -> tuple[Panel, Panel]:
    t, theta = range(1, STEPS + 1), values["theta"]
    top = 1.2 * max(theta, *found["before"])
    trace = Panel(
        "Membrane potential; strokes are spikes",
        Axis("time step t", 0, STEPS + 1),
        Axis("potential u", 0, top),
        {"a": "potential u", "rule": "threshold θ"},
    )
    trace.level(theta)
    climb = [u for pair in zip(found["before"], found["after"], strict=True) for u in pair]
    trace.line("a", [0, *(step for step in t for _ in range(2))], [0, *climb])
    trace.strokes([step for step, s in zip(t, found["spikes"], strict=True) if s])
    curve = Panel(
        "f-I curve: how often, for every current",
        Axis("constant current c", 0, 1.5),
        Axis("spikes a step", 0, 1.1),
        {"b": "this current", "rule": "θ (1 − β)"},
        ["this current"],
    )
    curve.upright(found["weakest"])
    curve.line("a", CURRENTS, found["rates"])
    curve.dots("b", [values["c"]], [found["rate"]])
    return trace, curve


def _surrogate_panels(values: dict, found: dict) -> tuple[Panel, Panel]:
    edge = values["width"] / 2
    shape = Panel(
        "Surrogate; shaded: exactly zero",
        Axis("distance to threshold u − θ", -3, 3),
        Axis("derivative", -0.06, 1.1),
        {"a": "derivative g", "b": "this neuron's potentials"},
        ["this neuron's potentials"],
    )
    shape.band(-3, -edge)
    shape.band(edge, 3)
    shape.line("a", DISTANCES, found["derivative"])
    g = _surrogate(values["kind"], values["width"]).derivative(_doubles(found["distances"]))
    shape.dots("b", found["distances"], g.tolist())
    depth, size = 1.1 * min(-0.3, *found["gradients"]), 1.1 * max(0.5, *found["gradients"])
    slope = Panel(
        "Gradient of the firing rate, for every weight",
        Axis("weight w, the current at each step", -1, 4),
        Axis("gradient", depth, size),
        {"a": "gradient", "b": "this weight"},
        ["this weight"],
    )
    slope.level(0)
    slope.line("a", WEIGHTS, found["gradients"])
    slope.dots("b", [values["w"]], [found["gradient"]])
    return shape, slope


def _moments(_: dict, found: dict) -> tuple[Panel, Panel]:
    t, time = (1, 2, 3, 4), Axis("time step t", 0.5, 4.5)
    sure = Panel(
        "How sure of the label",
        time,
        Axis("probability of the label", 0, 1.05),
        {"a": "each moment", "rule": "the mean readout"},
    )
    sure.level(found["whole"])
    sure.line("a", t, found["sure"])
    sure.dots("a", t, found["sure"])
    lifts = dict(a=found["lift_sdt"], b=found["lift_tet"], c=found["lift_total"])
    low, high = (1.1 * pick(x for lift in lifts.values() for x in lift) for pick in (min, max))
    push = Panel(
        "Push on the label's output",
        time,
        Axis("push, −T ∂L/∂O(t)", min(-0.11, low), max(0.55, high)),
        {"a": "SDT", "b": "TET", "c": "TET with λ"},
    )
    push.level(0)
    for series, lift in lifts.items():
        push.line(series, t, lift)
        if series != "c":
            push.dots(series, t, lift)
    return sure, push


def _spectra(values: dict, found: dict) -> tuple[Panel, Panel]:
    angles = _doubles([i * math.pi / 60 for i in range(121)])
    circle = torch.stack([angles.cos(), angles.sin()])  # (2, N)
    u, v = _turned(values["u"]), _turned(values["v"])
    drawn = []
    for title, label, axes, legend in (
        ("In: the unit circle, v₁ marked", "input", v, {"c": "inputs", "rule": "directions v₁, v₂"}),
        ("Out: what each makes of it", "output", u, {"a": "ANN", "b": "SNN", "rule": "u₁, u₂"}),
    ):
        panel = Panel(title, Axis(f"{label} 1", -4, 4), Axis(f"{label} 2", -2.2, 2.2), legend)
        for axis in 5 * axes:
            panel.line("rule", *torch.stack([-axis, axis], 1).tolist())
        drawn.append(panel)
    weights = dict(a=_doubles(found["ann"]), b=_doubles(found["snn"]))
    for panel, shapes in zip(drawn, (dict(c=torch.eye(2).double()), weights), strict=True):
        for series, weight in shapes.items():
            panel.line(series, *(weight @ circle).tolist())
            panel.dots(series, *(weight @ v[:1].mT).tolist())
    return tuple(drawn)


def _energy(values: dict, found: dict) -> tuple[Panel, Panel]:
    t, time = range(1, LONGEST + 1), Axis("time steps T", 0.5, LONGEST + 0.5)
    spent = Panel(
        "Energy of one inference",
        time,
        Axis("µJ", 0, 1.1 * max(found["ann"], *found["by_steps"])),
        {"a": "ANN", "b": "SNN"},
    )
    spent.line("a", t, [found["ann"]] * LONGEST)
    spent.line("b", t, found["by_steps"])
    spent.dots("b", [values["T"]], [found["snn"]])
    limit = Panel(
        "Below the curve a spiking layer is cheaper",
        time,
        Axis("share that fires in a step", 0, 1.1),
        {"a": "break-even rate r*", "b": "this network"},
        ["this network"],
    )
    limit.line("a", t, [min(1.0, found["break_even"] * values["T"] / step) for step in t])
    limit.dots("b", [values["T"]], [values["r"]])
    return spent, limit
