"""Data sets: splits that stay, batches that can be drawn again, and bad input told in one line."""

import hashlib
import io
import pickle
import shutil
import tarfile
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import datasets

from bad_input import one_line
from snnbook import data
from snnbook.data import DataConfig, split
from snnbook.data.augment import AUGMENTATIONS, autoaugment, crop, cutout, flip
from snnbook.data.noise import symmetric_noise
from snnbook.errors import UserError

SMALL = DataConfig(size=8, train_per_class=10)


@pytest.fixture(scope="module")
def digits():
    return data.load(SMALL)


@pytest.fixture
def tree(tmp_path):
    """Two classes, three training images and two test images each, 6x6; all differ."""
    rng = np.random.default_rng(0)
    for half, count in (("train", 3), ("test", 2)):
        for name in ("cat", "ant"):
            folder = tmp_path / half / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
    return tmp_path


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


# Batches


def epoch_of(dataset, **options):
    return list(data.batches(dataset, **{"batch_size": 32, "seed": 0, "epoch": 0, **options}))


def test_batches_cover_the_epoch(digits):
    full = epoch_of(digits, drop_last=False)
    assert [len(labels) for _, labels in full] == [32, 32, 32, 4]
    assert [len(labels) for _, labels in epoch_of(digits)] == [32, 32, 32]
    labels = torch.cat([labels for _, labels in full])
    assert torch.equal(labels.sort().values, digits.train_labels.sort().values)
    assert not torch.equal(labels, digits.train_labels)
    images = torch.cat([images for images, _ in full])
    assert images.dtype == torch.float32 and images.shape == (100, 1, 8, 8)
    assert abs(images.mean()) < 1e-5 and images.std(correction=0) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("augment", [(), tuple(AUGMENTATIONS)])
def test_seed_and_epoch_alone_decide(digits, augment):
    state = torch.get_rng_state()
    first = epoch_of(digits, augment=augment, seed=3, epoch=7)
    assert torch.equal(torch.get_rng_state(), state), "the global generator was touched"
    torch.manual_seed(99)
    again = epoch_of(digits, augment=augment, seed=3, epoch=7)
    torch.set_rng_state(state)
    for (images, labels), (images_again, labels_again) in zip(first, again, strict=True):
        assert torch.equal(images, images_again) and torch.equal(labels, labels_again)
    for change in ({"seed": 4, "epoch": 7}, {"seed": 3, "epoch": 8}, {"seed": 7, "epoch": 3}):
        assert not torch.equal(first[0][0], epoch_of(digits, augment=augment, **change)[0][0])


def test_test_batches_are_the_test_set(digits):
    images, labels = (torch.cat(parts) for parts in zip(*data.test_batches(digits, 1000), strict=True))
    assert torch.equal(labels, digits.test_labels)
    restored = (images * digits.std[0] + digits.mean[0]) * 255
    assert torch.equal(restored.round().to(torch.uint8), digits.test_images)


@pytest.mark.parametrize("world", [2, 4])
def test_processes_together_see_what_one_sees(digits, world):
    options = {"augment": ("crop", "flip", "cutout"), "batch_size": 36, "drop_last": False, "seed": 2}
    shares = [epoch_of(digits, part=(rank, world), **options) for rank in range(world)]
    whole = epoch_of(digits, **options)
    assert [len(labels) for _, labels in whole] == [36, 36, 28]
    assert all(len(share) == len(whole) for share in shares)
    for step, (images, labels) in enumerate(whole):
        assert torch.equal(images, torch.cat([share[step][0] for share in shares]))
        assert torch.equal(labels, torch.cat([share[step][1] for share in shares]))
        sizes = {len(share[step][1]) for share in shares}
        assert max(sizes) - min(sizes) <= (step == 2)


def test_short_last_batch_is_split_evenly(digits):
    sizes = [
        len(epoch_of(digits, batch_size=96, drop_last=False, part=(rank, 3))[-1][1]) for rank in range(3)
    ]
    assert sizes == [2, 1, 1]


