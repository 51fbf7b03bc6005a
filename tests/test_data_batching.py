"""Batches that can be drawn again, by one process or by many."""

from dataclasses import replace

import pytest
import torch

from bad_input import one_line
from snnbook import data
from snnbook.data import DataConfig
from snnbook.data.augment import AUGMENTATIONS

SMALL = DataConfig(size=8, train_per_class=10)


@pytest.fixture(scope="module")
def digits():
    return data.load(SMALL)


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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_sees_the_same_batches(digits):
    options = {"augment": ("crop", "flip", "cutout"), "batch_size": 50}
    for here, there in zip(epoch_of(digits, **options), epoch_of(digits.to("cuda"), **options), strict=True):
        assert torch.equal(here[1], there[1].cpu())
        torch.testing.assert_close(here[0], there[0].cpu(), rtol=1e-6, atol=1e-6)


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
    for bad in (-1, 1.5, "0", True, None):
        for name in ("seed", "epoch"):
            one_line(
                lambda name=name, bad=bad: data.batches(digits, 10, **{**epoch, name: bad}), f"{name} is"
            )
    for part in ((2, 2), (-1, 2), (0, 0)):
        one_line(lambda part=part: data.batches(digits, 10, part=part, **epoch), "part is")
        one_line(lambda part=part: data.test_batches(digits, 10, part=part), "part is")
