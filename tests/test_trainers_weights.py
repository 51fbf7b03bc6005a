"""Weights come back from disk as they were, tied ones tied, or are refused by their first fault in one line."""

import json
import os

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bad_input import one_line
from snnbook.backbones import NetworkConfig, build_snn
from snnbook.trainers import JointASNN
from snnbook.trainers.joint import JointConfig
from snnbook.trainers.loop.weights import load_weights, read, save_weights, weights_digest

NETWORK = NetworkConfig("convnet", width=4, time_steps=2)


class Holder(nn.Module):
    """A module of given tensors."""

    def __init__(self, **tensors):
        super().__init__()
        for name, value in tensors.items():
            self.register_buffer(name, value)


class Tied(nn.Module):
    def __init__(self, tied=True):
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
        if tied:
            self.second.weight = self.first.weight


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    assert list(a) == list(b)
    for name, value in a.items():
        assert value.dtype == b[name].dtype
        assert torch.equal(value, b[name]), name


DTYPES = st.sampled_from(
    [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.int64, torch.uint8, torch.bool]
)
SHAPES = st.lists(st.integers(0, 3), max_size=4)


@given(kinds=st.lists(st.tuples(DTYPES, SHAPES, st.booleans()), max_size=4), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_any_tensors_come_back(tmp_path_factory, kinds, seed):
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for i, (dtype, shape, transposed) in enumerate(kinds):
        value = (torch.rand(shape, generator=generator) * 5).to(dtype)
        tensors[f"t{i}"] = value.transpose(0, -1) if transposed and shape else value
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    whole = Holder(**tensors)
    written = save_weights(whole, path)
    fresh = Holder(**{name: torch.zeros_like(value) for name, value in tensors.items()})
    assert load_weights(fresh, path) == weights_digest(path) == written
    same(fresh, whole)


def test_layout_and_device_leave_no_trace(tmp_path):
    torch.manual_seed(0)
    plain = build_snn(NETWORK, 10)
    first = save_weights(plain, tmp_path / "a.safetensors")
    assert save_weights(plain.to(memory_format=torch.channels_last), tmp_path / "b.safetensors") == first
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    torch.manual_seed(1)
    other = build_snn(NETWORK, 10)
    assert save_weights(other, tmp_path / "c.safetensors") != first
    load_weights(other, tmp_path / "a.safetensors")
    same(other, plain)
    assert list(read(tmp_path / "a.safetensors")) == list(plain.state_dict())  # the network's order


def test_one_digit_changes_the_digest(tmp_path):
    values = {"a": torch.zeros(2), "b": torch.zeros(2)}
    variants = [values, {"a": torch.zeros(2), "c": torch.zeros(2)}, {"a": torch.zeros(2), "b": torch.ones(2)}]
    variants += [
        {"a": torch.zeros(2), "b": torch.zeros(2, 1)},
        {"a": torch.zeros(2), "b": torch.zeros(2).double()},
    ]
    found = {save_weights(Holder(**tensors), tmp_path / "x.safetensors") for tensors in variants}
    assert len(found) == len(variants)


def test_tied_weights_are_written_once_and_stay_tied(tmp_path):
    path, tied = tmp_path / "model.safetensors", Tied()
    save_weights(tied, path)
    assert len(safetensors.torch.load_file(path)) == 3
    fresh = Tied()
    load_weights(fresh, path)
    assert fresh.second.weight is fresh.first.weight
    same(fresh, tied)
    apart = Tied(tied=False)
    load_weights(apart, path)
    same(apart, tied)


@pytest.mark.parametrize(
    "compiled", [lambda x: torch.compile(x), lambda x: nn.Sequential(x[0], torch.compile(x[1]))]
)
def test_a_compiled_network_has_the_names_it_has_uncompiled(tmp_path, compiled):
    def made(seed):
        torch.manual_seed(seed)
        return nn.Sequential(Tied(), Holder(mask=torch.tensor([-torch.inf, seed])))

    first, other, path = made(0), made(1), tmp_path / "model.safetensors"
    assert save_weights(first, path) == save_weights(compiled(first), path)
    load_weights(other, path)
    same(other, first)
    second = compiled(made(2))
    load_weights(second, path)
    assert all(map(torch.equal, second.state_dict().values(), first.state_dict().values()))
    # A file of an older version may have the wrapper's names.
    safetensors.torch.save_file({f"_orig_mod.{k}": v.clone() for k, v in made(3).state_dict().items()}, path)
    load_weights(other, path)
    same(other, made(3))


def test_different_weights_cannot_become_tied_ones(tmp_path):
    save_weights(Tied(tied=False), tmp_path / "model.safetensors")
    fresh = Tied()
    before = {name: value.clone() for name, value in fresh.state_dict().items()}
    one_line(
        lambda: load_weights(fresh, tmp_path / "model.safetensors"),
        "'first.weight' and 'second.weight' are one tensor here",
    )
    assert all(torch.equal(value, before[name]) for name, value in fresh.state_dict().items())


def test_a_part_of_a_larger_tensor_is_written_as_that_part(tmp_path):
    large = torch.arange(1000.0)
    parts = Holder(a=large[:4], b=large[2:6], c=large[:4].view(2, 2), d=torch.ones(1).expand(4))
    save_weights(parts, tmp_path / "model.safetensors")
    assert (tmp_path / "model.safetensors").stat().st_size < 1000
    fresh = Holder(a=torch.zeros(4), b=torch.zeros(4), c=torch.zeros(2, 2), d=torch.zeros(4))
    load_weights(fresh, tmp_path / "model.safetensors")
    same(fresh, parts)


@pytest.mark.parametrize("options", [{"share_bias": True}, {"factorize_stem": False}, {"factorize": "none"}])
def test_the_joint_method_comes_back_with_all_it_shares(tmp_path, options):
    def build(seed):
        torch.manual_seed(seed)
        return JointASNN(JointConfig(**options), NETWORK, 10)

    first, images = build(0), torch.rand(2, 3, 8, 8)
    save_weights(first, tmp_path / "model.safetensors")
    second = build(1)
    load_weights(second, tmp_path / "model.safetensors")
    for name, value in first.eval().predict(images).items():
        assert torch.equal(value, second.eval().predict(images)[name])
    same(first, second)


def test_a_part_can_be_taken_by_its_prefix(tmp_path):
    torch.manual_seed(0)
    whole = nn.ModuleDict({"network": nn.Linear(2, 2), "more": nn.Linear(1, 1)})
    save_weights(whole, tmp_path / "model.safetensors")
    part = nn.Linear(2, 2)
    load_weights(part, tmp_path / "model.safetensors", prefix="network.")
    same(part, whole["network"])


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Linear(2, 2, device="meta"), "'weight' are on the meta device"),
        (nn.LazyLinear(2), "'weight' have no shape yet"),
        (Holder(a=torch.ones(2, 2).to_sparse()), "'a' are sparse"),
        (Holder(a=torch.tensor([1.0, float("nan")])), "'a' hold NaN or infinity"),
        (Holder(running_var=torch.tensor([float("inf")])), "'running_var' hold NaN or infinity"),
        (Holder(a=torch.tensor(float("nan"), dtype=torch.bfloat16)), "'a' hold NaN"),
        (torch.ones(2), "expected a network"),
        ({"a": torch.ones(2)}, "expected a network"),
        (None, "expected a network"),
    ],
)
def test_what_has_no_numbers_is_not_written(tmp_path, module, words):
    one_line(lambda: save_weights(module, tmp_path / "model.safetensors"), words)
    assert not list(tmp_path.iterdir())


