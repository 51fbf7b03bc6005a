"""Images read from disk while training: the same batches as from memory, whoever reads them."""

import os
import shutil
import signal
import time
from dataclasses import replace
from threading import Timer

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms

from bad_input import one_line
from killing import Killed, kill_after
from snnbook import data, room
from snnbook.backbones import NetworkConfig
from snnbook.data import DataConfig, folder, stream
from snnbook.data.batching import _share
from snnbook.trainers import METHODS, build_method
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.recipe import Recipe

HELD = DataConfig("folder", size=12)
READ = replace(HELD, stream=True)
EPOCH = {"seed": 1, "epoch": 2}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Three classes, photographs of noise in many shapes: 7 training images and 5 test images each."""
    root, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for half, count in (("train", 7), ("test", 5)):
        for name in ("ant", "bee", "cat"):
            (root / half / name).mkdir(parents=True)
            for i in range(count):
                shape = (*rng.integers(10, 40, 2), 3)
                coarse = Image.fromarray(rng.integers(0, 256, (3, 3, 3), dtype=np.uint8))
                coarse.resize(shape[:2]).save(root / half / name / f"{i}.jpg")
    return root


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setenv("SNNBOOK_WORKERS", "0")


def same(one, other):
    pairs = list(zip(one, other, strict=True))
    return len(pairs) > 0 and all(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in pairs)


@pytest.mark.parametrize(
    "choice", [{}, {"train_per_class": 5, "label_noise": 0.4, "test_limit": 7}, {"train_fraction": 0.5}]
)
def test_read_equals_held(tree, choice):
    held, read = (data.load(replace(config, **choice), tree) for config in (HELD, READ))
    options = {"batch_size": 4, "augment": ("crop", "flip", "cutout"), "drop_last": False, **EPOCH}
    assert same(data.batches(held, **options), data.batches(read, **options))
    assert same(data.test_batches(held, 4), data.test_batches(read, 4))
    assert (read.shape, read.classes, read.mean, read.std) == (held.shape, held.classes, held.mean, held.std)
    named = read.describe() | {"fingerprint": held.fingerprint}
    assert named == held.describe() and read.fingerprint != held.fingerprint


def test_neither_workers_nor_what_ran_before_matter(tree, monkeypatch):
    options = {"batch_size": 4, "augment": ("resized_crop", "flip"), **EPOCH}
    expected = list(data.batches(data.load(READ, tree), **options))
    state = torch.get_rng_state()
    for count in ("0", "1", "2"):
        monkeypatch.setenv("SNNBOOK_WORKERS", count)
        read = data.load(READ, tree)
        next(data.batches(read, **options | {"epoch": 7}))  # left alone while its workers read on
        assert same(expected, data.batches(read, **options)), count
        assert same(expected, data.batches(read, **options)), count
    assert torch.equal(torch.get_rng_state(), state), "the global generator was touched"
    for change in ({"seed": 2}, {"epoch": 3}):
        assert not same(expected, data.batches(read, **options | change))


def test_a_list_of_augmentations_is_no_other_than_a_tuple(tree):
    read, names = data.load(READ, tree), ("resized_crop", "flip")
    batches = [data.batches(read, 4, augment=augment, **EPOCH) for augment in (names, list(names), ["flip"])]
    as_tuple, as_list, uncropped = map(list, batches)
    assert same(as_tuple, as_list) and not same(as_tuple, uncropped)


def test_processes_together_read_what_one_reads(tree):
    read = data.load(READ, tree)
    options = {"batch_size": 8, "augment": ("resized_crop", "flip"), "drop_last": False, **EPOCH}
    whole = list(data.batches(read, **options))
    shares = [list(data.batches(read, part=(rank, 2), **options)) for rank in range(2)]
    assert same(
        whole,
        [tuple(torch.cat(both) for both in zip(*step, strict=True)) for step in zip(*shares, strict=True)],
    )
    tested = [batch for rank in range(4) for batch in data.test_batches(read, 3, part=(rank, 4))]
    assert torch.equal(torch.cat([labels for _, labels in tested]), read.test_labels)


def test_resized_crop_is_torchvisions(tree):
    """A part of the image that keeps 8 to 100 % of it; another in each epoch, and the library's for its seed."""
    read = data.load(READ, tree)
    seen = {}
    for epoch in range(2):
        crops = torch.rand(21, 2, generator=torch.Generator().manual_seed(epoch))
        (seen[epoch],) = read.read("train", [slice(0, 21)], torch.arange(21), crops)
    different = (seen[0] != seen[1]).flatten(1).any(1)
    assert different.all()
    seeds = stream._seeds(crops)
    assert len(set((seeds % 2**32).tolist())) == 21
    for i in (0, 20):
        with Image.open(read.train_files.path(i)) as image:
            torch.manual_seed(int(seeds[i]))
            expected = transforms.RandomResizedCrop(12)(image)
        assert np.array_equal(seen[1][i].permute(1, 2, 0).numpy(), np.asarray(expected))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 9))
