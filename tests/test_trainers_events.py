"""Networks that take frames of events."""

from dataclasses import replace

import pytest
import torch

from bad_input import one_line
from event_cases import NETWORK, SMALL
from killing import Killed, kill_after
from snnbook import data, trainers
from snnbook.analysis import landscape, measure, observe, scalability
from snnbook.analysis.config import AnalysisConfig
from snnbook.backbones import build_snn
from snnbook.data import events
from snnbook.losses import sdt
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.recipe import Recipe


def build(name, small, network=NETWORK, **options):
    torch.manual_seed(0)
    return trainers.build_method(name, trainers.METHODS[name].Config(**options), network, small)


def test_time_is_in_the_data(small):
    wrong = replace(NETWORK, time_steps=4)
    one_line(lambda: build("tet", small, wrong), "digit_events has 3 frames and network.time_steps is 4")
    method = build("direct", small)
    found = scalability(method.network, small, (1, 2), moments=3)
    assert list(found["integrated"]) == [1, 2] and list(found["moments"]) == [1, 2, 3]
    one_line(
        lambda: scalability(method.network, small, (4,), moments=1), "4 steps on digit_events with 3 frames"
    )


def test_the_stem_sees_each_frame_and_a_moment_none_that_follow(small):
    network = build_snn(NETWORK, 10, 2).eval()
    frames = 5 * next(data.test_batches(small, 4))[0]  # bright enough for a fresh network
    later = frames.clone()
    later[2] = frames[2].flip(-1)
    a, b = (network.features(x)[0] for x in (frames, later))
    assert torch.equal(a[:2], b[:2]) and not torch.equal(a[2], b[2])
    resting = network.features(frames[:1].expand(3, -1, -1, -1, -1))[0]
    assert resting.any() and torch.equal(resting, network.features(frames[0])[0])


def test_training_resumes_to_the_same_weights(small, tmp_path):
    recipe = Recipe(epochs=2, batch_size=10, augment=("roll",), test_every=2)
    through = build("tet", small, lam=0.001)
    history = fit(through, small, recipe, seed=0, progress=False)
    assert len(history.accuracy["snn"]) == 1 and history.losses["tet"][1] < history.losses["tet"][0]

    options = dict(seed=0, progress=False, checkpoint=tmp_path / "checkpoint.pt")
    with pytest.raises(Killed):
        fit(build("tet", small, lam=0.001), small, recipe, on_epoch=kill_after(1), **options)
    resumed = build("tet", small, lam=0.001)
    again = fit(resumed, small, recipe, **options)
    assert again.losses == history.losses
    for name, tensor in through.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name])


def test_a_record_counts_recordings_and_not_frames(small):
    method = build("tet", small, lam=0.001)
    found = measure(method, small, AnalysisConfig(time_steps=(3,), moments=3, landscape=5, images=10))
    snn = found["snn"]
    assert snn["time_steps"] == 3 and 0 < snn["firing_rate"] < 1
    assert len(snn["landscape"]["sdt"]) == 5


@pytest.mark.parametrize("accumulate", events.ACCUMULATIONS)
def test_the_stem_counts_at_every_step_and_adds_where_frames_are_masks(accumulate):
    small = data.load(replace(SMALL, accumulate=accumulate))
    method = build("direct", small).eval()
    images, labels = next(data.test_batches(small, 8))
    seen = observe(method.backbones()["snn"], lambda: method.predict(images), len(labels))
    stem = seen.layers["stem.0"]
    assert stem.padded == 2 * 2 * 9 * 16 * 16 * 3  # weights, positions, steps
    assert stem.binary == (accumulate == "binary") and seen.time_steps == 3


def test_the_landscape_splits_recordings_and_not_time(small):
    network = build_snn(NETWORK, 10, 2)
    images, labels = next(data.test_batches(small, 20))
    whole, parts = (
        landscape(network, images, labels, {"sdt": sdt}, points=3, radius=0.1, batch_size=n) for n in (20, 7)
    )
    torch.testing.assert_close(whole.losses["sdt"], parts.losses["sdt"], atol=1e-6, rtol=1e-5)


def test_a_network_without_time_sees_the_mean_frame(small):
    images, labels = next(data.test_batches(small, 4))
    ann = build("direct", small, train="ann").eval()
    torch.testing.assert_close(ann.predict(images)["ann"], ann.network(images.mean(0)))
    joint = build("joint", small).eval()
    torch.testing.assert_close(joint.predict(images)["ann"], joint.ann(images.mean(0))[0][-1])
    assert set(joint.train()(images, labels)) >= {"ce", "kld"}


def test_snntorch_is_given_a_frame_at_a_step(small):
    images, _ = next(data.test_batches(small, 4))
    method = build("snntorch", small, replace(NETWORK, name="resnet18")).eval()
    outputs = method.outputs(images)
    later = images.clone()
    later[2] = 0
    assert outputs.shape == (3, 4, 10) and torch.equal(method.outputs(later)[:2], outputs[:2])
