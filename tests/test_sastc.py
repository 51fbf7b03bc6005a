"""SASTC: attention within its bounds, a loss by hand, who learns and who does not, the STM score in numpy."""

import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from snnbook.analysis import epoch_notes, measure, training_flops
from snnbook.analysis.config import AnalysisConfig
from snnbook.analysis.stm import STM, mismatch
from snnbook.backbones import NetworkConfig, build_ann, build_snn
from snnbook.data import DataConfig, load
from snnbook.errors import UserError
from snnbook.losses import tet
from snnbook.losses.sastc import attention_weights, calibration, distance, similarity
from snnbook.trainers.calibration import Embedding, LayerAttention, Matching, Projection
from snnbook.trainers.direct import Direct, DirectConfig
from snnbook.trainers.distillation import Distillation, DistillationConfig
from snnbook.trainers.feature_distillation import FeatureDistillation, FeatureDistillationConfig
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.recipe import Recipe
from snnbook.trainers.loop.weights import save_weights
from snnbook.trainers.sastc import PRESETS, SASTC, SASTCConfig

STUDENT = NetworkConfig("resnet19", width=4, time_steps=2, neuron="sastc")
TEACHER = {"name": "convnet", "width": 8}
BATCH = 8
LABELS = torch.arange(BATCH)


def images(seed=0, count=BATCH, size=16):
    return torch.rand(count, 1, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def data():
    return load(DataConfig(name="digits", size=8, train_per_class=4, test_limit=100), None)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("teacher") / "model.safetensors", NetworkConfig(**TEACHER))


def trained(path, network, classes=10):
    """Weights of an ANN that has at least seen a batch."""
    torch.manual_seed(1)
    method = Direct(DirectConfig("ann"), network, classes, 1)
    method(images(), LABELS % classes)
    save_weights(method, path)
    return path


def sastc(weights, network=STUDENT, classes=10, **options):
    torch.manual_seed(0)
    config = SASTCConfig(**{"teacher": TEACHER, "batch_size": BATCH, **options})
    return SASTC(config, network, classes, 1, weights)


def features_kd(weights, network=STUDENT, **options):
    torch.manual_seed(0)
    return FeatureDistillation(
        FeatureDistillationConfig(**{"teacher": TEACHER, **options}), network, 10, 1, weights
    )


def maps(channels_and_sizes, time_steps=None, seed=0, batch=BATCH):
    """Random features of several layers, ``[T, B, C, H, W]`` or without T."""
    generator = torch.Generator().manual_seed(seed)
    lead = (batch,) if time_steps is None else (time_steps, batch)
    return [torch.randn(*lead, c, s, s, generator=generator) for c, s in channels_and_sizes]


# --- pure functions


def test_similarity_is_the_gram_matrix_of_each_step():
    (x,) = maps([(3, 4)], time_steps=2)
    rows = x.flatten(2).double()
    expected = torch.einsum("tnf,tmf->tnm", rows, rows)
    torch.testing.assert_close(similarity(x, time=True), expected.float())
    torch.testing.assert_close(similarity(x[1]), expected[1].float())


def test_similarity_stays_in_float32_under_autocast():
    x = 30 * images()
    with torch.autocast("cpu", torch.bfloat16):
        found, half = similarity(x), similarity(x.bfloat16())
    assert torch.equal(found, similarity(x))
    assert half.dtype == torch.float32
    assert torch.equal(half, similarity(x.bfloat16().float()))


@given(
    seed=st.integers(0, 999),
    steps=st.integers(1, 4),
    students=st.integers(1, 5),
    teachers=st.integers(1, 6),
    scale=st.sampled_from([1e-6, 1.0, 1e4]),
)
@settings(max_examples=50, deadline=None)
def test_attention_sums_to_one_within_its_bounds(seed, steps, students, teachers, scale):
    torch.manual_seed(seed)
    attend = LayerAttention(BATCH, students, teachers, length=3)
    weights = attend(
        [scale * torch.randn(steps, BATCH, 7) for _ in range(students)],
        [scale * torch.randn(BATCH, 9) for _ in range(teachers)],
    )
    assert weights.shape == (steps, BATCH, students, teachers)
    torch.testing.assert_close(weights.sum(-1), torch.ones(steps, BATCH, students))
    least = math.exp(-1) / (math.exp(-1) + (teachers - 1) * math.e)
    most = math.e / (math.e + (teachers - 1) * math.exp(-1))
    assert weights.min() >= least - 1e-6
    assert weights.max() <= most + 1e-6


