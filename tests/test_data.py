"""Data sets: splits that stay, what a set knows about itself, settings told in one line."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bad_input import one_line
from snnbook import data
from snnbook.data import DataConfig, split
from snnbook.errors import UserError

SMALL = DataConfig(size=8, train_per_class=10)


@pytest.fixture(scope="module")
def digits():
    return data.load(SMALL)


# Splits


def test_digits_few_a_class(digits):
    assert digits.train_labels.bincount().tolist() == [10] * 10
    assert len(digits.test_labels) == 1797 - 100
    assert digits.shape == (1, 8, 8) and digits.num_classes == 10
    assert digits.train_images.dtype == torch.uint8 and digits.train_images.max() == 255
    seen = {image.numpy().tobytes() for image in torch.cat((digits.train_images, digits.test_images))}
    every, _ = data.digits.load(8)[1]
    assert seen == {image.numpy().tobytes() for image in every}


def test_digits_fraction_is_stratified():
    all_of_it = data.load(DataConfig(size=8))
    assert len(all_of_it.test_labels) == round(0.2 * 1797)
    assert len(all_of_it.train_labels) + len(all_of_it.test_labels) == 1797
    share = all_of_it.test_labels.bincount() / data.digits.load(8)[1].labels.bincount()
    assert (share - 0.2).abs().max() < 0.01


def test_digits_grow():
    scans, resized = data.digits.load(8)[1].images, data.digits.load(32)[1].images
    assert resized.shape == (1797, 1, 32, 32)
    expected = torch.nn.functional.interpolate(scans.float(), 32, mode="bilinear")
    assert (resized - expected).abs().max() <= 1  # Pillow rounds after each axis


def test_split_belongs_to_its_seed(digits):
    again, other = data.load(SMALL), data.load(replace(SMALL, split_seed=1))
    assert again.fingerprint == digits.fingerprint != other.fingerprint
    assert torch.equal(again.train_images, digits.train_images)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A folder of 20 images a class and half."""
    root, draw = tmp_path_factory.mktemp("many"), np.random.default_rng(0)
    for half, name, i in product(("train", "test"), ("ant", "cat"), range(20)):
        (root / half / name).mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / half / name / f"{i}.png")
    return root


@pytest.mark.parametrize(
    ("settings", "drawn"),
    [
        ({"name": "digits"}, "train_images"),
        ({"train_per_class": 10}, "train_images"),
        ({"train_fraction": 0.5}, "train_images"),
        ({"validation": 10}, "train_images"),
        ({"label_noise": 0.5}, "train_labels"),
        ({"test_limit": 20}, "test_images"),
    ],
)
def test_another_split_seed_draws_anew_whatever_is_drawn(many, settings, drawn):
    one, again, other = (
        getattr(
            data.load(DataConfig(**{"name": "folder", "size": 4, "split_seed": seed} | settings), many), drawn
        )
        for seed in (0, 0, 1)
    )
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_test_limit_keeps_proportions(digits):
    limited = data.load(replace(SMALL, test_limit=50))
    assert torch.equal(limited.test_images, digits.test_images[:50])
    assert limited.test_labels.bincount().tolist() == [5] * 10
    assert torch.equal(limited.train_images, digits.train_images)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 2**32 - 1), st.data())
def test_every_prefix_is_stratified(labels, seed, draw):
    labels = torch.tensor(labels)
    order = split.stratified_order(labels, seed)
    assert sorted(order.tolist()) == list(range(len(labels)))
    prefix = draw.draw(st.integers(0, len(labels)))
    share = labels.bincount() * prefix / len(labels)
    kept = labels[order[:prefix]].bincount(minlength=len(share))
    assert (kept - share).abs().max() <= len(share) / 2 + 0.5


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(1, 9), st.integers(0, 99))
def test_divide_takes_each_image_once(labels, count, seed):
    labels = torch.tensor(labels)
    train, test = split.divide(labels, count, seed)
    assert sorted(torch.cat((train, test)).tolist()) == list(range(len(labels)))
    assert torch.equal(labels[train].bincount(minlength=5), labels.bincount(minlength=5).clamp(max=count))


# What a data set knows about itself


def test_statistics_and_description(digits):
    pixels = digits.train_images.double() / 255
    assert digits.mean == pytest.approx([pixels.mean().item()])
    assert digits.std == pytest.approx([pixels.std(correction=0).item()])
    facts = digits.describe()
    assert (facts["name"], facts["classes"], facts["train"], facts["test"]) == ("digits", 10, 100, 1697)
    assert facts["shape"] == [1, 8, 8] and facts["fingerprint"] == digits.fingerprint
    assert facts["standard_error_at_90"] == pytest.approx(100 * (0.9 * 0.1 / 1697) ** 0.5)


def test_one_pixel_changes_the_fingerprint(tree):
    config = DataConfig("folder", size=6)
    before = data.load(config, tree).fingerprint
    file = tree / "test" / "ant" / "1.png"
    pixels = np.array(Image.open(file))
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(file)
    assert data.load(config, tree).fingerprint != before


def test_moving_keeps_the_rest(digits):
    moved = digits.to("meta")
    assert {moved.train_images.device.type, moved.test_labels.device.type} == {"meta"}
    assert (moved.classes, moved.mean, moved.fingerprint) == (digits.classes, digits.mean, digits.fingerprint)


def test_default_root(monkeypatch, tmp_path):
    monkeypatch.setenv("SNNBOOK_DATA", str(tmp_path / "mine"))
    assert data.default_root() == tmp_path / "mine"
    one_line(lambda: data.load(DataConfig("cifar10")), tmp_path / "mine")
    monkeypatch.delenv("SNNBOOK_DATA")
    assert data.default_root().name == "data"


# Bad input


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"name": "cifar"}, ["'cifar'", "did you mean 'cifar1"]),
        ({"name": "xyz"}, ["'xyz'", "digits, cifar10, cifar100, folder"]),
        ({"size": 0}, ["size is 0"]),
        ({"train_per_class": 0}, ["train_per_class is 0"]),
        ({"test_limit": -1}, ["test_limit is -1"]),
        ({"test_fraction": 1.0}, ["test_fraction is 1.0"]),
        ({"split_seed": -1}, ["split_seed is -1"]),
    ],
)
def test_bad_settings(settings, parts):
    one_line(lambda: DataConfig(**settings), *parts)


def test_too_few_images(tree):
    one_line(lambda: data.load(replace(SMALL, train_per_class=175)), "train_per_class", "'8'", "174")
    config = DataConfig("folder", size=6, train_per_class=4)
    one_line(lambda: data.load(config, tree), "train_per_class", "'ant'", "it has 3")


def test_few_shot_subsets_are_stratified_and_nested():
    whole, half, tenth = (
        data.load(DataConfig(size=8, train_per_class=20, train_fraction=share)) for share in (1.0, 0.5, 0.1)
    )
    assert whole.train_labels.bincount().tolist() == [20] * 10
    assert half.train_labels.bincount().tolist() == [10] * 10
    assert tenth.train_labels.bincount().tolist() == [2] * 10
    assert torch.equal(whole.test_labels, tenth.test_labels)
    kept = {image.numpy().tobytes() for image in half.train_images}
    assert all(image.numpy().tobytes() in kept for image in tenth.train_images)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_noise": 1.0}, "below 1"),
        ({"label_noise": -0.1}, "at least 0"),
        ({"train_fraction": 0.0}, "above 0"),
        ({"train_fraction": 1.5}, "at most 1"),
    ],
)
def test_senseless_shares_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        DataConfig(**options)
