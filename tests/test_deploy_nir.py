"""NIR out and in: spike for spike, by the table of what libraries read, and one line where it cannot be."""

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import nn

from export_cases import TARGETS, Branches, images, layers, network, neurons
from snnbook import IF, LIF, UserError
from snnbook.deploy import from_nir, to_nir

nir = pytest.importorskip("nir", reason="needs the extra deploy")
RANDOM = settings(deadline=None, max_examples=12, derandomize=True, phases=[Phase.generate])


@pytest.mark.parametrize("target", TARGETS)
@RANDOM
@given(
    decay=st.floats(0.05, 0.98),
    threshold=st.floats(0.1, 2),
    strict=st.booleans(),
    kind=st.sampled_from(["lif", "if", "plif", "learned"]),
    shape=st.sampled_from(["average", "max", "branches", "no head"]),
    seed=st.integers(0, 99),
)
def test_a_network_goes_out_and_comes_back(target, decay, threshold, strict, kind, shape, seed):
    neuron = neurons(decay, threshold, strict)[kind]
    backbone = {
        "average": lambda: layers(neuron),
        "max": lambda: layers(neuron, nn.MaxPool2d),
        "branches": lambda: Branches(neuron),
        "no head": lambda: layers(neuron, head=False),
    }[shape]()
    made, x = network(backbone, seed=seed), images(seed=seed)
    out = to_nir(made, x, target)
    assert out.differing == 0 and out.spikes > 0 and out.outputs < 1e-4
    back = from_nir(out.graph).network
    ours, theirs = made(x), back(x)
    torch.testing.assert_close(theirs, ours, rtol=1e-4, atol=1e-5)
    if shape == "no head":
        assert torch.equal(theirs, ours)


def on_a_grid(strict):
    """Weights in quarters, so that of inputs in halves potentials often equal the threshold."""

    def neuron():
        return LIF(0.5, 1.0, strict=strict)

    made = network(
        nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), neuron(), nn.Flatten(), nn.Linear(144, 8), neuron())
    )
    with torch.no_grad():
        for p in made.parameters():
            p.copy_((p * 4).round() / 4)
    return made


@pytest.mark.parametrize("target", ["snntorch", "spikingjelly", "sinabs", None])
@pytest.mark.parametrize("strict", [True, False])
def test_ties_are_decided_as_the_network_does(target, strict):
    x = (images() * 2).round() / 2
    assert to_nir(on_a_grid(strict), x, target).differing == 0
    assert not torch.equal(on_a_grid(strict)(x), on_a_grid(not strict)(x))


@pytest.mark.parametrize("target", TARGETS)
def test_a_scaled_input_is_written_in_the_weights(target):
    made = network(layers(neurons(0.7, 0.4, True)["scaled"]))
    out = to_nir(made, images(), target)
    assert out.spikes > 0 and out.differing <= 2  # the factor meets the weights, not the current
    assert torch.equal(from_nir(out.graph).network(images()).argmax(-1), made(images()).argmax(-1))


def lif(out, name="2"):
    return out.graph.nodes[name]


def test_the_table_of_what_is_written():
    made = network(layers(lambda: LIF(0.75, 1.0)))
    written = {target: lif(to_nir(made, images(), target)) for target in TARGETS}
    above = float(np.nextafter(np.float32(1), np.float32(2)))
    for target in (None, "snntorch", "spikingjelly"):
        assert written[target].tau == pytest.approx(np.full((4, 6, 6), 4e-4), rel=1e-6)
        assert written[target].r == pytest.approx(np.full((4, 6, 6), 4.0), rel=1e-6)
    assert written["norse"].tau == pytest.approx(np.full((4, 6, 6), 4e-4), rel=1e-6)
    assert (written["norse"].r == 1).all()
    assert written["sinabs"].tau == pytest.approx(-1 / np.log(0.75), rel=1e-6)
    assert written["sinabs"].tau.shape == (1,)
    thresholds = {target: float(node.v_threshold.flat[0]) for target, node in written.items()}
    assert thresholds == {None: 1, "snntorch": 1, "norse": 1, "spikingjelly": above, "sinabs": above}
    for node in written.values():
        assert node.tau.dtype == np.float64 and not node.v_leak.any() and not node.v_reset.any()
    graph = to_nir(made, images(), "norse").graph
    assert graph.nodes["0"].weight.dtype == np.float64
    folded = to_nir(made, images(), "snntorch").graph.nodes["0"].weight
    assert graph.nodes["0"].weight == pytest.approx(folded / 0.25)