def test_the_bounds_of_attention_are_reached():
    unit = torch.tensor([1.0, 0.0])
    keys = torch.stack([unit, -unit, -unit]).expand(BATCH, 3, 2)
    weights = attention_weights(unit.expand(1, BATCH, 1, 2), keys)
    assert weights[0, 0, 0, 0].item() == pytest.approx(0.787, abs=5e-4)


def test_embeddings_have_unit_length_and_finite_gradients():
    embed, rows = Embedding(BATCH, 4), torch.zeros(2, BATCH, BATCH, requires_grad=True)
    nn.init.zeros_(embed.output.bias)
    nn.init.zeros_(embed.hidden.bias)
    embed(rows).sum().backward()
    assert rows.grad.isfinite().all()
    similarities = 1e5 * torch.rand(2, BATCH, BATCH)
    torch.testing.assert_close(Embedding(BATCH, 4)(similarities).norm(dim=-1), torch.ones(2, BATCH))


def test_distance_by_hand():
    x, y = torch.randn(3, 5, 2, 4, 4), torch.randn(5, 2, 4, 4, requires_grad=True)
    found = distance(x.requires_grad_(), y)
    expected = torch.stack([F.mse_loss(step[2], y[2]) for step in x])
    torch.testing.assert_close(found[:, 2], expected)
    found.sum().backward()
    assert y.grad is None


def test_calibration_by_hand():
    torch.manual_seed(0)
    attention, distances = torch.rand(2, 3, 4, 5).softmax(-1), torch.rand(2, 3, 4, 5)
    total = sum(
        attention[t, n, i, j] * distances[t, n, i, j]
        for t in range(2)
        for n in range(3)
        for i in range(4)
        for j in range(5)
    )
    torch.testing.assert_close(calibration(attention, distances), total / (2 * 3 * 4))


# --- projections


