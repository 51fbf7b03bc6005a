"""Data sets and loaders of torch train too, resumed runs like uninterrupted ones, or one line says why not."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    IterableDataset,
    RandomSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from bad_input import one_line
from own_data import RECIPE, method, problem
from snnbook.analysis import measure
from snnbook.data import Dataset, LoaderDataset, batches, dataset_of, test_batches
from snnbook.trainers.loop.evaluation import evaluate
from snnbook.trainers.loop.fit import fit

OWN = problem()
TRAIN, TEST = TensorDataset(*OWN[:2]), TensorDataset(*OWN[2:])


def as_floats(images):
    return images.float() / 255


FLOATS = TensorDataset(as_floats(OWN[0]), OWN[1]), TensorDataset(as_floats(OWN[2]), OWN[3])


def loaders(train=FLOATS[0], test=FLOATS[1], **options):
    options = {"batch_size": 8, "shuffle": True, **options}
    return DataLoader(train, **options), DataLoader(test, batch_size=16)


def run(data, recipe=RECIPE, seed=0, **options):
    return fit(method(), data, recipe, seed=seed, progress=False, **options)


class Items:
    """A data set of torch in the plainest sense: a length and items."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


def pairs(images, labels, image=lambda x: x, label=int):
    return Items([(image(x), label(y)) for x, y in zip(images, labels, strict=True)])


def test_tensor_data_sets_are_their_tensors():
    data = dataset_of((TRAIN, TEST))
    assert data.fingerprint == Dataset.from_tensors(*OWN).fingerprint
    assert run((TRAIN, TEST)).losses == run(data).losses


@pytest.mark.parametrize(
    "image",
    [
        lambda x: x,
        lambda x: x.numpy(),
        lambda x: x[0],
        lambda x: x[0].numpy()[::-1, ::-1][::-1, ::-1],
        lambda x: Image.fromarray(x[0].numpy()),
    ],
)
@pytest.mark.parametrize("label", [int, lambda y: y, lambda y: np.int32(y), lambda y: y.numpy()])
def test_data_sets_with_items_are_read_once(image, label):
    data = dataset_of((pairs(*OWN[:2], image, label), pairs(*OWN[2:], image, label)))
    assert data.fingerprint == Dataset.from_tensors(*OWN).fingerprint


def test_lists_subsets_and_sums_are_data_sets_too():
    half = [Subset(TRAIN, range(10)), Subset(TRAIN, range(10, 20))]
    data = dataset_of((ConcatDataset(half), pairs(*OWN[2:]).items))
    assert data.fingerprint == Dataset.from_tensors(*OWN).fingerprint


def test_colour_images_of_pillow():
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 7, 3), dtype=np.uint8)
    items = Items([(Image.fromarray(x), i % 2) for i, x in enumerate(pixels)])
    data = dataset_of((items, items))
    assert np.array_equal(data.train_images.numpy(), pixels.transpose(0, 3, 1, 2))
    deep = Items([(Image.fromarray(np.zeros((5, 5), np.uint16)), 0)])
    one_line(lambda: dataset_of((deep, deep)), "item 0 of the training set", "8 bits")


def test_class_names_are_taken_over_and_have_to_agree():
    train, test = pairs(*OWN[:2]), pairs(*OWN[2:])
    train.classes = test.classes = ["top", "middle", "bottom"]
    assert dataset_of((train, test)).classes == ("top", "middle", "bottom")
    test.classes = ["bottom", "middle", "top"]
    one_line(lambda: dataset_of((train, test)), "expected the same in both")


class Flickering(Items):
    def __getitem__(self, i):
        image, label = self.items[i]
        return image + 0.1 * torch.rand(1), label


WRONG = {
    "three things": ([(OWN[0][0], 0, 1)], "expected a pair of image and class number"),
    "no pair": ([OWN[0][0]], "expected a pair of image and class number"),
    "a dictionary": ([{"image": 0}], "expected a pair of image and class number"),
    "a fraction": ([(OWN[0][0], 0.5)], "expected one whole number"),
    "one-hot": ([(OWN[0][0], torch.eye(3)[0])], "expected one whole number"),
    "a word": ([(OWN[0][0], "cat")], "the label of item 0 of the training set is 'cat'"),
    "a truth": ([(OWN[0][0], True)], "is True; expected one whole number"),
    "shapes": ([(OWN[0][0], 0), (OWN[0][0][:, :3], 1)], "expected all alike"),
    "types": ([(OWN[0][0], 0), (as_floats(OWN[0][0]), 1)], "expected all alike"),
    "axes": ([(OWN[0][0], 0), (OWN[0][0][0], 1)], "expected all alike"),
    "whole numbers": ([(OWN[0][0].long(), 0), (OWN[0][0].long(), 1)], "are int64"),
    "nothing": ([], "is empty"),
    "words": ([("an image", 0)], "the pixels of item 0 of the training set are a str"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_items_that_are_no_images_say_so(kind):
    items, words = WRONG[kind]
    one_line(lambda: dataset_of((Items(items), TEST)), words)


def test_random_transforms_are_told_where_to_go():
    items = Flickering([(as_floats(x), int(y)) for x, y in zip(*OWN[:2], strict=True)])
    one_line(lambda: dataset_of((items, items)), "another image each time", "recipe.augment")


class Endless(IterableDataset):
    def __iter__(self):
        return iter(FLOATS[0])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (DataLoader(TRAIN), "data is a DataLoader; expected"),
        (TRAIN, "data is a TensorDataset; expected"),
        ((TRAIN,), "data is a tuple"),
        ((TRAIN, TEST, TEST), "data is a tuple"),
        ((OWN[0], OWN[1]), "expected Dataset.from_tensors"),
        ((OWN[0].numpy(), OWN[1].numpy()), "expected Dataset.from_tensors"),
        ((TRAIN, DataLoader(TEST)), "expected two of one kind"),
        ((dataset_of((TRAIN, TEST)), TEST), "expected two of one kind"),
        ((Endless(), Endless()), "no length"),
        ((DataLoader(Endless()), DataLoader(Endless())), "IterableDataset"),
        ((loaders()[0], DataLoader(TEST, batch_size=3, drop_last=True)), "expected all test images"),
        ((3, 4), "no length or no items"),
        ((TensorDataset(OWN[0]), TEST), "has 1 tensors; expected two"),
        ("digits", "data is a str"),
        ({"train": TRAIN}, "data is a dict"),
    ],
)
def test_other_data_are_refused(data, words):
    one_line(lambda: run(data), words)


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


COLLATED = {
    "three": (lambda items: (1, 2, 3), "is a tuple; expected a pair"),
    "dictionary": (lambda items: {"image": 1}, "is a dict; expected a pair"),
    "tensor": (lambda items: torch.stack([x for x, _ in items]), "is a Tensor; expected a pair"),
    "lists": (lambda items: ([1], [2]), "are a list"),
    "flat": (
        lambda items: (torch.rand(len(items), 3), torch.zeros(len(items)).long()),
        "expected [B, C, H, W]",
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


def test_a_loader_data_set_says_what_it_is_made_of():
    first, again = dataset_of(loaders()), dataset_of(loaders())
    assert isinstance(first, LoaderDataset)
    assert first.fingerprint == again.fingerprint
    shuffled_test = loaders()[0], DataLoader(FLOATS[1], batch_size=7, shuffle=True)
    assert dataset_of(shuffled_test).fingerprint == first.fingerprint
    other = TensorDataset(1 - FLOATS[1].tensors[0], OWN[3])
    assert dataset_of(loaders(test=other)).fingerprint != first.fingerprint
