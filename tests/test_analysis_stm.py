"""The STM score in numpy."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from killing import Killed, kill_after
from sastc_cases import BATCH, STUDENT, maps, sastc
from snnbook.analysis import epoch_notes, measure
from snnbook.analysis.config import AnalysisConfig
from snnbook.analysis.stm import STM, mismatch
from snnbook.backbones import build_ann, build_snn
from snnbook.errors import UserError
from snnbook.trainers.direct import Direct, DirectConfig
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.recipe import Recipe


def by_hand(student, teacher):
    """Mean squared distance of Gram matrices, in numpy, one batch: ``[T, S, K]``."""

    def gram(x):
        rows = x.double().numpy().reshape(len(x), -1)
        return rows @ rows.T

    return np.array(
        [[[((gram(s[t]) - gram(a)) ** 2).mean() for a in teacher] for s in student] for t in range(2)]
    )


def batches_of_features(count):
    for seed in range(count):
        yield maps([(3, 4), (5, 2)], time_steps=2, seed=seed), maps([(2, 4), (4, 3), (6, 2)], seed=100 + seed)


def test_the_streamed_score_equals_one_by_hand():
    outside, inside = STM(BATCH), STM(BATCH, log="inside")
    expected = np.mean([by_hand(*pair) for pair in batches_of_features(3)], axis=0)
    for student, teacher in batches_of_features(3):
        outside.update(student, teacher)
        inside.update(student, teacher)
    np.testing.assert_allclose(outside.distances(), expected, rtol=1e-5)
    np.testing.assert_allclose(outside.table(), np.log(expected), rtol=1e-5)
    assert outside.value() == pytest.approx(np.log(expected.mean()), rel=1e-6)
    assert inside.value() == pytest.approx(np.log(expected).mean(), rel=1e-6)
    assert inside.value() < outside.value()
    np.testing.assert_allclose(outside.layers(), np.log(expected.mean(0)), rtol=1e-5)
    np.testing.assert_allclose(outside.steps(), np.log(expected.mean(2)), rtol=1e-5)
    np.testing.assert_allclose(inside.layers(), np.log(expected).mean(0), rtol=1e-5)
    np.testing.assert_allclose(inside.steps(), np.log(expected).mean(2), rtol=1e-5)


def test_weights_of_the_score_by_hand():
    score, pair = STM(BATCH), next(batches_of_features(1))
    score.update(*pair)
    expected = by_hand(*pair)
    one = torch.zeros(2, 2, 3)
    one[1, 0, 2] = 0.5
    assert score.value(one) == pytest.approx(np.log(expected[1, 0, 2]), rel=1e-6)
    shares = torch.rand(2, 2, 3).softmax(-1)
    weighted = (shares.numpy() * expected).sum() / 4
    assert score.value(shares) == pytest.approx(np.log(weighted), rel=1e-5)
    assert score.value(torch.ones(2, 3)) == pytest.approx(score.value())
    inside = STM(BATCH, log="inside")
    inside.update(*pair)
    weighted = (shares.numpy() * np.log(expected)).sum() / 4
    assert inside.value(shares) == pytest.approx(weighted, rel=1e-5)


def test_a_pair_without_weight_does_not_count_where_it_agrees_either():
    score, teacher = STM(BATCH, log="inside"), maps([(3, 4), (2, 4)])
    score.update([torch.stack([teacher[0], teacher[0]])], teacher)
    assert score.value(torch.tensor([0.0, 1.0])) == pytest.approx(score.table()[..., 1].mean().item())


@pytest.mark.parametrize("log", ["outside", "inside"])
def test_layers_that_agree_score_minus_infinity(log):
    score, teacher = STM(BATCH, log), maps([(3, 4)])
    score.update([torch.stack([teacher[0], teacher[0]])], teacher)
    assert score.value() == -math.inf


@given(count=st.integers(1, 5))
@settings(max_examples=5, deadline=None)
def test_equal_batches_score_as_one(count):
    once, often, pair = STM(BATCH), STM(BATCH), next(batches_of_features(1))
    once.update(*pair)
    for _ in range(count):
        often.update(*pair)
    assert often.value() == pytest.approx(once.value(), rel=1e-12)
    assert often.batches == count


def test_random_features_of_a_papers_size_score_in_its_range():
    """16384 entries as behind a CIFAR stem, 64 images: natural logarithms near the 16 to 17 of Table 1."""
    torch.manual_seed(0)
    score = STM()
    score.update([(torch.rand(1, 64, 16384) < 0.2).float()], [torch.randn(64, 16384).relu()])
    assert 14 < score.value() < 19


def test_mismatch_over_test_images(data, teacher):
    method = sastc(teacher)
    score = mismatch(method, data, batch_size=32)
    assert score.batches == 3  # of 100 images, the last 4 left out
    assert not method.student.training
    assert score.table().shape == (2, 4, 3)
    pair = mismatch((method.student, method.teacher), data, batch_size=32)
    assert pair.value() == score.value()
    assert mismatch(method, data, 32, log="inside").value() < score.value()


def test_mismatch_of_any_student_and_teacher(data):
    snn, ann = build_snn(STUDENT, 10, 1), build_ann(STUDENT, 10, 1)
    assert math.isfinite(mismatch((snn, ann), data, 50).value())


def test_scores_of_the_last_epochs_are_averaged_and_survive_a_kill(data, teacher, tmp_path):
    analyses = AnalysisConfig(mismatch=16, mismatch_epochs=2)
    recipe = Recipe(epochs=3, batch_size=BATCH, augment=(), learning_rate=5e-3)

    def run(**options):
        method = sastc(teacher)
        note = partial(epoch_notes, method, data, analyses, 3)
        return method, fit(method, data, recipe, seed=0, progress=False, note=note, **options)

    method, history = run()
    scores = history.notes["stm"]
    assert len(scores) == 2 and scores[0] != scores[1]
    assert len(history.notes["attention"]) == 3
    found = measure(method, data, analyses, notes=history.notes)["snn"]["mismatch"]
    assert found["score"] == pytest.approx(sum(scores) / 2)
    last = measure(method, data, AnalysisConfig(mismatch=16))["snn"]["mismatch"]
    assert last["score"] == scores[1]
    assert found["layers"] == last["layers"]
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(Killed):
        run(checkpoint=path, on_epoch=kill_after(2))
    assert run(checkpoint=path)[1].notes["stm"] == scores


def test_the_score_refuses_what_it_cannot_compare(data, teacher):
    student, ann = next(batches_of_features(1))
    with pytest.raises(UserError, match="expected 'outside' or 'inside'"):
        STM(log="ln")
    score = STM(BATCH)
    with pytest.raises(UserError, match="has seen no batch"):
        score.value()
    with pytest.raises(UserError, match="a batch has 8 images, the score is of batches of 64"):
        STM().update(student, ann)
    score.update(student, ann)
    with pytest.raises(UserError, match="one score for one pair of networks"):
        score.update(student[:1], ann)
    with pytest.raises(UserError, match=r"expected one that fits \[2, 2, 3\]"):
        score.value(torch.ones(4))
    with pytest.raises(UserError, match="at least 0 and not all 0"):
        score.value(torch.zeros(2, 2, 3))
    with pytest.raises(UserError, match="100 test images, fewer than batch_size = 128"):
        mismatch(sastc(teacher), data, 128)
    with pytest.raises(UserError, match="method Direct has no teacher"):
        mismatch(Direct(DirectConfig(), STUDENT, 10, 1), data, 32)