def test_at_the_threshold_the_other_way_around():
    made = network(layers(lambda: LIF(0.75, 1.0, strict=False)))
    below = float(np.nextafter(np.float32(1), np.float32(0)))
    written = {target: lif(to_nir(made, images(), target)).v_threshold.flat[0] for target in TARGETS}
    assert written == {None: below, "snntorch": below, "norse": below, "spikingjelly": 1, "sinabs": 1}


def test_a_neuron_that_never_leaks():
    made = network(layers(IF))
    for target in TARGETS:
        written = lif(to_nir(made, images(), target))
        assert isinstance(written, nir.IF) if target in (None, "norse") else (written.tau == 1e20).all()


def test_layers_are_written_as_all_importers_read_them():
    made = network(layers(LIF))
    made.backbone[5].bias = made.backbone[7].bias = None
    graph = to_nir(made, images(), "sinabs").graph
    kinds = {type(node).__name__ for node in graph.nodes.values()}
    assert kinds == {"Input", "Conv2d", "LIF", "Flatten", "Affine", "Output"}
    assert graph.nodes["4"].start_dim == -3
    assert not graph.nodes["5"].bias.any()


def test_the_file_says_what_a_step_is():
    for strict, fires in ((True, "u > threshold"), (False, "u >= threshold")):
        said = to_nir(network(layers(lambda s=strict: LIF(strict=s))), (2, 6, 6)).graph.metadata
        assert said["dt"] == 1e-4 and said["fires"] == fires and said["target"] == "nir"


@pytest.mark.parametrize("target", TARGETS)
def test_a_file_comes_back(target, tmp_path):
    made, x = network(Branches(lambda: LIF(0.6, 0.7, strict=False))), images()
    place = to_nir(made, x, target).save(tmp_path / "network.nir")
    back = from_nir(place)
    assert back.network.time_steps == 5 and back.assumed.startswith("nothing")
    assert torch.equal(back.network(x), made(x))
    again = to_nir(back.network, x, target)
    assert again.differing == 0


def graph_of(*nodes):
    return nir.NIRGraph.from_list(*nodes, type_check=False)


def node(tau=2e-4, r=2.0, leak=0.0, threshold=1.0, reset=0.0, shape=(3,)):
    values = (np.full(shape, float(value)) for value in (tau, r, leak, threshold, reset))
    return nir.LIF(*values)


def affine(n=3, m=3):
    return nir.Affine(np.eye(n, m, dtype=np.float32), np.zeros(n, np.float32))


@pytest.mark.parametrize(
    ("source", "dt", "written", "decay", "threshold"),
    [
        ("nir", None, dict(tau=2e-4, r=2), 0.5, 1),
        ("nir", 1e-3, dict(tau=4e-3, r=4), 0.75, 1),
        ("nir", None, dict(tau=2e-4, r=8), 0.5, 0.25),
        ("snntorch", None, dict(tau=4e-4, r=4), 0.75, 1),
        ("spikingjelly", None, dict(tau=2e-4, r=2, leak=0.5, reset=0.5), 0.5, 0.5),
        ("norse", None, dict(tau=2e-6, r=1), 0.5, 1),
        ("sinabs", None, dict(tau=2, r=1), np.exp(-0.5), 1),
        ("sinabs", None, dict(tau=0.0002, r=1), 0, 1),
    ],
)
def test_whose_numbers_they_are(source, dt, written, decay, threshold):
    made = from_nir(graph_of(affine(), node(**written)), 3, source, dt)
    neuron = made.network.backbone.layers["lif"]
    assert neuron.decay == pytest.approx(decay) and neuron.threshold == pytest.approx(threshold)
    assert neuron.scale_input == (source == "norse") and neuron.dynamics.hard_reset
    assert neuron.dynamics.strict == (source not in ("spikingjelly", "sinabs"))
    assert made.assumed and made.network(torch.rand(2, 3, 1, 1)).shape == (3, 2, 3)