@given(seed=st.integers(0, 99), kind=st.sampled_from(["sastc", "semckd"]), steps=st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_statistics_by_step_equal_a_loop_over_steps_and_merged_ones_a_single_call(seed, kind, steps):
    torch.manual_seed(seed)
    projection = Projection(3, 5, kind)
    x = torch.randn(steps * 4, 3, 6, 6) * torch.arange(1, steps * 4 + 1)[:, None, None, None]
    layers, norms = [], iter(projection.norms)
    for convolution in projection.convolutions:
        layers += [convolution]
        if (norm := next(norms, None)) is not None:
            layers += [norm, nn.ReLU()]
    plain = nn.Sequential(*layers)
    torch.testing.assert_close(projection(x), plain(x))
    by_step = torch.cat([plain(step) for step in x.chunk(steps)])
    torch.testing.assert_close(projection(x, parts=steps), by_step)


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("batchnorm", ["step", "merged"])
def test_matching_equals_pair_by_pair(pooling, batchnorm):
    torch.manual_seed(0)
    student = maps([(3, 8), (4, 4), (5, 2)], time_steps=2)
    teacher = maps([(2, 8), (3, 6), (6, 2), (4, 4)], seed=1)
    match = Matching((3, 4, 5), (2, 3, 6, 4), "sastc", batchnorm, pooling)
    found = match(student, teacher)
    assert found.shape == (2, BATCH, 3, 4)
    pool = F.adaptive_max_pool2d if pooling == "max" else F.adaptive_avg_pool2d
    for i, x in enumerate(student):
        for j, y in enumerate(teacher):
            size = min(x.shape[-1], y.shape[-1])
            pooled = pool(x.flatten(0, 1), size)  # the student to the teacher's size, if that is smaller
            projected = match.projections[i][j](pooled, 2 if batchnorm == "step" else 1)
            target = F.adaptive_avg_pool2d(y, size)
            expected = distance(projected.unflatten(0, (2, BATCH)), target)
            torch.testing.assert_close(found[:, :, i, j], expected)


def test_a_projection_reads_all_time_steps_in_one_call_and_a_map_is_pooled_once(monkeypatch):
    student, teacher = maps([(3, 8), (4, 4)], time_steps=5), maps([(2, 8), (3, 8), (6, 4), (4, 4)], seed=1)
    match = Matching((3, 4), (2, 3, 6, 4), "hint", "step", "max")
    calls, pools = [], []
    for row in match.projections:
        for projection in row:
            projection.register_forward_hook(lambda module, inputs, output: calls.append(inputs[0].shape[0]))
    average = F.adaptive_avg_pool2d
    match.pool = lambda x, size: pools.append(size) or F.adaptive_max_pool2d(x, size)
    monkeypatch.setattr(F, "adaptive_avg_pool2d", lambda x, size: pools.append(size) or average(x, size))
    match(student, teacher)
    assert calls == 8 * [5 * BATCH]
    assert pools == 3 * [(4, 4)]  # the first student layer, and two of the teacher


@pytest.mark.parametrize("batchnorm", ["step", "merged"])
def test_recomputing_keeps_less_and_changes_nothing(batchnorm):
    student, teacher = maps([(3, 8), (4, 4)], time_steps=2), maps([(2, 8), (5, 4)], seed=1)
    found, kept = [], []
    for recompute in (False, True):
        torch.manual_seed(0)
        match = Matching((3, 4), (2, 5), "sastc", batchnorm, "max", recompute)
        inputs, storages = [x.clone().requires_grad_() for x in student], {}

        def pack(x, storages=storages):
            storages[x.untyped_storage().data_ptr()] = x  # held, so that no address is used twice
            return x

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            distances = match(inputs, teacher)
        kept.append(sum(x.untyped_storage().nbytes() for x in storages.values()))
        distances.square().sum().backward()
        gradients = [p.grad for p in match.parameters()]
        found.append([distances, *(x.grad for x in inputs), *gradients])
    torch.testing.assert_close(*found)
    assert kept[1] < kept[0] / 2


def test_the_loss_is_zero_when_projections_equal_targets():
    """A projection that picks channels, and a teacher that is what it picks."""
    teacher = maps([(3, 4)])
    student = [torch.stack([teacher[0], teacher[0]])]
    match = Matching((3,), (3,), "hint", "merged", "max")
    (convolution,) = match.projections[0][0].convolutions
    with torch.no_grad():
        nn.init.dirac_(convolution.weight)
    weights = LayerAttention(BATCH, 1, 1, 2)(student, teacher)
    assert calibration(weights, match(student, teacher)).item() == 0
    assert calibration(weights, match([student[0] + 1], teacher)).item() > 0


@given(order=st.permutations(range(3)), batchnorm=st.sampled_from(["step", "merged"]))
@settings(max_examples=12, deadline=None)
def test_the_loss_does_not_see_an_order_of_teacher_layers(order, batchnorm):
    torch.manual_seed(0)
    student, teacher = maps([(3, 8), (4, 4)], time_steps=2), maps([(2, 8), (3, 6), (5, 2)], seed=1)
    attend = LayerAttention(BATCH, 2, 3, 4)
    match = Matching((3, 4), (2, 3, 5), "sastc", batchnorm, "max")
    before = attend(student, teacher)
    expected = calibration(before, match(student, teacher))
    attend.keys = nn.ModuleList(attend.keys[j] for j in order)
    match.projections = nn.ModuleList(nn.ModuleList(row[j] for j in order) for row in match.projections)
    shuffled = [teacher[j] for j in order]
    after = attend(student, shuffled)
    torch.testing.assert_close(after, before[..., order])
    torch.testing.assert_close(calibration(after, match(student, shuffled)), expected)


def test_gradients_flow_through_the_similarity_matrices():
    student, teacher = maps([(3, 4)], time_steps=2), maps([(2, 4), (5, 2)], seed=1)
    student[0].requires_grad_()
    weights = LayerAttention(BATCH, 1, 2, 4)(student, teacher)
    weights[..., 0].sum().backward()  # no distance in it: attention alone
    assert student[0].grad.abs().sum() > 0


# --- the method


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

    class Killed(Exception):
        pass

    def kill(history):
        if history.epochs == 1:
            raise Killed

    with pytest.raises(Killed):
        fit(build(teacher), data, recipe, seed=0, checkpoint=path, progress=False, on_epoch=kill)
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


# --- fixed layers


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


# --- the mismatch score


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
    assert score.table().shape == (2, 4, 3)
    pair = mismatch((method.student, method.teacher), data, batch_size=32)
    assert pair.value() == score.value()
    assert mismatch(method, data, 32, candidates="inner").table().shape == (2, 3, 2)
    assert mismatch(method, data, 32, log="inside").value() < score.value()


def test_mismatch_of_any_student_and_teacher(data):
    snn, ann = build_snn(STUDENT, 10, 1), build_ann(STUDENT, 10, 1)
    assert math.isfinite(mismatch((snn, ann), data, 50).value())


# --- bad input, each with one line


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


def test_layers_that_do_not_exist_are_refused(teacher):
    with pytest.raises(UserError, match="student_layer is 4, but the student has layers 0 to 3"):
        features_kd(teacher, student_layer=4, teacher_layer=0)
    with pytest.raises(UserError, match="teacher_layer is -1, but the teacher has layers 0 to 2"):
        features_kd(teacher, student_layer=0, teacher_layer=-1)
    with pytest.raises(UserError, match=r"student_layer stands alone"):
        FeatureDistillationConfig(student_layer=0)


def test_shapes_that_make_no_sense_are_refused():
    with pytest.raises(UserError, match=r"expected \[T, B, ...\]"):
        similarity(torch.zeros(2, 8), time=True)
    with pytest.raises(UserError, match=r"expected \[T, B, S, K\] of both"):
        calibration(torch.zeros(2, 8, 3, 4), torch.zeros(2, 8, 4, 3))


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
    with pytest.raises(UserError, match="candidates is 'some'"):
        mismatch(sastc(teacher), data, 32, candidates="some")
    with pytest.raises(UserError, match="method Direct has no teacher"):
        mismatch(Direct(DirectConfig(), STUDENT, 10, 1), data, 32)


def test_scores_of_the_last_epochs_are_averaged_and_survive_a_kill(data, teacher, tmp_path):
    analyses = AnalysisConfig(mismatch=16, mismatch_epochs=2)
    recipe = Recipe(epochs=3, batch_size=BATCH, augment=(), learning_rate=5e-3)

    def run(**options):
        method = sastc(teacher)
        note = partial(epoch_notes, method, data, analyses, 3)
        return method, fit(method, data, recipe, seed=0, progress=False, note=note, **options)

    class Killed(Exception):
        pass

    def kill(history):
        if history.epochs == 2:
            raise Killed

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
        run(checkpoint=path, on_epoch=kill)
    assert run(checkpoint=path)[1].notes["stm"] == scores


# --- the cost of a step


def test_operations_of_a_step_by_hand():
    """A convolution and a linear layer, forward, for the weights, and for the input where one is wanted."""

    class Method(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.linear = nn.Conv2d(3, 5, 3, padding=1), nn.Linear(5 * 16, 7)

        def forward(self, images, labels):
            return {"ce": F.cross_entropy(self.linear(self.conv(images).flatten(1)), labels)}

    products = 2 * (8 * 16 * 3 * 5 * 9) + 3 * (8 * 5 * 16 * 7)
    assert training_flops(Method, (8, 3, 4, 4)) == 2 * products


def test_operations_of_the_calibration_by_hand():
    """With equal shares the projections are all that is added; attention adds little to them."""
    teacher = NetworkConfig("convnet", width=8)

    def count(method, **options):
        config = method.Config(**options)
        return training_flops(
            lambda: method(config, network, 10, 1, build_ann(teacher, 10, 1)), (BATCH, 1, 16, 16)
        )

    network = NetworkConfig("convnet", width=8, time_steps=2, neuron="sastc")
    with torch.no_grad():
        shapes = [x.shape[1:] for x in build_ann(teacher, 10, 1).features(images())]
    products = sum(
        min(h, height) ** 2 * (9 * c * 2 * channels + 2 * channels * channels)
        for c, h, _ in shapes
        for channels, height, _ in shapes
    )
    alone = count(SASTC, beta=0.0, batch_size=BATCH)
    expected = 3 * 2 * 2 * BATCH * products  # forward, weights, input; two operations; two steps
    assert count(FeatureDistillation) - alone == expected
    assert expected < count(SASTC, batch_size=BATCH) - alone < 1.2 * expected