@pytest.mark.parametrize("world", [1, 3, 5])
def test_processes_test_every_image_once(digits, world):
    parts = [list(data.test_batches(digits, 100, part=(rank, world))) for rank in range(world)]
    assert max(len(labels) for part in parts for _, labels in part) == 100
    flat = [batch for part in parts for batch in part]
    images, labels = (torch.cat(column) for column in zip(*flat, strict=True))
    whole, _ = next(data.test_batches(digits, 2000))
    assert torch.equal(labels, digits.test_labels) and torch.equal(images, whole)
    few = replace(digits, test_images=digits.test_images[:2], test_labels=digits.test_labels[:2])
    assert sum(len(list(data.test_batches(few, 100, part=(rank, world)))) for rank in range(world)) == min(
        2, world
    )


# Augmentation


def test_crop_is_a_window_of_the_padded_image():
    images = torch.randint(1, 256, (500, 3, 32, 24), dtype=torch.uint8)
    draws = torch.rand(500, 2)
    draws[0], draws[1] = 0.0, 1 - 2**-24  # the corners
    cropped = crop(images, draws)
    padded = torch.nn.functional.pad(images, (3, 3, 4, 4))
    corners = set()
    for image, draw, got in zip(padded, draws, cropped, strict=True):
        top, left = int(draw[0] * 9), int(draw[1] * 7)
        corners.add((top, left))
        assert torch.equal(got, image[:, top : top + 32, left : left + 24])
    assert {(0, 0), (8, 6)} <= corners and len(corners) > 50


def test_flip_swaps_about_half():
    images = torch.randint(0, 256, (1000, 1, 4, 6), dtype=torch.uint8)
    flipped = flip(images, torch.rand(1000, 2, generator=torch.Generator().manual_seed(0)))
    same = (flipped == images).flatten(1).all(1)
    assert 400 < same.sum() < 600
    assert torch.equal(flipped[~same], images[~same].flip(3))


def test_cutout_is_one_clipped_square():
    images = torch.full((2000, 2, 32, 32), 7, dtype=torch.uint8)
    draws = torch.rand(2000, 2, generator=torch.Generator().manual_seed(0))
    holes = cutout(images, draws) == 0
    assert torch.equal(holes[:, 0], holes[:, 1])
    height, width = holes[:, 0].any(2).sum(1), holes[:, 0].any(1).sum(1)
    assert torch.equal(height * width, holes[:, 0].flatten(1).sum(1)), "not a rectangle"
    center = (draws * 32).long()
    expected = (center + 8).clamp(max=32) - (center - 8).clamp(min=0)
    assert torch.equal(torch.stack((height, width), 1), expected)
    assert height.max() == 16 and height.min() == 8


@pytest.mark.parametrize("channels", [1, 3])
def test_autoaugment_draws_for_each_image(channels):
    image = torch.randint(0, 256, (1, channels, 16, 16), dtype=torch.uint8)
    draws = torch.rand(64, 2, generator=torch.Generator().manual_seed(0))
    augmented = autoaugment(image.expand(64, -1, -1, -1), draws)
    assert augmented.shape == (64, channels, 16, 16) and augmented.dtype == torch.uint8
    assert len({one.numpy().tobytes() for one in augmented}) > 16
    # The same draw gives the same image, whatever stands around it in the batch.
    assert torch.equal(autoaugment(image, draws[40:41])[0], augmented[40])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_sees_the_same_batches(digits):
    options = {"augment": ("crop", "flip", "cutout"), "batch_size": 50}
    for here, there in zip(epoch_of(digits, **options), epoch_of(digits.to("cuda"), **options), strict=True):
        assert torch.equal(here[1], there[1].cpu())
        torch.testing.assert_close(here[0], there[0].cpu(), rtol=1e-6, atol=1e-6)


# Folders


def test_folder_reads_every_pixel(tree):
    (tree / "train" / "ant" / "notes.txt").write_text("no image")
    (tree / "train" / ".hidden").mkdir()
    loaded = data.load(DataConfig("folder", size=6), tree)
    assert loaded.classes == ("ant", "cat")
    assert loaded.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    for i, image in enumerate(loaded.train_images):
        file = tree / "train" / loaded.classes[i // 3] / f"{i % 3}.png"
        assert np.array_equal(image.permute(1, 2, 0).numpy(), np.array(Image.open(file)))
    assert sorted(loaded.test_labels.tolist()) == [0, 0, 1, 1]


def test_folder_resizes_and_crops(tree):
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, 3:13] = 200  # the central square, and what the filter sees beside it
    Image.fromarray(pixels).save(tree / "train" / "ant" / "0.png")
    image = data.load(DataConfig("folder", size=4), tree).train_images[0]
    assert image.shape == (3, 4, 4) and (image == 200).all()


