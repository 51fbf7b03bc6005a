"""Recordings of different lengths: what was padded counts in no loss, prediction or accuracy."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bad_input import one_line
from event_files import made
from snnbook import data, folding, losses, trainers
from snnbook.analysis import scalability
from snnbook.backbones import NetworkConfig
from snnbook.data import DataConfig, events
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.recipe import Recipe

NETWORK = NetworkConfig("convnet", width=2, time_steps=5, neuron="tet")


def drawn(outputs, labels, lengths=None):
    return losses.mse_regularizer(outputs, 2.0, lengths)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(0, 99))
def test_losses_of_padded_recordings_are_those_of_each_alone(ends, seed):
    torch.manual_seed(seed)
    outputs, labels = torch.randn(6, len(ends), 4).double(), torch.randint(4, (len(ends),))
    lengths = torch.tensor(ends)
    for loss in (losses.sdt, losses.every_moment, losses.tet, drawn):
        alone = [loss(outputs[:end, i : i + 1], labels[i : i + 1]) for i, end in enumerate(ends)]
        torch.testing.assert_close(loss(outputs, labels, lengths=lengths), torch.stack(alone).mean())
        nonsense = outputs.clone()
        for i, end in enumerate(ends):
            nonsense[end:, i] = float("nan")
        torch.testing.assert_close(loss(nonsense, labels, lengths=lengths), torch.stack(alone).mean())
    full = torch.full_like(lengths, 6)
    torch.testing.assert_close(
        losses.every_moment(outputs, labels, full), losses.every_moment(outputs, labels)
    )
    assert losses.sdt(outputs, labels, lengths) <= losses.every_moment(outputs, labels, lengths) + 1e-12


def test_no_gradient_reaches_what_was_padded():
    outputs = torch.randn(4, 2, 3, requires_grad=True)
    losses.tet(outputs, torch.tensor([0, 2]), lengths=torch.tensor([1, 3])).backward()
    reached = outputs.grad.abs().sum(2) > 0
    assert reached.tolist() == [[True, True], [False, True], [False, True], [False, False]]


@pytest.mark.parametrize(
    ("lengths", "told"),
    [
        (torch.tensor([0, 3]), "reach from 0 to 3; expected 1 to 4"),
        (torch.tensor([5, 3]), "reach from 3 to 5"),
        (torch.tensor([1.0, 3.0]), "torch.float32 of shape [2]"),
        (torch.tensor([1, 2, 3]), "shape [3]; expected 2 whole numbers"),
        ([1, 2], "lengths are [1, 2]"),
    ],
)
def test_lengths_that_do_not_fit(lengths, told):
    one_line(lambda: losses.sdt(torch.randn(4, 2, 3), torch.tensor([0, 2]), lengths), told)
    one_line(lambda: losses.mean_readout(torch.randn(4, 2, 3), lengths), told)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(300, 5000), min_size=1, max_size=5), st.integers(0, 99))
def test_lengths_are_found_again_in_the_frames(spans, seed):
    cut = [events.to_frames(made(20, (4, 4), span, seed), None, 4, "1 ms") for span in spans]
    padded, lengths = events.pad(cut)
    assert events.lengths(torch.from_numpy(padded).transpose(0, 1)).tolist() == lengths.tolist()


def build(name, found, **options):
    return trainers.build_method(name, trainers.METHODS[name].Config(**options), NETWORK, found)


@pytest.fixture(scope="module")
def padded(tmp_path_factory):
    root = tmp_path_factory.mktemp("own")
    for half, number in (("train", 6), ("test", 4)):
        for label, name in enumerate(("left", "right")):
            folder = root / half / name
            folder.mkdir(parents=True)
            for index in range(number):
                t, x, y, p = made(60, (8, 12), 1500 + 900 * index, 10 * label + index).T
                np.savez(folder / f"{index}.npz", t=t, x=x // 2 + 4 * label, y=y, p=p, width=8, height=12)
    return data.load(DataConfig("recordings", size=12, frames=5, split_by="1 ms"), root)


@pytest.mark.parametrize("name", ["direct", "tet", "switch"])
def test_methods_leave_the_silence_out(padded, name):
    torch.manual_seed(0)
    method = build(name, padded).eval()
    images, labels = next(data.test_batches(padded, 8))
    lengths = events.lengths(images)
    assert len(set(lengths.tolist())) > 1
    alone = []
    for i, end in enumerate(lengths.tolist()):
        folding.set_time_steps(method.network, end)
        alone.append(method.network(images[:end, i : i + 1]).mean(0))
    folding.set_time_steps(method.network, 5)
    torch.testing.assert_close(method.predict(images)["snn"], torch.cat(alone))
    right = float((torch.cat(alone).argmax(1) == labels).float().mean() * 100)
    assert scalability(method.network, padded, (5,), 5)["integrated"][5] == pytest.approx(right)
    recipe = Recipe(epochs=1, batch_size=6, augment=(), test_every=1)
    assert fit(method, padded, recipe, seed=0, progress=False).losses


def test_an_ann_sees_the_mean_of_the_frames_there_are(padded):
    method = trainers.build_method(
        "direct", trainers.METHODS["direct"].Config(train="ann"), NETWORK, padded
    ).eval()
    images, _ = next(data.test_batches(padded, 8))
    means = torch.stack([images[:end, i].mean(0) for i, end in enumerate(events.lengths(images).tolist())])
    torch.testing.assert_close(method.predict(images)["ann"], method.network(means))


def test_methods_that_cannot_tell_refuse_with_advice(padded):
    config = trainers.METHODS["joint"].Config()
    one_line(
        lambda: trainers.build_method("joint", config, NETWORK, padded),
        "end before their 5 frames",
        "split_by",
    )
    plain = trainers.build_method(
        "direct", trainers.METHODS["direct"].Config(), NETWORK, replace(padded, cut=None)
    )
    recipe = Recipe(epochs=1, batch_size=6, augment=())
    one_line(lambda: fit(plain, padded, recipe, seed=0, progress=False), "padded=True")


def test_frames_of_one_s_own_may_be_padded(padded):
    given = (padded.train_images, padded.train_labels, padded.test_images, padded.test_labels)
    found = data.Dataset.from_tensors(*given, padded=True)
    assert (
        found.padded
        and found.cut.padded == padded.cut.padded
        and not data.Dataset.from_tensors(*given).padded
    )
    assert build("tet", found).padded and "recordings end before the last frame" in found.summary()
    still = (given[0][:, 0], given[1], given[2][:, 0], given[3])
    one_line(lambda: data.Dataset.from_tensors(*still, padded=True), "expected event frames")
