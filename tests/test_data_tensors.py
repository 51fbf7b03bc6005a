"""Tensors and arrays of one's own train like the library's data, or are refused in one line."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset

from bad_input import one_line
from own_data import RECIPE, method, problem
from snnbook import files
from snnbook.data import DataConfig, Dataset, batches, dataset_of, load, test_batches
from snnbook.data.augment import AUGMENTATIONS
from snnbook.data.dataset import Images, assemble
from snnbook.trainers.loop.evaluation import evaluate
from snnbook.trainers.loop.fit import fit

OWN = problem()


def train(data, **options):
    trained = method(**options)
    return fit(trained, data, RECIPE, seed=1, progress=False), trained


def floats(images):
    return images.float() / 255


def test_bytes_and_their_floats_give_the_same_numbers():
    as_bytes = Dataset.from_tensors(*OWN)
    as_floats = Dataset.from_tensors(floats(OWN[0]), OWN[1], floats(OWN[2]), OWN[3])
    assert as_floats.train_images.dtype == torch.float32
    assert as_floats.mean == pytest.approx(as_bytes.mean, abs=1e-7)
    assert as_floats.std == pytest.approx(as_bytes.std, abs=1e-7)
    options = dict(seed=0, epoch=0, augment=("crop", "flip", "roll", "cutout"))
    pairs = zip(batches(as_bytes, 8, **options), batches(as_floats, 8, **options), strict=True)
    for (images, labels), (same, numbers) in pairs:
        torch.testing.assert_close(images, same, atol=1e-5, rtol=0)
        assert torch.equal(labels, numbers)
    (first, a), (second, b) = train(as_bytes), train(as_floats)
    assert first.losses["ce"] == pytest.approx(second.losses["ce"], rel=1e-3)
    assert evaluate(a, as_bytes, RECIPE) == evaluate(b, as_floats)


def test_floats_are_not_cut_to_bytes():
    fine = torch.full((8, 1, 6, 6), 0.3333333)
    data = Dataset.from_tensors(fine, OWN[1][:8], fine, OWN[1][:8])
    assert torch.equal(data.train_images, fine)
    assert data.describe()["shape"] == [1, 6, 6]
    assert "8 training and 8 test images of 1x6x6 floats" in data.summary()
    assert data.nbytes == 2 * fine.nbytes
    black = Dataset.from_tensors(fine * 0 + 0.5, OWN[1][:8], fine, OWN[1][:8])
    assert black.fingerprint != data.fingerprint


@pytest.mark.parametrize("name", sorted(AUGMENTATIONS))
@pytest.mark.parametrize("frames", [None, 2])
def test_each_augmentation_works_on_floats_or_says_that_it_does_not(name, frames):
    whole = problem(frames=frames)
    data = Dataset.from_tensors(floats(whole[0]), whole[1], floats(whole[2]), whole[3])
    draw = lambda: next(batches(data, 8, seed=0, epoch=0, augment=(name,)))  # noqa: E731
    if name == "autoaugment":
        one_line(draw, "autoaugment", "leave it out")
        return
    images, _ = draw()
    assert images.isfinite().all() and images.dtype == torch.float32
    assert images.shape == ((2, 8, 1, 6, 6) if frames else (8, 1, 6, 6))


def test_autoaugment_is_for_photographs():
    data = Dataset.from_tensors(*problem(channels=2))
    one_line(lambda: next(batches(data, 8, seed=0, epoch=0, augment=("autoaugment",))), "of 2 channels")


def test_own_data_are_what_the_library_s_are():
    """The digits given as tensors: same fingerprint, same batches, same training."""
    digits = load(DataConfig(size=8, train_per_class=4, test_limit=60))
    parts = (digits.train_images, digits.train_labels, digits.test_images, digits.test_labels)
    own = Dataset.from_tensors(*parts, classes=digits.classes)
    assert (own.fingerprint, own.mean, own.std) == (digits.fingerprint, digits.mean, digits.std)
    recipe = replace(RECIPE, augment=("crop",))
    options = dict(channels=1, classes=10, size=8)
    first = fit(method(**options), digits, recipe, seed=0, progress=False)
    assert fit(method(**options), own, recipe, seed=0, progress=False).losses == first.losses
    as_arrays = Dataset.from_tensors(*(x.numpy() for x in parts), classes=list(digits.classes))
    assert as_arrays.fingerprint == digits.fingerprint


@pytest.mark.parametrize("run", ["joint-table4/snn", "tet-table3-events/", "sastc-table2-cifar100/vgg11-t3"])
def test_fingerprints_of_records_stand(run):
    """Of the data that the committed records were made with."""
    made = next(files.results().glob(f"quick/{run}*/seed0.json"))
    content = json.loads(made.read_text())
    data = load(DataConfig(**content["config"]["data"]))
    assert data.fingerprint == content["data"]["fingerprint"]


@given(st.data())
@settings(deadline=None, max_examples=30)
def test_any_array_of_numbers_in_range_is_taken_as_it_is(data):
    kind = data.draw(st.sampled_from(["u1", "f2", "f4", "f8", ">f4", ">f8"]))
    labels_kind = data.draw(st.sampled_from(["i1", "i2", "i4", "i8", "u1", "u2", "u4", ">i4"]))
    grey, frozen, backward, fortran = (data.draw(st.booleans()) for _ in range(4))
    pixels = OWN[0].numpy() if kind == "u1" else (floats(OWN[0]).numpy())
    images, labels = pixels.astype(kind), OWN[1].numpy().astype(labels_kind)
    if grey:
        images = images[:, 0]
    if fortran:
        images = np.asfortranarray(images)
    if backward:
        images, labels = images[::-1], labels[::-1]
    if frozen:
        images.flags.writeable = labels.flags.writeable = False
    found = Dataset.from_tensors(images, labels, images, labels)
    assert found.train_images.shape == (20, 1, 6, 6)
    back = found.train_images[:, 0] if grey else found.train_images
    np.testing.assert_allclose(back.numpy(), images.astype(float), atol=1e-7)
    assert found.train_labels.tolist() == labels.tolist()
    assert found.to("cpu").fingerprint == found.fingerprint


def test_event_frames_stay_in_their_range_and_train():
    whole = problem(frames=2, channels=2)
    data = Dataset.from_tensors(*whole)
    assert data.frames == 2 and data.channels == 2
    images, _ = next(test_batches(data, 20))
    assert images.shape == (2, 20, 2, 6, 6)
    torch.testing.assert_close(images, whole[2].transpose(0, 1) / 255)
    as_floats = Dataset.from_tensors(floats(whole[0]), whole[1], floats(whole[2]), whole[3])
    assert torch.equal(next(test_batches(as_floats, 20))[0], floats(whole[2]).transpose(0, 1))
    assert train(data, channels=2)[0].epochs == 2
    assert train(as_floats, channels=2)[0].epochs == 2


def test_assemble_takes_arrays_and_floats_too():
    images, labels = floats(OWN[0]).numpy(), OWN[1].numpy()
    data = assemble("mine", ("a", "b", "c"), Images(images, labels), Images(images, labels))
    assert data.mean == pytest.approx((images.mean(),), abs=1e-6)
    assert data.std == pytest.approx((images.std(),), abs=1e-6)


@pytest.mark.parametrize("made", [lambda images: images, floats], ids=["bytes", "floats"])
def test_what_changes_in_the_test_alone_is_counted_in_grey_levels(made):
    trained, seen = (torch.cat([images, torch.full_like(images, 51)], 1) for images in (OWN[0], OWN[2]))
    seen[:, 1] += 2
    data = Dataset.from_tensors(made(trained), OWN[1], made(seen), OWN[3])
    images, _ = next(test_batches(data, 20))
    torch.testing.assert_close(images[:, 1], torch.full_like(images[:, 1], 2), rtol=0, atol=1e-4)


IMAGES, LABELS = OWN[0], OWN[1]
WRONG_IMAGES = {
    "whole numbers": (IMAGES.long(), "are int64"),
    "truth values": (IMAGES > 9, "are bool"),
    "complex": (IMAGES.to(torch.complex64), "are complex64"),
    "not a number": (floats(IMAGES).index_fill(0, torch.tensor([3]), float("nan")), "hold NaN"),
    "infinite": (floats(IMAGES).index_fill(0, torch.tensor([3]), float("inf")), "hold values from"),
    "above 1": (IMAGES.float(), "divide by 255"),
    "below 0": (-floats(IMAGES), "hold values from"),
    "none": (IMAGES[:0], "are empty"),
    "no pixel": (IMAGES[:, :, :0], "are empty"),
    "two axes": (IMAGES[:, 0, 0], "expected [N, C, H, W]"),
    "six axes": (IMAGES[None, None], "expected [N, C, H, W]"),
    "no axis": (torch.tensor(0.5), "expected [N, C, H, W]"),
    "channels last": (IMAGES.permute(0, 2, 3, 1).expand(-1, -1, -1, 3), "channels last"),
    "grey last": (IMAGES.permute(0, 2, 3, 1), "channels last"),
    "wide, channels last": (IMAGES[:, 0, :5, :, None].expand(-1, -1, -1, 3), "channels last"),
    "frames, polarity last": (IMAGES[:, :, :, :, None].expand(-1, 4, 6, 6, 2), "channels last"),
    "a list": (IMAGES.tolist(), "are a list"),
    "objects": (np.array([None, "x"], dtype=object), "an array of object"),
    "words": (np.array(["a", "b"]), "expected numbers"),
    "dates": (np.array(["2020-01-01"], dtype="M8[D]"), "expected numbers"),
    "masked": (np.ma.masked_less(floats(IMAGES).numpy(), 0.1), "masked array"),
    "long doubles": (floats(IMAGES).numpy().astype(np.longdouble), "the training images"),
    "meta": (IMAGES.to("meta"), "meta device"),
    "sparse": (floats(IMAGES).to_sparse(), "sparse"),
    "none at all": (None, "are a NoneType"),
    "other shape": (IMAGES[:, :, :5], "expected one shape in both"),
    "other type": (floats(IMAGES), "expected both as bytes or both as floats"),
}
WRONG_LABELS = {
    "floats": (LABELS.float(), "are float32"),
    "truth values": (LABELS > 0, "are bool"),
    "negative": (LABELS - 1, "reach from -1"),
    "one-hot": (torch.eye(3)[LABELS], "one-hot"),
    "a column": (LABELS[:, None], "expected [N]"),
    "a number": (torch.tensor(1), "expected [N]"),
    "too few": (LABELS[:-1], "are 19, but there are 20 images"),
    "none": (LABELS[:0], "are 0, but there are 20 images"),
    "a list": (LABELS.tolist(), "are a list"),
    "words": (np.array(["cat"] * 20), "expected numbers"),
    "far": (LABELS * 10**9, "numbered from 0"),
}


@pytest.mark.parametrize("half", [0, 2])
@pytest.mark.parametrize("kind", WRONG_IMAGES)
def test_what_are_no_images_says_why(kind, half):
    value, words = WRONG_IMAGES[kind]
    parts = list(OWN)
    parts[half] = value
    words = words.replace("training", "test") if half else words
    one_line(lambda: Dataset.from_tensors(*parts), words)


@pytest.mark.parametrize(
    "shape",
    [
        (3, 32, 32),
        (3, 7, 3),
        (1, 8, 8),
        (3, 4),
        (32, 4),  # grey
        (3, 8, 1),
        (4, 2, 8, 6),
        (4, 2, 3, 3),
        (16, 3, 3),  # small maps
        (700, 1, 1),  # vectors
        (4, 700, 1, 1),
        (9, 128, 1),  # a signal of nine channels
    ],
)
def test_channels_that_come_first_are_taken(shape):
    images, labels = torch.zeros(6, *shape), torch.arange(6) % 2
    whole = shape if len(shape) > 2 else (1, *shape)
    assert Dataset.from_tensors(images, labels, images, labels).train_images.shape[1:] == whole
    loader = DataLoader(TensorDataset(images, labels), batch_size=3)
    assert dataset_of((loader, loader)).shape == whole


@pytest.mark.parametrize("half", [1, 3])
@pytest.mark.parametrize("kind", WRONG_LABELS)
def test_what_are_no_labels_says_why(kind, half):
    value, words = WRONG_LABELS[kind]
    parts = list(OWN)
    parts[half] = value
    one_line(lambda: Dataset.from_tensors(*parts), words)


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (("a", "b"), "0 to 1"),
        (("a", "b", "a"), "one of them twice"),
        (("a",), "only 1"),
        ((), "only 0"),
        ("abc", "expected the names"),
        (3, "expected the names"),
        ([1, 2, 3], "expected the names"),
    ],
)
def test_what_are_no_classes_says_why(classes, words):
    one_line(lambda: Dataset.from_tensors(*OWN, classes=classes), words)


def test_one_class_teaches_nothing():
    labels = torch.zeros(20, dtype=torch.int64)
    one_line(lambda: Dataset.from_tensors(OWN[0], labels, OWN[2], labels), "classes are only 1")


def test_more_classes_may_be_named_than_are_there():
    data = Dataset.from_tensors(*OWN, classes=["a", "b", "c", "d"])
    assert data.num_classes == 4
    one_line(lambda: train(data), "puts out 3 classes and the data have 4")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs two devices")
def test_one_device():
    one_line(lambda: Dataset.from_tensors(OWN[0].cuda(), *OWN[1:]), "expected one device")