def test_state_that_is_no_tensor_is_refused(tmp_path):
    class Talking(nn.Linear):
        def get_extra_state(self):
            return {"words": "two\nlines"}

    one_line(lambda: save_weights(Talking(1, 1), tmp_path / "x"), "'_extra_state'", "expected tensors alone")


def test_masks_may_be_infinite_and_never_nan(tmp_path):
    mask = Holder(mask=torch.tensor([0.0, float("-inf")]))
    save_weights(mask, tmp_path / "model.safetensors")
    fresh = Holder(mask=torch.zeros(2))
    load_weights(fresh, tmp_path / "model.safetensors")
    same(fresh, mask)


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"weight": torch.ones(2, 2)}, "they lack 'bias'"),
        ({}, "they lack 'weight' and 1 more"),
        ({"weight": torch.ones(2, 2), "bias": torch.ones(2), "more": torch.ones(1)}, "no place for 'more'"),
        ({"weight": torch.ones(3, 2), "bias": torch.ones(2)}, "'weight' is [3, 2] there and [2, 2] here"),
        (
            {"weight": torch.ones(2, 2).long(), "bias": torch.ones(2)},
            "'weight' is int64 there and float32 here",
        ),
        ({"weight": torch.ones(2, 2) * float("nan"), "bias": torch.ones(2)}, "NaN or infinity in 'weight'"),
        ({"weight": torch.ones(2, 2) * float("inf"), "bias": torch.ones(2)}, "NaN or infinity in 'weight'"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_the_first_fault(tmp_path, tensors, words):
    path = tmp_path / "model.safetensors"
    path.write_bytes(safetensors.torch.save(tensors))  # as others write them
    module = nn.Linear(2, 2)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    one_line(lambda: load_weights(module, path), words)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_network_of_another_precision_takes_them(tmp_path):
    save_weights(nn.Linear(2, 2), tmp_path / "model.safetensors")
    half = nn.Linear(2, 2).bfloat16()
    load_weights(half, tmp_path / "model.safetensors")
    assert half.weight.dtype == torch.bfloat16


@given(cut=st.floats(0, 1), flip=st.integers(0, 10**6), how=st.sampled_from(["cut", "flip"]))
@settings(deadline=None, max_examples=60)
def test_a_damaged_file_is_refused_and_kept(tmp_path_factory, cut, flip, how):
    path = tmp_path_factory.mktemp("damaged") / "model.safetensors"
    torch.manual_seed(0)
    save_weights(nn.Linear(4, 4), path)
    content = bytearray(path.read_bytes())
    if how == "cut":
        content = content[: int(cut * len(content) * 0.999)]
    else:
        content[len(content) - 1 - flip % (20 * 4)] ^= 1 << flip % 8  # among the numbers
    path.write_bytes(content)
    one_line(lambda: load_weights(nn.Linear(4, 4), path), path)
    one_line(lambda: weights_digest(path), path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"not weights", b"\xff" * 100, b"PK\3\4", b"{}", b"\x80\x02."]
)
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "model").write_bytes(content)
    one_line(lambda: load_weights(nn.Linear(2, 2), tmp_path / "model"), "expected a")


