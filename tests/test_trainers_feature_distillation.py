"""Fixed pairs of layers."""

import pytest
import torch

from sastc_cases import BATCH, LABELS, features_kd, images
from snnbook.errors import UserError
from snnbook.losses.sastc import calibration
from snnbook.trainers.feature_distillation import FeatureDistillationConfig


def test_all_pairs_weigh_the_same_and_one_pair_is_their_entry(teacher):
    every = features_kd(teacher, beta=1.0)
    _, student = every.study(images())
    _, taught = every.teach(images())
    distances = every.match(student, taught)
    assert distances.shape[2:] == (4, 3)
    found = every(images(), LABELS)["features"]
    torch.testing.assert_close(found, distances.mean())
    one = features_kd(teacher, beta=1.0, student_layer=2, teacher_layer=1)
    one.match.projections[0][0].load_state_dict(every.match.projections[2][1].state_dict())
    found = one(images(), LABELS)["features"]
    torch.testing.assert_close(found, distances[:, :, 2, 1].mean())
    assert len(one.match.projections) == len(one.match.projections[0]) == 1


def test_terms_have_their_weights(teacher):
    plain = features_kd(teacher, beta=1.0)(images(), LABELS)
    weighed = features_kd(teacher, ce=0.5, kld=3.0, beta=2.0)(images(), LABELS)
    for name, weight in {"ce": 0.5, "kld": 3.0, "features": 2.0}.items():
        torch.testing.assert_close(weighed[name], weight * plain[name])


def test_uniform_attention_is_all_pairs(teacher):
    method = features_kd(teacher, beta=1.0)
    _, student = method.study(images())
    _, taught = method.teach(images())
    uniform = torch.full((2, BATCH, 4, 3), 1 / 3)
    expected = calibration(uniform, method.match(student, taught))
    torch.testing.assert_close(method(images(), LABELS)["features"], expected)


def test_hints_are_one_convolution_without_a_divergence(teacher):
    method = features_kd(teacher, student_layer=2, teacher_layer=1, projection="hint", kld=0.0)
    terms = method(images(), LABELS)
    assert set(terms) == {"ce", "features"}
    assert [p.shape for p in method.match.parameters()] == [(16, 16, 3, 3)]


def test_layers_that_do_not_exist_are_refused(teacher):
    with pytest.raises(UserError, match="student_layer is 4, but the student has layers 0 to 3"):
        features_kd(teacher, student_layer=4, teacher_layer=0)
    with pytest.raises(UserError, match="teacher_layer is -1, but the teacher has layers 0 to 2"):
        features_kd(teacher, student_layer=0, teacher_layer=-1)
    with pytest.raises(UserError, match=r"student_layer stands alone"):
        FeatureDistillationConfig(student_layer=0)
