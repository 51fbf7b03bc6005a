"""SASTC: who learns and who does not, kill and resume, bad input in one line."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from killing import Killed, kill_after
from sastc_cases import BATCH, LABELS, STUDENT, TEACHER, features_kd, images, sastc, trained
from snnbook.backbones import NetworkConfig, build_ann
from snnbook.errors import UserError
from snnbook.losses import tet
from snnbook.losses.sastc import calibration
from snnbook.trainers.direct import Direct, DirectConfig
from snnbook.trainers.distillation import Distillation, DistillationConfig
from snnbook.trainers.feature_distillation import FeatureDistillationConfig
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.recipe import Recipe
from snnbook.trainers.loop.weights import save_weights
from snnbook.trainers.sastc import PRESETS, SASTCConfig


@pytest.mark.parametrize("preset", list(PRESETS))
def test_everything_learns_but_the_teacher(teacher, preset):
    # Similarities are positive, so a hidden unit fires for every image or for none: four might be silent.
    method = sastc(teacher, preset=preset, embedding=8)
    before = {name: value.clone() for name, value in method.teacher.state_dict().items()}
    method.train()
    method(images(), LABELS)["sastc"].backward()
    for name, parameter in method.named_parameters():
        if name.startswith("teacher."):
            assert parameter.grad is None
        elif not name.startswith("student.backbone.head"):  # the calibration does not reach the classifier
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name
    assert not any(m.training for m in method.teacher.modules())
    assert all(torch.equal(value, before[name]) for name, value in method.teacher.state_dict().items())


def test_a_teacher_that_is_given_as_a_network_is_not_trained_either():
    teacher = build_ann(NetworkConfig(**TEACHER), 10, 1)
    groups = Recipe().optimizer_for(sastc(teacher)).param_groups
    assert not {id(p) for group in groups for p in group["params"]} & {id(p) for p in teacher.parameters()}


def test_the_method_is_the_sum_of_its_parts(teacher):
    method = sastc(teacher, preset="official", beta=3.0)
    terms = method(images(), LABELS)
    outputs, student = method.study(images())
    logits, taught = method.teach(images())
    assert len(student) == 4
    weights = method.attend(student[1:], taught[1:])
    expected = 3 * calibration(weights, method.match(student[1:], taught[1:]))
    torch.testing.assert_close(terms["sastc"], expected)
    torch.testing.assert_close(method.attention, weights.detach().mean(1))
    assert not method.attention.requires_grad
    soft = (logits / 4).softmax(-1)
    kl = (soft * (soft.log() - (outputs.mean(0) / 4).log_softmax(-1))).sum(-1).mean()
    torch.testing.assert_close(terms["kld"], 16 * kl)
    torch.testing.assert_close(terms["ce"], F.cross_entropy(outputs.mean(0), LABELS))


def test_attention_is_of_training_alone(teacher):
    method = sastc(teacher)
    method.begin_epoch(0)
    method(images(), LABELS)
    last = method.attention
    with torch.inference_mode():  # as in a validation
        method.eval()(images(1), LABELS)
    assert method.attention is last and method.batches == 1
    method.train().begin_epoch(1)
    method(images(), LABELS)["sastc"].backward()


def test_notes_are_the_mean_attention_of_an_epochs_batches(teacher):
    method = sastc(teacher)
    for epoch in range(2):
        method.begin_epoch(epoch)
        seen = []
        for seed in range(3):
            method(images(seed), LABELS)
            seen.append(method.attention)
        found = torch.tensor(method.notes()["attention"])
        torch.testing.assert_close(found, torch.stack(seen).mean(0), atol=1e-4, rtol=0)


def test_a_teacher_comes_to_the_students_precision():
    terms = sastc(build_ann(NetworkConfig("convnet", width=8), 10, 1).double())(images(), LABELS)
    assert {x.dtype for x in terms.values()} == {torch.float32}


def test_the_student_may_be_asked_for_the_label_at_every_step(teacher):
    method = sastc(teacher, label_loss="tet", ce=0.5)
    outputs, _ = method.study(images())
    torch.testing.assert_close(method(images(), LABELS)["ce"], 0.5 * tet(outputs, LABELS))


@pytest.mark.parametrize("name", ["resnet19", "wrn16_2", "sastc_vgg11"])
def test_features_and_logits_come_from_one_pass_and_are_the_networks_own(teacher, name):
    network = NetworkConfig(name, width=4, time_steps=2, neuron="sastc")
    method = sastc(teacher, network).eval()
    outputs, features = method.study(images())
    torch.testing.assert_close(outputs, method.student(images()))
    for found, expected in zip(features, method.student.features(images()), strict=True):
        torch.testing.assert_close(found, expected)
    logits, _ = method.teach(images())
    torch.testing.assert_close(logits, method.teacher(images()))
    assert not logits.requires_grad


@pytest.mark.parametrize("beta", [0.0, 5.0])
def test_without_calibration_it_is_distillation(tmp_path, beta):
    """The same student, image for image; nothing of the calibration is even built at beta 0."""
    path = trained(tmp_path / "model.safetensors", STUDENT)
    torch.manual_seed(0)
    plain = Distillation(DistillationConfig(temperature=4.0), STUDENT, 10, 1, path)
    method = sastc(path, teacher={}, beta=beta, temperature=4.0)
    expected, found = plain.train()(images(), LABELS), method(images(), LABELS)
    assert set(found) - set(expected) == ({"sastc"} if beta else set())
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)
    assert (len(method.state_dict()) == len(plain.state_dict())) == (beta == 0)


@pytest.mark.parametrize("build", [sastc, features_kd])
def test_methods_train_resume_and_hold_all_that_learns(data, teacher, tmp_path, build):
    recipe = Recipe(epochs=2, batch_size=BATCH, augment=(), learning_rate=5e-3)
    whole = build(teacher)
    history = fit(whole, data, recipe, seed=0, progress=False)
    assert sum(v[-1] for v in history.losses.values()) < sum(v[0] for v in history.losses.values())
    path = tmp_path / "checkpoint.pt"

    with pytest.raises(Killed):
        fit(build(teacher), data, recipe, seed=0, checkpoint=path, progress=False, on_epoch=kill_after(1))
    resumed = build(teacher)
    fit(resumed, data, recipe, seed=0, checkpoint=path, progress=False)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert any(name.startswith("match.") for name in whole.state_dict())
    if build is sastc:
        assert any(name.startswith("attend.queries") for name in whole.state_dict())
        assert whole.attention.shape == (2, 4, 3)


def test_half_precision_and_event_frames(teacher):
    with torch.autocast("cpu", torch.bfloat16):
        terms = sastc(teacher)(images(), LABELS)
    assert terms["sastc"].dtype == torch.float32
    sum(terms.values()).backward()
    frames = torch.stack([images(1), images(2)])
    method = sastc(teacher)
    method(frames, LABELS)
    assert method.attention.shape == (2, 4, 3)
    torch.testing.assert_close(method.teach(frames)[0], method.teach(frames.mean(0))[0])


def test_evaluation_needs_neither_attention_nor_a_full_batch(teacher):
    method = sastc(teacher).eval()
    predictions = method.predict(images(count=3))
    assert {name: x.shape for name, x in predictions.items()} == {"snn": (3, 10)}
    assert method.attention is None
    assert method.backbones() == {"snn": method.student.backbone}


def test_building_leaves_no_trace_of_the_blank_image(teacher):
    method = sastc(teacher)
    assert method.training
    for m in method.student.modules():
        if isinstance(m, nn.BatchNorm2d):
            assert not m.running_mean.any()
            assert m.num_batches_tracked == 0


def test_presets_fill_what_is_not_given():
    assert {name: getattr(SASTCConfig(), name) for name in PRESETS["paper"]} == PRESETS["paper"]
    assert SASTCConfig().embedding == 16
    config = SASTCConfig(preset="semckd", beta=50.0, batch_size=32)
    assert (config.beta, config.projection, config.temperature, config.embedding) == (50, "semckd", 4, 8)


def test_a_batch_too_small_for_attention_is_refused():
    with pytest.raises(UserError, match="batch_size is 7; expected at least 8"):
        SASTCConfig(batch_size=7)
    with pytest.raises(UserError, match="embedding is 1; expected at least 2"):
        SASTCConfig(embedding=1)


def test_another_batch_size_is_refused(data, teacher):
    method = sastc(teacher)
    with pytest.raises(UserError, match=r"a batch has 5 images, but method.batch_size = 8"):
        method(images(count=5), LABELS[:5])
    recipe = Recipe(epochs=1, batch_size=16, augment=(), drop_last=False)
    with pytest.raises(UserError, match=r"set recipe.batch_size to that number for each process"):
        fit(method, data, recipe, seed=0, progress=False)


def test_a_teacher_of_other_classes_is_refused(teacher):
    with pytest.raises(UserError, match="knows 10 classes and the student has 7"):
        sastc(teacher, classes=7)


@pytest.mark.parametrize("build", [sastc, features_kd])
def test_a_missing_an_untrained_and_another_teacher_are_refused(teacher, tmp_path, build):
    with pytest.raises(UserError, match="train that run first"):
        build(tmp_path / "none.pt")
    untrained = Direct(DirectConfig("ann"), NetworkConfig(**TEACHER), 10, 1)
    save_weights(untrained, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="was never trained"):
        build(tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="do not fit the network"):
        build(teacher, teacher={"name": "convnet", "width": 16})


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (dict(preset="papr"), "preset is 'papr'; expected one of paper, official, semckd"),
        (dict(candidates="outer"), "candidates is 'outer'; expected one of all, inner"),
        (dict(projection="linear"), "projection is 'linear'"),
        (dict(batchnorm="none"), "batchnorm is 'none'; expected one of step, merged"),
        (dict(student_pooling="avg"), "student_pooling is 'avg'; expected one of max, average"),
        (dict(beta=-1.0), "beta is -1.0"),
        (dict(temperature=0.0), "temperature is 0.0"),
        (dict(teacher={"width": 4}), r"method.teacher has no name"),
        (dict(teacher={"name": "convnet", "time_steps": 4}), "unknown key 'time_steps' in method.teacher"),
        (dict(teacher={"name": "resnet81"}), "no network named 'resnet81'"),
    ],
)
def test_senseless_settings_are_refused(wrong, line):
    with pytest.raises(UserError, match=line):
        SASTCConfig(**wrong)
    if "preset" not in wrong:
        with pytest.raises(UserError, match=line):
            FeatureDistillationConfig(**wrong)


def test_a_last_batch_that_attention_is_not_sized_for_is_told_before_training(data, teacher):
    method = sastc(teacher)
    before = method.student.backbone.stem[0].weight.clone()
    recipe = Recipe(epochs=1, batch_size=BATCH + 4, augment=(), drop_last=False)
    with pytest.raises(UserError, match="a batch has 4 images, but method"):
        fit(method, data, recipe, seed=0, progress=False)
    assert torch.equal(method.student.backbone.stem[0].weight, before)
