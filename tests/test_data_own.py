"""Data sets of torch, and anything with a length and items, are read once, or refused in one line."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import ConcatDataset, DataLoader, IterableDataset, Subset, TensorDataset

from bad_input import one_line
from own_data import FLOATS, OWN, TEST, TRAIN, as_floats, loaders, run
from snnbook.data import Dataset, dataset_of
from snnbook.data.folder import decode


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


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L"])
def test_transparent_images_lie_on_white_as_those_of_folders_do(mode, tmp_path):
    image = Image.new("RGBA", (8, 8), (10, 200, 30, 0))
    image.paste((40, 40, 40, 255), (2, 2, 6, 6))
    if mode == "P":
        image = image.quantize(8)
    elif mode != "RGBA":
        image = image.convert("LA").convert(mode)
    if mode == "L":
        image.info["transparency"] = image.getpixel((0, 0))
    image.save(tmp_path / "it.png")
    expected = torch.from_numpy(decode(tmp_path / "it.png", np.asarray).copy()).permute(2, 0, 1)
    data = dataset_of((Items([(image, 0), (image, 1)]), Items([(image, 0), (image, 1)])))
    assert torch.equal(data.train_images[0], expected)
    assert expected[:, 0, 0].min() == 255 and expected[:, 3, 3].max() == 40


class Turned(TensorDataset):
    """Tensors whose items are others: upside down, labelled anew, and fewer."""

    def __len__(self):
        return 15

    def __getitem__(self, i):
        image, label = super().__getitem__(i)
        return image.flip(-2), 2 - label


def test_a_tensor_data_set_with_items_of_its_own_is_its_items():
    data = dataset_of((Turned(*OWN[:2]), TEST))
    expected = Dataset.from_tensors(OWN[0][:15].flip(-2), 2 - OWN[1][:15], *OWN[2:])
    assert data.fingerprint == expected.fingerprint


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