def test_shares_are_even_and_contiguous(start, count, world):
    shares = [_share(start, start + count, (rank, world)) for rank in range(world)]
    assert [i for s in shares for i in range(s.start, s.stop)] == list(range(start, start + count))
    sizes = [s.stop - s.start for s in shares]
    assert max(sizes) - min(sizes) <= 1 and sizes == sorted(sizes, reverse=True)


def test_resumed_run_equals_an_uninterrupted_one(tree, tmp_path):
    read = data.load(READ, tree)
    recipe = Recipe(epochs=3, batch_size=7, augment=("resized_crop", "flip"))

    def method():
        torch.manual_seed(0)
        return build_method(
            "direct", METHODS["direct"].Config(), NetworkConfig("convnet", width=4, time_steps=2), read
        )

    expected = fit(method(), read, recipe, seed=3, progress=False)
    options = {"seed": 3, "checkpoint": tmp_path / "checkpoint.pt", "progress": False}
    with pytest.raises(Killed):
        fit(method(), read, recipe, on_epoch=kill_after(1), **options)
    torch.manual_seed(99)
    resumed = fit(method(), data.load(READ, tree), recipe, **options)
    assert (resumed.losses, resumed.accuracy) == (expected.losses, expected.accuracy)


def test_sample_gives_nearly_the_same_statistics(tree, monkeypatch):
    whole = data.load(READ, tree)
    monkeypatch.setattr(stream, "SAMPLE", 12)
    sample, again = data.load(READ, tree), data.load(READ, tree)
    assert whole.mean != sample.mean == again.mean
    assert sample.mean == pytest.approx(whole.mean, abs=0.15)
    assert sample.std == pytest.approx(whole.std, abs=0.15)


