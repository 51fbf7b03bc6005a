"""Settings of methods: what is of another type, out of range or without effect is refused in one line."""

from dataclasses import fields
from math import inf, nan
from pathlib import Path
from typing import get_type_hints

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bad_input import one_line
from snnbook.backbones import NetworkConfig, build_ann
from snnbook.checks import check_fields, check_number
from snnbook.errors import UserError
from snnbook.trainers import SASTC, Direct, Distillation, FeatureDistillation, JointASNN
from snnbook.trainers.loop.weights import save_weights

CONFIGS = [JointASNN.Config, Distillation.Config, FeatureDistillation.Config, SASTC.Config]
NETWORK = NetworkConfig("resnet18", width=4, time_steps=2)
IMAGES, LABELS = torch.rand(8, 3, 16, 16), torch.arange(8)

SETTINGS = [(cls, item.name) for cls in CONFIGS for item in fields(cls)]
WRONG = [
    nan,
    inf,
    -inf,
    -1,
    -0.5,
    "1",
    "sometimes",
    True,
    None,
    [],
    [1.0],
    {"name": 5},
    1.5,
    3 + 1j,
    object(),
    b"x",
]


@given(setting=st.sampled_from(SETTINGS), value=st.sampled_from(WRONG))
@settings(max_examples=300, deadline=None)
def test_a_setting_is_taken_as_it_is_or_refused_in_one_line(setting, value):
    cls, name = setting
    try:
        config = cls(**{name: value})
    except UserError as error:
        assert "\n" not in str(error) and len(str(error)) < 400
        assert name.removesuffix("_layer") in str(error)
        return
    hint = get_type_hints(cls)[name]
    if value is None:
        assert type(None) in getattr(hint, "__args__", ())  # the preset's, or none
    elif hint is bool or value is True:
        assert hint is bool and isinstance(value, bool)
    else:
        assert getattr(config, name) == value
        check_fields(config, "method")
    for item in fields(config):
        kept = getattr(config, item.name)
        if isinstance(kept, float) and "layer" not in item.name:
            assert 0 <= kept < inf


@pytest.mark.parametrize("cls", CONFIGS)
def test_weights_and_temperatures(cls):
    for name in {"ce", "kld", "beta", "norm"} & {item.name for item in fields(cls)}:
        for value in (-1, nan, inf, "1", True):
            one_line(
                lambda name=name, value=value: cls(**{name: value}), f"method.{name} is", value, "expected"
            )
    if cls is not JointASNN.Config:
        for value in (0, -1.0, nan, inf, "4"):
            one_line(lambda value=value: cls(temperature=value), "method.temperature is", value)
        nothing = {name: 0 for name in ("ce", "kld", "beta") if hasattr(cls(), name)}
        one_line(lambda: cls(**nothing), "nothing to learn")


@pytest.mark.parametrize(
    "unused",
    [{"kld": 0.5}, {"norm": 0.0}, {"kld": 0.0, "norm": 1.0}, {"detach": False}, {"label_loss": "tet"}],
)
def test_the_public_codes_loss_takes_no_weights(unused):
    one_line(lambda: JointASNN.Config(mode="official", **unused), *(f"method.{name}" for name in unused))
    assert JointASNN.Config(**unused).mode == "paper"


@pytest.mark.parametrize(
    "wrong", [{"name": 5}, {"width": "8"}, {"width": 0}, {"width": True}, {"options": None}, {"neuron": 3}]
)
def test_networks_of_no_kind(wrong):
    one_line(lambda: NetworkConfig(**{"name": "resnet18", **wrong}), "expected")
    key, value = next(iter(wrong.items()))
    if key != "neuron":
        one_line(lambda: Distillation.Config(teacher={"name": "resnet18", key: value}), "expected")


def teacher(path: Path, trained: bool = True, **changes) -> Path:
    torch.manual_seed(0)
    method = Direct(Direct.Config("ann"), NetworkConfig(**{"name": "resnet18", "width": 4, **changes}), 10)
    if trained:
        method(IMAGES, LABELS)
    save_weights(method, path)
    return path


def test_distillation_refuses_the_teachers_that_others_do(tmp_path):
    def taught(path, classes=10, **options):
        return lambda: Distillation(Distillation.Config(**options), NETWORK, classes, 3, path)

    good = teacher(tmp_path / "good.safetensors")
    one_line(taught(teacher(tmp_path / "fresh.safetensors", trained=False)), "was never trained")
    one_line(taught(good, classes=7), "knows 10 classes")
    one_line(taught(tmp_path / "none.safetensors"), "train that run first")
    one_line(taught(good, teacher={"name": "resnet18", "width": 8}), "do not fit")
    one_line(taught(None), "the teacher is")
    one_line(taught(torch.nn.Identity()), "the teacher is")
    wide = teacher(tmp_path / "wide.safetensors", width=8)
    method = taught(wide, teacher={"name": "resnet18", "width": 8}, kld=0.5, temperature=2.0)()
    assert set(method(IMAGES, LABELS)) == {"ce", "kld"}


def test_a_weight_of_zero_drops_its_term():
    for config, expected in (
        (Distillation.Config(ce=0.0), {"kld"}),
        (Distillation.Config(kld=0.0), {"ce"}),
    ):
        method = Distillation(config, NETWORK, 10, 3, build_ann(NETWORK, 10))
        assert set(method(IMAGES, LABELS)) == expected


@given(value=st.floats(), low=st.integers(-3, 3), high=st.integers(-3, 3), above=st.booleans())
@settings(deadline=None)
def test_a_number_is_refused_exactly_outside_its_range(value, low, high, above):
    inside = (low < value if above else low <= value) and value <= high
    if inside:
        check_number("x", value, low, high, above=above)
    else:
        one_line(lambda: check_number("x", value, low, high, above=above), "x is", "expected a number in")
