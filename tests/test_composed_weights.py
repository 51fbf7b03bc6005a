"""Composed weights are never older than their factors, whatever happens to these."""

import copy
import pickle
import threading
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bad_input import one_line
from snnbook.analysis import filter_normalized_direction
from snnbook.backbones import NetworkConfig, build_backbone
from snnbook.deploy import fold_batchnorm
from snnbook.factorized import Factors, SharedFactors
from snnbook.folding import SpikingNetwork
from snnbook.trainers import JointASNN
from snnbook.trainers.loop.saved import save_memory

NETWORK = NetworkConfig("resnet18", width=4, time_steps=2)
IMAGES, LABELS = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(4)


def joint(**settings):
    torch.manual_seed(0)
    return JointASNN(JointASNN.Config(**settings), NETWORK, 10)


def tied(method):
    """Each factorized layer's name, its factors, and both networks' layers."""
    ann, snn = dict(method.ann.named_modules()), dict(method.snn.backbone.named_modules())
    for name, factors in method.factors.layers.items():
        yield factors, ann[name.replace("/", ".")], snn[name.replace("/", ".")]


def by_hand(factors, spectrum):
    r = spectrum.shape[-1]
    u, v = (x.detach().double() for x in (factors.u, factors.v))
    w = torch.einsum("por,pr,pri->poi", u[..., :r], spectrum.detach().double(), v[:, :r])
    return w[0] if len(factors.shape) == 2 else w.unflatten(0, factors.shape[2:]).permute(2, 3, 0, 1)


def assert_up_to_date(method):
    tolerance = 2e-2 if next(method.factors.parameters()).dtype == torch.bfloat16 else 1e-5
    for factors, ann, snn in tied(method):
        for layer, spectrum in ((ann, factors.spectrum_ann), (snn, factors.spectrum_snn)):
            assert layer.weight.dtype == spectrum.dtype
            expected = by_hand(factors, spectrum)
            size = expected.abs().max()
            torch.testing.assert_close(layer.weight.double() / size, expected / size, rtol=0, atol=tolerance)


def dtype_of(method):
    return next(method.parameters()).dtype


def step(method):
    optimizer = torch.optim.Adam(method.parameters(), 1e-2, fused=True)
    sum(method(IMAGES.to(dtype_of(method)), LABELS).values()).backward()
    optimizer.step()
    return method


def edit(method):
    for factors in method.factors.layers.values():
        with torch.no_grad():
            factors.u.mul_(1.1)
        factors.spectrum_snn.data.mul_(0.9)  # which no version counter notices
        factors.v.data = factors.v.data * 1.05
    return method


def load(method):
    state = {k: v * 1.1 if v.is_floating_point() else v for k, v in method.state_dict().items()}
    method.load_state_dict(state)
    return method


def replaced(method):
    for factors in method.factors.layers.values():
        factors.spectrum_ann = nn.Parameter(factors.spectrum_ann.detach() * 0.8)
    return method


EVENTS = {
    "step": step,
    "edit": edit,
    "load": load,
    "replace": replaced,
    "train": lambda m: m.train(),
    "eval": lambda m: m.eval(),
    "double": lambda m: m.double(),
    "float": lambda m: m.float(),
    "bfloat16": lambda m: m.bfloat16(),
    "channels_last": lambda m: m.to(memory_format=torch.channels_last),
    "deepcopy": copy.deepcopy,
    "pickle": lambda m: pickle.loads(pickle.dumps(m)),
    "predict": lambda m: (m.predict(IMAGES.to(dtype_of(m))), m)[1],
}


@given(events=st.lists(st.sampled_from(sorted(EVENTS)), min_size=1, max_size=5), full=st.booleans())
@settings(max_examples=25, deadline=None)
def test_weights_follow_their_factors(events, full):
    method = joint(factorize="full" if full else "thin")
    for event in events:
        method = EVENTS[event](method)
        assert_up_to_date(method)
    method.eval()
    released = copy.deepcopy(method)
    released.factors.release()
    images = IMAGES.to(dtype_of(method))
    for name, logits in method.predict(images).items():
        torch.testing.assert_close(released.predict(images)[name], logits, rtol=0, atol=0)