def test_pickles_are_told_apart(tmp_path):
    for legacy in (False, True):
        torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "a", _use_new_zipfile_serialization=not legacy)
        one_line(lambda: load_weights(nn.Linear(2, 2), tmp_path / "a"), "is a pickle", "save_weights")


def test_a_newer_format_is_told_apart(tmp_path):
    note = {"snnbook": json.dumps({"format": 2, "version": "9.9"})}
    (tmp_path / "a").write_bytes(safetensors.torch.save({}, note))
    one_line(lambda: load_weights(nn.Linear(2, 2), tmp_path / "a"), "written by snnbook 9.9", "upgrade")


@pytest.mark.parametrize("call", [save_weights, load_weights])
def test_places_that_are_no_files_are_refused(tmp_path, call):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    module = nn.Linear(2, 2)
    one_line(lambda: call(module, tmp_path), "is a folder")
    one_line(lambda: call(module, tmp_path / "pipe"), "is no ordinary file")
    one_line(lambda: call(module, "/dev/null"), "is no ordinary file")
    one_line(lambda: call(module, tmp_path / "file/model.safetensors"), "model.safetensors")
    for wrong in (None, 3, "", "a\0b", b"bytes\0"):
        one_line(lambda wrong=wrong: call(module, wrong), "expected the name of a file")
    assert os.path.exists("/dev/null") and not os.path.isfile("/dev/null")


def test_a_missing_file_says_so(tmp_path):
    one_line(lambda: load_weights(nn.Linear(1, 1), tmp_path / "none"), "no trained weights at", "none")


def test_a_network_without_numbers_takes_none(tmp_path):
    save_weights(nn.Linear(2, 2), tmp_path / "model")
    one_line(lambda: load_weights(nn.Linear(2, 2, device="meta"), tmp_path / "model"), "meta device")


def test_an_empty_network_has_empty_weights(tmp_path):
    assert save_weights(nn.ReLU(), tmp_path / "model") == load_weights(nn.Tanh(), tmp_path / "model")


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model"
    save_weights(nn.Linear(2, 2), path)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    one_line(lambda: save_weights(nn.Linear(2, 2), path), "No space left on device")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
