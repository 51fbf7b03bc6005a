"""Every method can be copied, pickled and moved, and goes on as if it had not been."""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnbook.backbones import NetworkConfig, build_ann
from snnbook.folding import set_time_steps
from snnbook.losses import LABEL_LOSSES
from snnbook.trainers import METHODS

NETWORK = NetworkConfig("resnet18", width=4, time_steps=2)
IMAGES, LABELS = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.arange(8)

# A method's name, and settings in which it does all that it can.
CASES = {
    **{name: (name, {}) for name in METHODS},
    "sastc": ("sastc", {"batch_size": 8}),
    "sastc, recomputed": ("sastc", {"batch_size": 8, "recompute": True, "preset": "semckd"}),
    "joint, official": (
        "joint",
        {
            "mode": "official",
            "exits": "bottleneck",
            "readout": "sum",
            "share_bias": True,
            "factorize": "full",
        },
    ),
    "joint, official, one exit": ("joint", {"mode": "official", "exits": "last"}),
    "joint, shared stem": ("joint", {"factorize_stem": False, "label_loss": "tet"}),
    "switch": ("switch", {"at": 0}),
}


def make(case):
    name, settings = CASES[case]
    torch.manual_seed(0)
    method = METHODS[name]
    needs = (build_ann(NETWORK, 10),) if getattr(method, "needs", ()) else ()
    return method(method.Config(**settings), NETWORK, 10, 3, *needs)


def step(method):
    method.train()
    images = IMAGES.to(next(method.parameters()).dtype)
    if hasattr(method, "begin_epoch"):
        method.begin_epoch(0)
    terms = method(images, LABELS)
    optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], 1e-3)
    sum(terms.values()).backward()
    optimizer.step()
    return {name: float(value.detach()) for name, value in terms.items()}


def pickled(method):
    return pickle.loads(pickle.dumps(method))


def reloaded(method, case):
    fresh = make(case)
    with torch.no_grad():
        for p in fresh.parameters():
            p.fill_(0.5)
    fresh.load_state_dict(method.state_dict())
    return fresh


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("way", ["deepcopy", "pickle", "state dict", "there and back"])
def test_a_copy_goes_on_as_the_original_would(case, way):
    if case == "snntorch" and way == "pickle":
        pytest.skip("snnTorch's surrogates are closures, which pickle refuses; its state dict is the way")
    method = make(case)
    step(method)
    copied = {
        "deepcopy": copy.deepcopy,
        "pickle": pickled,
        "state dict": lambda m: reloaded(m, case),
        "there and back": lambda m: copy.deepcopy(m).double().float().to("cpu"),
    }[way](method)
    assert list(copied.state_dict()) == list(method.state_dict())
    before = {name: value.clone() for name, value in method.state_dict().items()}
    ours = step(copied)
    for name, value in method.state_dict().items():  # nothing is shared
        assert torch.equal(value, before[name]), name
    theirs = step(method)
    assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-7)
    if hasattr(method, "notes"):
        assert str(copied.notes()) == str(method.notes())


@given(
    case=st.sampled_from(sorted({*CASES} - {"snntorch"})),  # whose spikes are always float32
    dtypes=st.lists(st.sampled_from(["double", "half", "bfloat16", "float"]), min_size=1, max_size=3),
)
@settings(max_examples=30, deadline=None)
def test_a_method_learns_in_any_precision_it_is_moved_to(case, dtypes):
    method = make(case)
    for dtype in dtypes:
        method = getattr(method, dtype)()
        for value in step(method).values():
            assert value == value and abs(value) < 1e6
        images = IMAGES.to(next(method.parameters()).dtype)
        for logits in method.eval().predict(images).values():
            assert logits.shape == (8, 10)


def test_attention_is_counted_without_being_kept():
    method = make("sastc")
    seen = []
    for _ in range(3):
        method(IMAGES, LABELS)
        seen.append(method.attention)
    mean = torch.stack(seen).mean(0)
    torch.testing.assert_close(torch.tensor(method.notes()["attention"]), mean, rtol=0, atol=1e-4)
    kept = [x for x in vars(method).values() if isinstance(x, list)]
    assert not any(kept)
    set_time_steps(method.student, 3)
    method(IMAGES, LABELS)  # other time steps begin another count
    assert len(method.notes()["attention"]) == 3
    method.begin_epoch(1)
    assert method.notes() == {}


@pytest.mark.parametrize("case", [name for name in METHODS if hasattr(METHODS[name].Config, "label_loss")])
def test_a_loss_that_is_added_serves_every_method_that_borrows_one(case, monkeypatch):
    asked = []

    def mine(outputs, labels):
        asked.append(outputs.shape)
        return 0 * outputs.sum() + 7

    monkeypatch.setitem(LABEL_LOSSES, "mine", mine)
    monkeypatch.setitem(CASES, "mine", (case, {"label_loss": "mine"} | CASES[case][1]))
    assert step(make("mine"))["ce"] >= 7
    assert asked and all(shape == (2, 8, 10) for shape in asked)