@pytest.mark.parametrize("event", ["double", "half", "bfloat16"])
def test_a_method_computes_in_any_precision(event):
    method = getattr(joint().eval(), event)()
    kind = dtype_of(method)
    for name, logits in method.predict(IMAGES.to(kind)).items():  # a mean over time is in float32 at least
        assert logits.dtype == (torch.promote_types(kind, torch.float32) if name == "snn" else kind)
        assert logits.isfinite().all()


def test_a_copy_may_be_made_in_the_middle_of_a_pass():
    method = joint()
    with method.composed():
        other = copy.deepcopy(method)
    assert_up_to_date(edit(other))


def test_a_copy_shares_nothing_with_the_original():
    method = joint()
    other = copy.deepcopy(method)
    before = [p.clone() for p in method.parameters()]
    step(other)
    assert all(torch.equal(p, q) for p, q in zip(method.parameters(), before, strict=True))
    assert {id(f) for f, *_ in tied(other)} == {id(a.factors) for _, a, _ in tied(other)}


@pytest.mark.parametrize("train", [True, False])
def test_each_layer_is_composed_once_a_pass(train, monkeypatch):
    method, calls = joint().train(train), []
    compose = Factors.compose
    monkeypatch.setattr(Factors, "compose", lambda self: (calls.append(self), compose(self))[1])
    method(IMAGES, LABELS) if train else method.predict(IMAGES)
    assert len(calls) == len(set(map(id, calls))) == len(method.factors.layers)


def test_a_network_alone_composes_too():
    method = joint().eval()
    expected = method.predict(IMAGES)
    torch.testing.assert_close(method.ann(IMAGES)[0][-1], expected["ann"], rtol=0, atol=0)
    alone = copy.deepcopy(method.ann).double()
    torch.testing.assert_close(alone(IMAGES.double())[0][-1], expected["ann"].double(), rtol=1e-4, atol=1e-4)
    assert dtype_of(method) == torch.float32


def test_an_error_inside_leaves_nothing_held():
    method = joint()
    with pytest.raises(RuntimeError):
        method(IMAGES[:, :2], LABELS)
    assert all(f.held.weights is None for f in method.factors.layers.values())


def test_weights_are_those_of_a_released_network_under_autocast_too():
    method = joint().eval()
    released = copy.deepcopy(method)
    released.factors.release()
    with torch.autocast("cpu", torch.bfloat16):
        ours, theirs = method.predict(IMAGES), released.predict(IMAGES)
    for name, logits in ours.items():
        torch.testing.assert_close(theirs[name], logits, rtol=0, atol=0)


def test_released_networks_are_two_and_ordinary():
    method = joint(share_bias=True, factorize_stem=False)
    method.factors.release()
    ann, snn = method.backbones()["ann"], method.backbones()["snn"]
    fresh = build_backbone("resnet18", 10, width=4)
    assert {k: type(m) for k, m in ann.named_modules()} == {k: type(m) for k, m in fresh.named_modules()}
    assert list(ann.state_dict()) == list(fresh.state_dict())
    assert not any(name.startswith("factors.") for name in method.state_dict())
    before = snn.stages[0][0].conv1.weight.clone()
    with torch.no_grad():
        ann.stages[0][0].conv1.weight.zero_()
    assert torch.equal(snn.stages[0][0].conv1.weight, before)
    step(method)
    assert not torch.equal(snn.stages[0][0].conv1.weight, before)


def test_a_released_layer_lists_its_weight_before_its_bias():
    nets = [build_backbone("vgg11", 10, width=4) for _ in range(2)]
    SharedFactors(*nets, linear=True).release()
    assert list(nets[1].state_dict()) == list(build_backbone("vgg11", 10, width=4).state_dict())


def test_what_the_networks_share_stays_shared_in_copies():
    for method in (copy.deepcopy(joint(share_bias=True, factorize_stem=False)), step(joint(share_bias=True))):
        assert method.ann.heads[0].bias is method.snn.backbone.heads[0].bias
    method = pickle.loads(pickle.dumps(joint(factorize_stem=False)))
    assert method.ann.backbone.stem[0].weight is method.snn.backbone.backbone.stem[0].weight


def test_batchnorm_folds_into_composed_weights():
    method = step(joint()).eval()
    ann, snn = method.backbones()["ann"], SpikingNetwork(method.backbones()["snn"], 2)
    for network in (ann, snn.eval()):
        folded = fold_batchnorm(network)
        assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
        assert any(name.endswith("stem.0.weight") for name, _ in folded.named_parameters())
        torch.testing.assert_close(folded(IMAGES), network(IMAGES), rtol=1e-3, atol=1e-3)
    assert_up_to_date(method)


