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
from snnbook.analysis import measure, rehearse, scalability
from snnbook.analysis.config import AnalysisConfig
from snnbook.analysis.time_scalability import _held
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
def test_a_recording_ends_with_its_last_event(spans, seed):
    recordings = [events.Events.of(made(20, (4, 4), span, seed), 4) for span in spans]
    cut = [events.to_frames(recording, None, split_by="1 ms") for recording in recordings]
    _, lengths = events.pad(cut)
    for most in (1, 2, 3, 9):
        found = [events.length(recording, most, "1 ms") for recording in recordings]
        assert found == lengths.clip(max=most).tolist()
    assert all(
        events.length(recording, 7, way) == 7 for recording in recordings for way in ("number", "time")
    )


def test_a_quiet_window_is_no_end(tmp_path):
    """Of 60 ms, nothing happens in the third of three windows, and something does behind them."""
    for half in ("train", "test"):
        for name, last in (("goes on", 55_000), ("ends", 15_000)):
            folder = tmp_path / half / name
            folder.mkdir(parents=True)
            places = dict(x=np.zeros(3, int), y=np.zeros(3, int), p=np.ones(3, int), width=4, height=4)
            np.savez(folder / "0.npz", t=np.array([0, 12_000, last]), **places)
    found = data.load(DataConfig("recordings", size=4, frames=3, split_by="10 ms"), tmp_path)
    named = dict(
        zip((found.classes[i] for i in found.train_labels), found.train_lengths.tolist(), strict=True)
    )
    assert named == {"goes on": 3, "ends": 2} and found.cut.padded == 2
    whole = data.load(DataConfig("recordings", size=4, frames=2, split_by="10 ms"), tmp_path)
    assert not whole.padded and whole.train_lengths is None and whole.cut.padded == 0


@pytest.mark.parametrize("augment", [("crop",), ("roll", "cutout"), ("flip", "crop")])
def test_no_augmentation_changes_a_length(augment):
    frames = torch.zeros(6, 3, 2, 8, 8)
    frames[:, :2] = 1
    frames[:3, 2, :, 0, 0] = 1  # in a corner, which a crop may leave out
    ends, labels = torch.tensor([3, 3, 3, 2, 2, 2]), torch.arange(6)
    found = data.Dataset.from_tensors(frames, labels, frames, labels, lengths=(ends, ends))
    for epoch in range(5):
        _, which, lengths = next(data.batches(found, 6, seed=0, epoch=epoch, augment=augment))
        assert lengths.tolist() == ends[which].tolist()
    assert torch.equal(next(data.test_batches(found, 6))[2], ends)


class Asked(torch.nn.Module):
    """Notes the lengths that it is given, of which image by image the label tells."""

    def __init__(self):
        super().__init__()
        self.weight, self.seen = torch.nn.Parameter(torch.zeros(6)), []

    def forward(self, images, labels, lengths):
        self.seen.append(("train", dict(zip(labels.tolist(), lengths.tolist(), strict=True))))
        return {"ce": self.weight.square().sum()}

    def predict(self, images, lengths=None):  # None: blank images are tried first
        self.seen.append(("predict", None if lengths is None else lengths.tolist()))
        return {"snn": images.new_zeros(images.shape[1], 6) + self.weight}

    def test_losses(self, images, labels, lengths):
        self.seen.append(("test", lengths.tolist()))
        return {"ce": self.weight.sum()}

    def backbones(self):
        return {}


def test_the_loop_hands_lengths_on():
    frames, ends, labels = torch.zeros(6, 3, 1, 4, 4), torch.tensor([3, 1, 2, 3, 1, 2]), torch.arange(6)
    found = data.Dataset.from_tensors(frames, labels, frames, labels, lengths=(ends, ends.flip(0).numpy()))
    recipe = Recipe(epochs=1, batch_size=6, augment=("crop",))
    fit(method := Asked(), found, recipe, seed=0, progress=False)
    seen = dict(method.seen)
    assert seen["train"] == dict(enumerate(ends.tolist()))
    assert seen["predict"] == seen["test"] == ends.flip(0).tolist()
    other = data.Dataset.from_tensors(frames, labels, frames, labels, lengths=(ends, ends))
    assert other.fingerprint != found.fingerprint
    moved = found.to("meta")
    assert moved.train_lengths.is_meta and moved.test_lengths.is_meta


