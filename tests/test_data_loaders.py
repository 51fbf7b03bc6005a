"""Loaders of torch train too, resumed runs like uninterrupted ones, or one line says why not."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import (
    DataLoader,
    RandomSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from bad_input import one_line
from own_data import FLOATS, OWN, RECIPE, TEST, TRAIN, loaders, method, problem, run
from snnbook.analysis import measure
from snnbook.data import LoaderDataset, batches, dataset_of, test_batches
from snnbook.trainers.loop.evaluation import evaluate

TRAINED = method()


def test_loaders_train_in_their_order_with_their_images():
    data = dataset_of(loaders(shuffle=False))
    assert (data.shape, data.num_classes, len(data.train_labels)) == ((1, 6, 6), 3, 20)
    seen = list(batches(data, 8, seed=0, epoch=0, drop_last=False))
    assert torch.equal(torch.cat([images for images, _ in seen]), FLOATS[0].tensors[0])
    assert [len(labels) for _, labels in seen] == [8, 8, 4]
    assert len(list(batches(data, 8, seed=0, epoch=0))) == 2
    assert torch.equal(torch.cat([labels for _, labels in test_batches(data, 5)]), OWN[3])
    history = run(data)
    assert history.epochs == 2
    assert run(loaders(shuffle=False)).losses == history.losses
    summary = data.summary()
    assert "20 training and 20 test images of 1x6x6 floats, from DataLoaders" in summary
    assert data.describe()["fingerprint"] == data.to("cpu").fingerprint
    trained = method()
    assert 0 <= evaluate(trained, loaders(shuffle=False))["snn"] <= 100
    assert measure(trained, data)["snn"]["time_steps"] == 2


def test_measuring_draws_nothing():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    measure(TRAINED, dataset_of(loaders(shuffle=False)))
    assert torch.equal(torch.get_rng_state(), before)


def test_bytes_of_loaders_become_shares_and_frames_come_time_first():
    frames = problem(frames=2, channels=2)
    data = dataset_of(loaders(TensorDataset(*frames[:2]), TensorDataset(*frames[2:]), shuffle=False))
    images, _ = next(batches(data, 8, seed=0, epoch=0))
    torch.testing.assert_close(images, frames[0][:8].transpose(0, 1) / 255)
    assert (data.frames, data.channels) == (2, 2)


def test_normalized_images_are_fine_in_loaders():
    shifted = (
        TensorDataset(FLOATS[0].tensors[0] * 4 - 2, OWN[1]),
        TensorDataset(FLOATS[1].tensors[0] * 4 - 2, OWN[3]),
    )
    assert run(loaders(*shifted)).epochs == 2


@pytest.fixture(params=[torch.float64, torch.bfloat16])
def default(request):
    before = torch.get_default_dtype()
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(before)


@pytest.mark.parametrize("given", ["data set", "floats", "bytes"])
def test_images_are_of_the_type_that_networks_are_built_in(default, given):
    pairs = {"data set": (TRAIN, TEST), "floats": loaders(), "bytes": loaders(TRAIN, TEST)}
    found = dataset_of(pairs[given])
    (images, _), (last, _) = next(batches(found, 8, seed=0, epoch=0)), next(test_batches(found, 8))
    assert images.dtype == last.dtype == default
    if default == torch.float64:
        assert run(found).epochs == 2


class Noisy(TensorDataset):
    """Draws from all three global generators, as transforms do."""

    def __getitem__(self, i):
        image, label = super().__getitem__(i)
        return image + 0.1 * (torch.rand(1) + random.random() + np.random.rand()).float(), label  # noqa: NPY002


def orders():
    shared = torch.Generator()
    return {
        "shuffled": dict(),
        "own generator": dict(generator=torch.Generator().manual_seed(7)),
        "sampler": dict(shuffle=False, sampler=RandomSampler(OWN[1], generator=shared)),
        "subset": dict(shuffle=False, sampler=SubsetRandomSampler(range(3, 20), generator=torch.Generator())),
        "weighted": dict(shuffle=False, sampler=WeightedRandomSampler([1.0] * 20, 20)),
        "workers": dict(num_workers=2),
    }


class Killed(Exception):
    pass


def kill(history):
    raise Killed


@pytest.mark.parametrize("order", orders())
def test_a_resumed_run_equals_an_uninterrupted_one(order, tmp_path):
    noisy = Noisy(*FLOATS[0].tensors), FLOATS[1]
    expected = run(loaders(*noisy, **orders()[order]), seed=3)
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(Killed):
        run(loaders(*noisy, **orders()[order]), seed=3, checkpoint=path, on_epoch=kill)
    torch.manual_seed(99)
    random.seed(99)
    np.random.seed(99)  # noqa: NPY002
    resumed = run(loaders(*noisy, **orders()[order]), seed=3, checkpoint=path)
    assert resumed.losses == expected.losses
    assert resumed.accuracy == expected.accuracy
    assert run(loaders(*noisy, **orders()[order]), seed=4).losses != expected.losses


class Wandering(TensorDataset):
    """Keeps a generator to itself."""

    def __init__(self, *tensors):
        super().__init__(*tensors)
        self.generator = np.random.default_rng()

    def __getitem__(self, i):
        image, label = super().__getitem__(i)
        return image + float(self.generator.random()), label


@pytest.mark.parametrize(
    ("train", "options"),
    [
        (Wandering(*FLOATS[0].tensors), {}),
        (Noisy(*FLOATS[0].tensors), {"num_workers": 1, "persistent_workers": True}),
    ],
)
def test_what_could_not_be_resumed_is_told_at_once(tmp_path, train, options):
    one_line(
        lambda: run(loaders(train, **options), checkpoint=tmp_path / "c.pt"), "a resumed run would differ"
    )
    assert run(loaders(train, **options)).epochs == 2  # without a checkpoint nothing is promised


def test_global_generators_are_put_back():
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    expected = random.random(), np.random.rand()  # noqa: NPY002
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    run(loaders())
    assert (random.random(), np.random.rand()) == expected  # noqa: NPY002


@pytest.mark.parametrize("look", [dataset_of, lambda pair: evaluate(TRAINED, pair)])
def test_weights_built_after_a_look_at_loaders_follow_their_seed(look):
    drawn = {}
    for seed in (1, 2):
        torch.manual_seed(seed)
        expected = torch.rand(3)
        torch.manual_seed(seed)
        look(loaders(Noisy(*FLOATS[0].tensors)))
        drawn[seed] = torch.rand(3)
        assert torch.equal(drawn[seed], expected)
    assert not torch.equal(drawn[1], drawn[2])


def test_a_pass_left_in_its_middle_disturbs_no_later_seed():
    left = batches(dataset_of(loaders()), 8, seed=0, epoch=0)
    next(left)
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    left.close()
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("options", "recipe", "words"),
    [
        ({"batch_size": 4}, {}, "recipe.batch_size is 8 and the training loader's is 4"),
        ({}, {"augment": ("flip",)}, "set augment=()"),
        ({"drop_last": True}, {"drop_last": False}, "drops its last batch"),
    ],
)
def test_recipe_and_loader_have_to_agree(options, recipe, words):
    one_line(lambda: run(loaders(**options), replace(RECIPE, **recipe)), words)


def test_processes_cannot_share_a_loader():
    one_line(lambda: batches(dataset_of(loaders()), 8, seed=0, epoch=0, part=(0, 2)), "several processes")


def blank(count, kind=torch.float32):
    return torch.ones(count, 1, 6, 6, dtype=kind)


def zeros(count):
    return torch.zeros(count).long()


COLLATED = {
    "three": (lambda items: (1, 2, 3), "is a tuple; expected a pair"),
    "dictionary": (lambda items: {"image": 1}, "is a dict; expected a pair"),
    "tensor": (lambda items: torch.stack([x for x, _ in items]), "is a Tensor; expected a pair"),
    "lists": (lambda items: ([1], [2]), "are a list"),
    "flat": (
        lambda items: (torch.rand(len(items), 3), torch.zeros(len(items)).long()),
        "expected [B, C, H, W]",
    ),
    "channels last": (
        lambda items: (torch.rand(len(items), 6, 8, 3), torch.zeros(len(items)).long()),
        "have shape [8, 6, 8, 3], channels last",
    ),
    "whole": (
        lambda items: (torch.ones(len(items), 1, 6, 6).long(), torch.zeros(len(items)).long()),
        "are int64",
    ),
    "nan": (
        lambda items: (torch.full((len(items), 1, 6, 6), torch.nan), torch.zeros(len(items)).long()),
        "hold NaN",
    ),
    "fractions": (lambda items: (torch.rand(len(items), 1, 6, 6), torch.rand(len(items))), "are float32"),
    "negative": (
        lambda items: (torch.rand(len(items), 1, 6, 6), -torch.ones(len(items)).long()),
        "reach from -1",
    ),
    "growing": (
        lambda items: (torch.rand(len(items), 1, 6, len(items)), torch.arange(len(items))),
        "expected one shape",
    ),
    "mixed": (
        lambda items: (
            blank(len(items), torch.uint8 if len(items) < 8 else torch.float32),
            zeros(len(items)),
        ),
        "the training loader gives uint8 and before float32; expected all as bytes or all as floats",
    ),
}


@pytest.mark.parametrize("kind", COLLATED)
def test_loaders_that_yield_something_else_say_so(kind):
    collate, words = COLLATED[kind]
    one_line(lambda: run(loaders(collate_fn=collate)), words)


def test_halves_have_to_fit():
    small = TensorDataset(FLOATS[1].tensors[0][..., :5], OWN[3])
    one_line(lambda: run(loaders(test=small)), "expected one shape in both")
    same = TensorDataset(FLOATS[0].tensors[0], OWN[1] * 0)
    one_line(lambda: run(loaders(same, same)), "classes are only 1")
    one_line(lambda: run(loaders(Subset(FLOATS[0], []), shuffle=False)), "gives no batch")


@pytest.mark.parametrize("half", ["train", "test"])
def test_bytes_in_one_half_and_floats_in_the_other(half):
    mixed = {half: TensorDataset(*(OWN[:2] if half == "train" else OWN[2:]))}
    kinds = ("uint8", "float32") if half == "train" else ("float32", "uint8")
    told = "training images are {} and test images {}; expected all as bytes".format(*kinds)
    one_line(lambda: dataset_of(loaders(**mixed)), told)


def test_floats_that_become_bytes_later():
    kind = [torch.float32]
    data = dataset_of(
        loaders(collate_fn=lambda items: (blank(len(items), kind[0]), torch.arange(len(items))))
    )
    next(batches(data, 8, seed=0, epoch=0))
    kind[0] = torch.uint8
    one_line(lambda: next(batches(data, 8, seed=0, epoch=0)), "gave uint8 and before float32")


def test_a_loader_data_set_says_what_it_is_made_of():
    first, again = dataset_of(loaders()), dataset_of(loaders())
    assert isinstance(first, LoaderDataset)
    assert first.fingerprint == again.fingerprint
    shuffled_test = loaders()[0], DataLoader(FLOATS[1], batch_size=7, shuffle=True)
    assert dataset_of(shuffled_test).fingerprint == first.fingerprint
    other = TensorDataset(1 - FLOATS[1].tensors[0], OWN[3])
    assert dataset_of(loaders(test=other)).fingerprint != first.fingerprint