@pytest.mark.parametrize("way", ["bytes", "recompute"])
def test_saving_memory_changes_no_gradient(way):
    method = joint()
    saving = copy.deepcopy(method)
    for network in saving.backbones().values():
        save_memory(network, way)
    for m in (method, saving):
        sum(m(IMAGES, LABELS).values()).backward()
    for p, q in zip(method.parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(q.grad, p.grad, rtol=1e-4, atol=1e-5)
    saving.eval().factors.release()
    assert saving.predict(IMAGES)["snn"].isfinite().all()


def test_a_compiled_method_sees_each_step():
    plain, method = joint(), joint()
    compiled = torch.compile(method, backend="aot_eager", fullgraph=True)
    for m, forward in ((plain, plain), (method, compiled)):
        optimizer = torch.optim.SGD(m.parameters(), 1e-2, weight_decay=1e-2)
        for _ in range(2):
            sum(forward(IMAGES, LABELS).values()).backward()
            optimizer.step()
    assert_up_to_date(method)
    torch.testing.assert_close(method.state_dict(), plain.state_dict(), rtol=1e-4, atol=1e-5)


def test_functional_calls_see_the_parameters_they_are_given():
    method = joint().eval()
    other = edit(copy.deepcopy(method))
    got = torch.func.functional_call(
        method, {**dict(other.named_parameters()), **dict(method.named_buffers())}, (IMAGES, LABELS)
    )
    torch.testing.assert_close(got, other(IMAGES, LABELS))


def test_averaged_models_follow_too():
    method = joint()
    average = torch.optim.swa_utils.AveragedModel(method)
    step(method)
    average.update_parameters(method)
    assert_up_to_date(average.module)


def test_weight_decay_acts_on_the_factors():
    method = joint()
    optimizer = torch.optim.SGD(method.parameters(), lr=0.1, weight_decay=0.5)
    for p in method.parameters():
        p.grad = torch.zeros_like(p)
    _, ann, _ = next(tied(method))
    before = ann.weight.detach().clone()
    optimizer.step()
    torch.testing.assert_close(ann.weight, before * 0.95**3)  # U, the spectrum and V
    assert len(filter_normalized_direction(method, torch.Generator())) == len(list(method.parameters()))


def test_a_subclass_keeps_its_forward():
    class Negated(nn.Conv2d):
        def forward(self, x):
            return -super().forward(x)

    make = partial(nn.Sequential, Negated(3, 4, 3))
    ann, snn = copy.deepcopy(make()), copy.deepcopy(make())
    expected = ann(IMAGES)
    factors = SharedFactors(ann, snn)
    torch.testing.assert_close(ann(IMAGES), expected, rtol=1e-4, atol=1e-5)
    factors.release()
    assert type(ann[0]) is Negated


def test_what_cannot_be_factorized_is_refused():
    nets = [build_backbone("resnet18", 10, width=4) for _ in range(2)]
    SharedFactors(*nets)
    one_line(lambda: SharedFactors(*nets), "factorized already")
    one_line(lambda: SharedFactors(nn.ReLU(), nn.ReLU()), "no layers")
    deeper = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3))
    one_line(lambda: SharedFactors(deeper[:1], deeper), "layer 1 differs")
    for weight in (
        torch.randn(3),
        torch.randn(2, 3, 4),
        torch.ones(2, 2).half(),
        torch.full((2, 2), torch.nan),
    ):
        one_line(lambda weight=weight: Factors(weight), "expected")


def test_each_thread_holds_its_own():
    method, inside, done = joint().eval(), threading.Event(), threading.Event()

    def other():
        with torch.no_grad(), method.composed():
            inside.set()
            done.wait(10)

    thread = threading.Thread(target=other)
    with method.composed():
        thread.start()
        inside.wait(10)  # from here on the other thread holds weights without gradients
        outputs = method.snn_outputs(IMAGES)[0][-1]
    outputs.sum().backward()
    done.set()
    thread.join()
    assert all(f.u.grad is not None for f in method.factors.layers.values())
    assert_up_to_date(edit(method))