@pytest.mark.parametrize(("source", "share"), [("nir", 0.25), ("spikingjelly", 0.25), ("snntorch", 1)])
def test_an_integrators_r_counts_by_the_step_for_who_writes_it(source, share):
    integrator = nir.IF(np.full(3, 4e4), np.ones(3), np.zeros(3))  # a step is 1e-4 s
    neuron = from_nir(graph_of(affine(), integrator), 3, source).network.backbone.layers["if"]
    assert neuron.decay == 1 and neuron.threshold == pytest.approx(share)


def cuba():
    return nir.CubaLIF(*(np.ones(3) for _ in range(5)))


def loop():
    nodes = {
        "input": nir.Input(np.array([3])),
        "a": affine(),
        "lif": node(),
        "output": nir.Output(np.array([3])),
    }
    return nir.NIRGraph(
        nodes, [("input", "a"), ("a", "lif"), ("lif", "a"), ("lif", "output")], type_check=False
    )


def torn():
    nodes = {
        "input": nir.Input(np.array([3])),
        "a": affine(),
        "lif": node(),
        "output": nir.Output(np.array([3])),
    }
    return nir.NIRGraph(nodes, [("input", "a"), ("lif", "output")], type_check=False)


def mixed():
    lif_node = node()
    lif_node.v_threshold[0] = 2
    return graph_of(affine(), lif_node)


GRAPHS = {
    "is not read": lambda: graph_of(affine(), cuba()),
    "loop": loop,
    "one piece": torn,
    "values of v_threshold": mixed,
    "leaks to": lambda: graph_of(affine(), node(leak=0.1)),
    "too short": lambda: graph_of(affine(), node(tau=1e-5)),
    "no spiking": lambda: graph_of(affine()),
    "inputs and": lambda: nir.NIRGraph({"lif": node()}, [], type_check=False),
    "leads to": lambda: nir.NIRGraph({"lif": node()}, [("lif", "gone")], type_check=False),
    "cannot be read": lambda: graph_of(nir.Affine(np.ones((3, 3)), np.ones(4)), node()),
    "expected a nir.NIRGraph": lambda: affine(),
}


@pytest.mark.parametrize("reason", GRAPHS)
def test_graphs_that_cannot_be_read_are_told_in_one_line(reason):
    with pytest.raises(UserError) as error:
        from_nir(GRAPHS[reason]())
    assert reason in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n torn", b"text"])
def test_torn_files(content, tmp_path):
    (tmp_path / "x.nir").write_bytes(content)
    with pytest.raises(UserError, match=r"cannot read a graph"):
        from_nir(tmp_path / "x.nir")
    with pytest.raises(UserError):
        from_nir(tmp_path / "missing.nir")


@pytest.mark.parametrize(
    ("target", "reason"), [("rockpool", "subtract"), ("lava", "expected one of"), (3, "target is 3")]
)
def test_targets_that_are_none(target, reason):
    with pytest.raises(UserError, match=reason):
        to_nir(network(layers(LIF)), images(), target)


def test_a_soft_reset_is_told():
    with pytest.raises(UserError, match=r"^2 resets by subtraction[^\n]*$"):
        to_nir(network(layers(lambda: LIF(reset="soft"))), images())


@pytest.mark.parametrize("arguments", [{"source": "brian"}, {"dt": 0}, {"dt": "1 ms"}, {"time_steps": 0}])
def test_other_arguments(arguments):
    with pytest.raises(UserError):
        from_nir(graph_of(affine(), node()), **arguments)


def test_a_file_that_says_its_step_takes_no_other():
    with pytest.raises(UserError, match="leave dt out"):
        from_nir(to_nir(network(layers(LIF)), images()).graph, dt=1e-3)


def test_kernels_that_are_not_square_are_written():
    made = network(nn.Sequential(nn.Conv2d(2, 4, (1, 3)), LIF(), nn.Flatten(), nn.Linear(96, 3)))
    out = to_nir(made, images())
    assert out.differing == 0 and torch.equal(from_nir(out.graph).network(images()), made(images()))