def test_folder_few_a_class(tree):
    loaded = data.load(DataConfig("folder", size=6, train_per_class=2, test_limit=2), tree)
    assert loaded.train_labels.tolist() == [0, 0, 1, 1] and sorted(loaded.test_labels.tolist()) == [0, 1]


def test_image_that_never_changes_is_normalized_to_zero(tree):
    for file in tree.glob("*/*/*.png"):
        Image.new("RGB", (6, 6), (9, 9, 9)).save(file)
    images, _ = next(iter(data.test_batches(data.load(DataConfig("folder", size=6), tree), 4)))
    assert images.abs().max() < 1e-5


# CIFAR


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """A tiny CIFAR-10 in torchvision's format, served from this machine."""
    rng = np.random.default_rng(0)
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    packed, sums = io.BytesIO(), {}
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"]:
            content = {
                "data": rng.integers(0, 256, (10, 3072), dtype=np.uint8),
                "labels": [*range(9, -1, -1)],
            }
            content = pickle.dumps({"label_names": names} if name == "batches.meta" else content)
            sums[name] = hashlib.md5(content).hexdigest()
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    file = tmp_path / "cifar-10-python.tar.gz"
    file.write_bytes(packed.getvalue())
    source = datasets.CIFAR10
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setattr(source, "url", f"http://127.0.0.1:{server.server_port}/{file.name}")
    monkeypatch.setattr(source, "tgz_md5", hashlib.md5(packed.getvalue()).hexdigest())
    monkeypatch.setattr(source, "train_list", [[name, sums[name]] for name, _ in source.train_list])
    monkeypatch.setattr(source, "test_list", [[name, sums[name]] for name, _ in source.test_list])
    monkeypatch.setattr(source, "meta", {**source.meta, "md5": sums["batches.meta"]})
    yield file
    server.shutdown()
    server.server_close()


def test_cifar_downloads_once_and_equals_its_tree(archive, tmp_path):
    root = tmp_path / "data"
    loaded = data.load(DataConfig("cifar10"), root)
    assert loaded.shape == (3, 32, 32) and loaded.train_labels.bincount().tolist() == [5] * 10
    archive.unlink()
    assert data.load(DataConfig("cifar10"), root).fingerprint == loaded.fingerprint

    # As a tree of images, written in the order the archive holds them.
    counts = {}
    for train in (True, False):
        source = datasets.CIFAR10(root, train=train)
        for pixels, label in zip(source.data, source.targets, strict=True):
            folder = tmp_path / "other" / "cifar10" / ("train" if train else "test") / source.classes[label]
            folder.mkdir(parents=True, exist_ok=True)
            counts[folder] = counts.get(folder, 0) + 1
            Image.fromarray(pixels).save(folder / f"{counts[folder]:05d}.png")
    for place in (tmp_path / "other", tmp_path / "other" / "cifar10"):
        assert data.load(DataConfig("cifar10"), place).fingerprint == loaded.fingerprint


def test_cifar_offline(archive, tmp_path):
    archive.unlink()
    one_line(
        lambda: data.load(DataConfig("cifar10"), tmp_path / "data"), "cannot download cifar10", "--data DIR"
    )


def test_cifar_not_allowed_to_download(archive, tmp_path):
    one_line(lambda: data.load(DataConfig("cifar10", download=False), tmp_path / "data"), "no cifar10 in")
    assert not (tmp_path / "data" / "cifar-10-batches-py").exists()


def test_cifar_wrong_checksum(archive, tmp_path):
    archive.write_bytes(archive.read_bytes()[:-10])
    one_line(lambda: data.load(DataConfig("cifar10"), tmp_path / "data"), "wrong checksum")