@pytest.mark.parametrize(
    ("lengths", "told"),
    [
        ([1, 2], "the training lengths are a int"),
        (torch.ones(2, 2).long(), "lengths are tensor"),
        ((torch.tensor([1, 4]), torch.tensor([1, 2])), "training lengths reach from 1 to 4; expected 1 to 3"),
        ((torch.tensor([2, 3]), torch.tensor([0, 2])), "test lengths reach from 0 to 2"),
        (
            (torch.tensor([1.0, 2.0]), torch.tensor([1, 2])),
            "are float32 of shape [2]; expected 2 whole numbers",
        ),
        ((torch.tensor([1, 2, 3]), torch.tensor([1, 2])), "are int64 of shape [3]"),
        ((torch.tensor([2, 2]), torch.tensor([2, 1])), "1 recordings go on behind the test lengths"),
    ],
)
def test_lengths_of_one_s_own_are_checked(lengths, told):
    frames, labels = torch.zeros(2, 3, 1, 4, 4), torch.tensor([0, 1])
    frames[:, :2] = 1
    one_line(lambda: data.Dataset.from_tensors(frames, labels, frames, labels, lengths=lengths), told)


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
    images, labels, lengths = next(data.test_batches(padded, 8))
    assert len(set(lengths.tolist())) > 1
    alone = []
    for i, end in enumerate(lengths.tolist()):
        folding.set_time_steps(method.network, end)
        alone.append(method.network(images[:end, i : i + 1]).mean(0))
    folding.set_time_steps(method.network, 5)
    torch.testing.assert_close(method.predict(images, lengths)["snn"], torch.cat(alone))
    right = float((torch.cat(alone).argmax(1) == labels).float().mean() * 100)
    assert scalability(method.network, padded, (5,), 5)["integrated"][5] == pytest.approx(right)
    recipe = Recipe(epochs=1, batch_size=6, augment=(), test_every=1)
    assert fit(method, padded, recipe, seed=0, progress=False).losses


def test_over_time_a_recording_stays_as_it_was_at_its_end():
    values = torch.arange(12.0).view(4, 3, 1)  # four steps of three recordings
    held = _held(values, torch.tensor([1, 2, 4]))[..., 0].T
    assert held.tolist() == [[0, 0, 0, 0], [1, 4, 4, 4], [2, 5, 8, 11]]


def test_an_energy_is_measured_of_recordings_as_they_are_tested(padded, monkeypatch):
    method, seen = build("tet", padded), []
    predict = method.predict
    monkeypatch.setattr(method, "predict", lambda images, *ends: seen.extend(ends) or predict(images, *ends))
    rehearse(method, padded, AnalysisConfig(time_steps=(2, 5)))
    assert len(seen) == 1 and torch.equal(seen[0], padded.test_lengths[:2])
    assert measure(method, padded)["snn"]["time_steps"] == 5 and torch.equal(seen[1], padded.test_lengths)


def test_an_ann_sees_the_mean_of_the_frames_there_are(padded):
    method = trainers.build_method(
        "direct", trainers.METHODS["direct"].Config(train="ann"), NETWORK, padded
    ).eval()
    images, _, lengths = next(data.test_batches(padded, 8))
    means = torch.stack([images[:end, i].mean(0) for i, end in enumerate(lengths.tolist())])
    torch.testing.assert_close(method.predict(images, lengths)["ann"], method.network(means))


def test_methods_that_cannot_tell_refuse_with_advice(padded):
    config = trainers.METHODS["joint"].Config()
    one_line(
        lambda: trainers.build_method("joint", config, NETWORK, padded),
        "end before their 5 frames",
        "split_by",
    )
    whole = replace(padded, train_lengths=None, test_lengths=None)
    plain = trainers.build_method("joint", config, NETWORK, whole)
    recipe = Recipe(epochs=1, batch_size=6, augment=())
    one_line(
        lambda: fit(plain, padded, recipe, seed=0, progress=False), "takes their lengths (direct, tet or"
    )
    asked = AnalysisConfig(landscape=5)
    one_line(lambda: rehearse(build("tet", padded), padded, asked), "analysis.landscape knows no lengths")


def test_frames_of_one_s_own_may_be_padded(padded):
    given = (padded.train_images, padded.train_labels, padded.test_images, padded.test_labels)
    ends = (padded.train_lengths, padded.test_lengths)
    found = data.Dataset.from_tensors(*given, lengths=ends)
    assert found.padded and found.cut.padded == padded.cut.padded
    assert not data.Dataset.from_tensors(*given).padded
    full = [torch.full_like(x, 5) for x in ends]
    assert not data.Dataset.from_tensors(*given, lengths=full).padded
    assert "recordings end before the last frame" in found.summary()
    still = (given[0][:, 0], given[1], given[2][:, 0], given[3])
    one_line(lambda: data.Dataset.from_tensors(*still, lengths=ends), "expected event frames")