def test_fingerprint_knows_names_lengths_labels_and_size(tree, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(tree, root)
    first = data.load(READ, tree).fingerprint
    assert data.load(READ, root).fingerprint == first, "where the folder lies does not matter"
    prints = {
        data.load(replace(READ, **change), root).fingerprint for change in ({"size": 8}, {"label_noise": 0.2})
    }
    file = root / "train" / "ant" / "0.jpg"
    content = file.read_bytes()
    file.write_bytes(content + b"\0")
    prints.add(data.load(READ, root).fingerprint)
    file.write_bytes(content)
    file.rename(file.with_name("00.jpg"))
    prints.add(data.load(READ, root).fingerprint)
    assert len(prints | {first}) == 5


# Where the images do not fit


def test_held_images_have_to_fit(tree, monkeypatch):
    monkeypatch.setattr(room, "at_hand", lambda: 10_000)
    needed = f"{36 * 3 * 12 * 12:,} bytes"
    one_line(lambda: data.load(HELD, tree), needed, "10,000 bytes are at hand", "data.stream: true")
    summary = data.load(READ, tree).summary()
    for part in ("21 training and 15 test images", f"read from {tree} by 0 workers", "0.0 MiB if held"):
        assert part in summary


def test_memory_at_hand_is_within_the_containers(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "_of_allocator", lambda: 0)
    monkeypatch.setattr(room, "SYSTEM", tmp_path)
    machine = room.at_hand()
    assert machine > 2**20
    for place in ("proc", "sys/fs/cgroup"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemTotal:  9 kB\nMemAvailable:       5 kB\n")
    assert room.at_hand() == 5 * 1024
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("max\n")
    assert room.at_hand() == 5 * 1024
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("77\n")
    assert room.at_hand() == 77


# Bad input


@pytest.mark.parametrize("count", ["0", "2"])
def test_corrupt_image_is_named_in_one_line(tree, tmp_path, monkeypatch, count):
    monkeypatch.setenv("SNNBOOK_WORKERS", count)
    root = tmp_path / "copy"
    shutil.copytree(tree, root)
    read = data.load(READ, root)
    (root / "test" / "bee" / "3.jpg").write_bytes(b"torn")
    one_line(
        lambda: list(data.test_batches(read, 2)), root / "test" / "bee" / "3.jpg", "replace or delete it"
    )


def test_dead_worker_is_told_in_one_line(tree, monkeypatch):
    monkeypatch.setenv("SNNBOOK_WORKERS", "1")
    read = data.load(READ, tree)
    monkeypatch.setattr(folder, "decode", lambda *_: time.sleep(600))  # the worker waits
    epoch = data.test_batches(read, 16)

    def kill():
        (worker,) = read._loaders["test"]._iterator._workers
        os.kill(worker.pid, signal.SIGKILL)

    Timer(1, kill).start()
    one_line(lambda: next(epoch), "died", "SNNBOOK_WORKERS")


def test_one_loop_at_a_time(tree):
    read = data.load(READ, tree)
    first, second = (data.batches(read, 4, seed=seed, epoch=0) for seed in (0, 1))
    next(first)
    next(data.test_batches(read, 4))  # another half is another matter
    next(first)
    next(second)
    one_line(lambda: next(first), "two loops over the train images")
    next(second)


def test_settings_that_make_no_sense(tree, monkeypatch):
    one_line(lambda: DataConfig("cifar10", stream=True), "cifar10 is always held", "folder")
    held, read = data.load(HELD, tree), data.load(READ, tree)
    one_line(lambda: data.batches(held, 4, augment=("resized_crop",), **EPOCH), "data.stream")
    one_line(lambda: data.batches(read, 4, augment=("flip", "resized_crop"), **EPOCH), "place 2", "first")
    one_line(lambda: data.batches(read, 4, augment=("resized",), **EPOCH), "did you mean 'resized_crop'")
    for count in ("-1", "many", ""):
        monkeypatch.setenv("SNNBOOK_WORKERS", count)
        one_line(lambda: next(data.test_batches(read, 4)), "SNNBOOK_WORKERS", repr(count))


def test_workers_are_shared_by_the_trainings_of_a_machine(monkeypatch):
    monkeypatch.delenv("SNNBOOK_WORKERS")
    monkeypatch.setattr(stream.threads, "cores", lambda: 16)
    assert stream.workers() == 16
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    assert stream.workers() == 2
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "64")
    assert stream.workers() == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_sees_the_same_batches(tree, monkeypatch):
    monkeypatch.setenv("SNNBOOK_WORKERS", "2")
    read = data.load(READ, tree)
    options = {"batch_size": 4, "augment": ("resized_crop", "crop", "flip"), **EPOCH}
    for here, there in zip(
        data.batches(read, **options), data.batches(read.to("cuda"), **options), strict=True
    ):
        assert there[0].device.type == "cuda" and torch.equal(here[1], there[1].cpu())
        torch.testing.assert_close(here[0], there[0].cpu(), rtol=1e-6, atol=1e-6)