def test_cifar_damaged_file_is_replaced(archive, tmp_path):
    loaded = data.load(DataConfig("cifar10"), tmp_path / "data")
    (tmp_path / "data" / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"torn")
    assert data.load(DataConfig("cifar10"), tmp_path / "data").fingerprint == loaded.fingerprint


def test_default_root(monkeypatch, tmp_path):
    monkeypatch.setenv("SNNBOOK_DATA", str(tmp_path / "mine"))
    assert data.default_root() == tmp_path / "mine"
    one_line(lambda: data.load(DataConfig("cifar10", download=False)), tmp_path / "mine")
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


def test_bad_batches(digits):
    one_line(lambda: data.batches(digits, 0, seed=0, epoch=0), "batch_size is 0")
    one_line(lambda: data.test_batches(digits, 0), "batch_size is 0")
    one_line(lambda: data.batches(digits, 101, seed=0, epoch=0), "batch_size is 101", "100 training images")
    bad = {"seed": 0, "epoch": 0, "augment": ("crop", "flp")}
    one_line(lambda: data.batches(digits, 10, **bad), "'flp'", "did you mean 'flip'")
    epoch = {"seed": 0, "epoch": 0}
    one_line(lambda: data.batches(digits, 10, part=(0, 4), **epoch), "batch_size is 10", "4 processes")
    one_line(
        lambda: data.batches(digits, 33, part=(0, 3), drop_last=False, **epoch), "last batch has 1 images"
    )
    for part in ((2, 2), (-1, 2), (0, 0)):
        one_line(lambda part=part: data.batches(digits, 10, part=part, **epoch), "part is")
        one_line(lambda part=part: data.test_batches(digits, 10, part=part), "part is")


def test_bad_folders(tree):
    config = DataConfig("folder", size=6)
    one_line(lambda: data.load(config), "--data DIR")
    one_line(lambda: data.load(config, tree / "nowhere"), tree / "nowhere" / "train")
    (tree / "empty" / "train").mkdir(parents=True)
    one_line(lambda: data.load(config, tree / "empty"), "no class folders")
    one_line(lambda: data.load(DataConfig("cifar10"), tree), "2 classes", "'folder'")
    (tree / "test" / "cat").rename(tree / "test" / "cow")
    one_line(lambda: data.load(config, tree), "'cat' only in train", "'cow' only in test")
    shutil.rmtree(tree / "test" / "cow")
    (tree / "test" / "cat").mkdir()
    one_line(lambda: data.load(config, tree), tree / "test" / "cat", "no images")


@pytest.mark.parametrize("damage", ["torn", "text", "empty", "deep"])
def test_corrupt_image_is_named(tree, damage):
    file = tree / "train" / "cat" / "2.png"
    if damage == "deep":
        Image.fromarray(np.full((6, 6), 40000, np.uint16)).save(file)
    else:
        file.write_bytes({"torn": file.read_bytes()[:60], "text": b"not a picture", "empty": b""}[damage])
    one_line(lambda: data.load(DataConfig("folder", size=6), tree), file, "replace or delete it")


def test_noise_is_exact_symmetric_and_nested():
    labels = torch.arange(10).repeat(100)
    some, more = (symmetric_noise(labels, 10, share, seed=3) for share in (0.2, 0.5))
    assert (some != labels).sum() == 200
    assert (more != labels).sum() == 500
    assert torch.equal(more[some != labels], some[some != labels])
    shifts = ((more - labels) % 10)[more != labels].bincount(minlength=10)
    assert shifts[0] == 0
    assert shifts[1:].min() > 30  # of 55.6 expected
    assert torch.equal(symmetric_noise(labels, 10, 0.0, seed=3), labels)
    assert torch.equal(symmetric_noise(labels, 10, 0.2, seed=3), some)


def test_noise_is_part_of_the_data():
    clean, noisy = (
        data.load(DataConfig(size=8, train_per_class=20, label_noise=share)) for share in (0.0, 0.3)
    )
    assert (clean.train_labels != noisy.train_labels).sum() == 60
    assert torch.equal(clean.test_labels, noisy.test_labels)
    assert torch.equal(clean.train_images, noisy.train_images)
    assert clean.fingerprint != noisy.fingerprint


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
