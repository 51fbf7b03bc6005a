"""The loop: resumed equals uninterrupted, seeds repeat, methods learn, damaged files are refused."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn

from bad_input import one_line
from killing import Killed, kill_after
from snnbook.backbones import NetworkConfig
from snnbook.data import DataConfig, Dataset, load
from snnbook.errors import UserError
from snnbook.trainers import METHODS, build_method
from snnbook.trainers.direct import Direct, DirectConfig
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.recipe import Recipe
from snnbook.trainers.loop.weights import save_weights

TINY = NetworkConfig("resnet18", width=4, time_steps=2)
RECIPE = Recipe(epochs=3, batch_size=20, augment=("crop",))


@pytest.fixture(scope="module")
def data():
    return load(DataConfig(name="digits", size=8, train_per_class=6, test_limit=100), None)


def method(data, name="direct", network=TINY, needs=(), **options):
    torch.manual_seed(0)
    return build_method(name, METHODS[name].Config(**options), network, data, needs)


def test_tests_come_every_few_epochs_and_at_the_end(data):
    curves = {}
    for every in (1, 2):
        recipe = dataclasses.replace(RECIPE, test_every=every)
        curves[every] = fit(method(data), data, recipe, seed=3, progress=False)
    assert (curves[1].tested, curves[2].tested) == ([1, 2, 3], [2, 3])
    assert curves[1].losses == curves[2].losses  # testing changes nothing that is trained
    assert curves[1].accuracy["snn"][1:] == curves[2].accuracy["snn"]
    with pytest.raises(UserError, match=r"recipe\.test_every is 0"):
        dataclasses.replace(RECIPE, test_every=0)


@pytest.mark.parametrize("recipe", [RECIPE, dataclasses.replace(RECIPE, optimizer="sgd", momentum=0.9)])
def test_resumed_run_equals_an_uninterrupted_one(data, tmp_path, recipe):
    whole = method(data, "joint")
    expected = fit(whole, data, recipe, seed=3, progress=False)
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(Killed):
        fit(
            method(data, "joint"),
            data,
            recipe,
            seed=3,
            checkpoint=path,
            progress=False,
            on_epoch=kill_after(1),
        )
    torch.manual_seed(99)  # a new process starts anywhere
    resumed = method(data, "joint")
    history = fit(resumed, data, recipe, seed=3, checkpoint=path, progress=False)
    assert history.losses == expected.losses
    assert history.accuracy == expected.accuracy
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_seed_gives_the_same_numbers_twice_and_another_seed_others(data):
    losses = [fit(method(data), data, RECIPE, seed=s, progress=False).losses for s in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


def test_a_seed_of_numpys_is_a_seed(data):
    once = dataclasses.replace(RECIPE, epochs=1)
    losses = [fit(method(data), data, once, seed=s, progress=False).losses for s in (200, np.uint8(200))]
    assert losses[0] == losses[1]


class Thawing(Direct):
    def begin_epoch(self, epoch):
        self.requires_grad_(epoch > 0)
        self.network.backbone.head.requires_grad_(True)


def test_weights_that_thaw_learn_or_are_told(data):
    torch.manual_seed(0)
    thawing = Thawing(DirectConfig(), TINY, 10, 1)
    stem = next(thawing.parameters())
    before = stem.detach().clone()
    stem.requires_grad_(False)
    one_line(lambda: fit(thawing, data, RECIPE, seed=0, progress=False), "frozen", "begin_epoch(0)")
    assert torch.equal(stem, before)
    thawing.requires_grad_(True)
    fit(thawing, data, RECIPE, seed=0, progress=False)
    assert not torch.equal(stem, before)


def test_a_place_that_cannot_be_written_is_told_before_training(data, tmp_path):
    (tmp_path / "file").write_text("")
    untrained = method(data)
    before = next(untrained.parameters()).detach().clone()
    place = tmp_path / "file" / "run.pt"
    one_line(lambda: fit(untrained, data, RECIPE, seed=0, checkpoint=place, progress=False), "cannot write")
    assert torch.equal(next(untrained.parameters()), before)


@pytest.mark.parametrize("name", ["joint", "snntorch"])
def test_methods_learn(name):
    data = load(DataConfig(name="digits", size=16, train_per_class=20, test_limit=200), None)
    recipe = dataclasses.replace(RECIPE, epochs=15, learning_rate=5e-3)
    network = NetworkConfig("resnet18", width=8, time_steps=2)
    history = fit(method(data, name, network), data, recipe, seed=0, progress=False)
    assert sum(losses[-1] for losses in history.losses.values()) < sum(
        losses[0] for losses in history.losses.values()
    )
    assert max(history.accuracy["snn"]) > 50  # chance is 10


def test_the_first_network_of_the_book_reads_digits():
    """Chapter 3's network and schedule: 98.5 % of the held-out digits, median of three seeds."""
    data = load(DataConfig(name="digits", size=8), None)
    recipe = Recipe(epochs=10, batch_size=64, learning_rate=5e-3, augment=())
    network = NetworkConfig("convnet", width=16, time_steps=4, neuron="tet")
    accuracies = []
    for seed in range(3):
        torch.manual_seed(seed)
        first = build_method("direct", METHODS["direct"].Config(), network, data)
        accuracies.append(fit(first, data, recipe, seed=seed, progress=False).accuracy["snn"][-1])
    assert sorted(accuracies)[1] > 98.5


def test_distillation_learns_from_a_teacher_that_stands_still(data, tmp_path):
    teacher = method(data, train="ann")
    fit(teacher, data, RECIPE, seed=0, progress=False)
    save_weights(teacher, tmp_path / "model.safetensors")
    student = method(data, "distillation", needs=[tmp_path / "model.safetensors"])
    before = {n: v.clone() for n, v in student.teacher.state_dict().items()}
    assert all(torch.equal(v, teacher.network.state_dict()[n]) for n, v in before.items())
    history = fit(student, data, RECIPE, seed=0, progress=False)
    assert all(torch.equal(v, before[n]) for n, v in student.teacher.state_dict().items())
    assert history.losses["kld"][-1] > 0


def test_distillation_without_a_teacher_is_refused(data, tmp_path):
    with pytest.raises(UserError, match="needs 1 trained networks"):
        method(data, "distillation")
    with pytest.raises(UserError, match="train that run first"):
        method(data, "distillation", needs=[tmp_path / "none.pt"])


def test_weights_of_another_network_are_refused(data, tmp_path):
    wider = NetworkConfig("resnet18", width=8, time_steps=2)
    save_weights(method(data, network=wider, train="ann"), tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="do not fit the network"):
        method(data, "distillation", needs=[tmp_path / "model.safetensors"])


def test_a_truncated_checkpoint_is_refused_and_kept(data, tmp_path):
    path = tmp_path / "checkpoint.pt"
    recipe = dataclasses.replace(RECIPE, epochs=1)
    fit(method(data), data, recipe, seed=0, checkpoint=path, progress=False)
    damaged = path.read_bytes()[:1000]
    path.write_bytes(damaged)
    with pytest.raises(UserError, match="delete it to start again"):
        fit(method(data), data, RECIPE, seed=0, checkpoint=path, progress=False)
    assert path.read_bytes() == damaged


def test_another_runs_checkpoint_is_refused_and_kept(data, tmp_path):
    path = tmp_path / "checkpoint.pt"
    recipe = dataclasses.replace(RECIPE, epochs=1)
    fit(method(data), data, recipe, seed=0, checkpoint=path, identity="a/b", progress=False)
    content = path.read_bytes()
    with pytest.raises(UserError, match=r"belongs to another experiment \(a/b\); expected c/d"):
        fit(method(data), data, RECIPE, seed=0, checkpoint=path, identity="c/d", progress=False)
    assert path.read_bytes() == content


def test_precisions_agree_roughly(data):
    losses = {
        p: fit(method(data), data, dataclasses.replace(RECIPE, precision=p), seed=0, progress=False).losses[
            "ce"
        ]
        for p in ("float32", "bfloat16")
    }
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.1)


def test_an_exploding_loss_stops_with_a_clear_line(data):
    with pytest.raises(UserError, match="no longer finite in epoch 1"):
        fit(_Exploding(), data, RECIPE, seed=0, progress=False)


class _Exploding(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images, labels):
        return {"ce": self.weight.sum() * float("inf")}

    def predict(self, images):
        return {"snn": torch.zeros(len(images), 10)}


def test_a_training_set_smaller_than_a_batch_is_refused(data):
    with pytest.raises(UserError, match="fewer than recipe"):
        fit(method(data), data, dataclasses.replace(RECIPE, batch_size=1000), seed=0, progress=False)


@pytest.mark.parametrize("wrong", [dict(optimizer="adamw"), dict(epochs=0), dict(precision="half")])
def test_senseless_recipes_are_refused(wrong):
    with pytest.raises(UserError, match="expected"):
        Recipe(**wrong)


STEPS = Recipe(epochs=6, learning_rate=0.1, schedule="steps", milestones=(2, 4))
COSINE = [0.05 * (1 + math.cos(math.pi * epoch / 4)) for epoch in range(5)]


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [(STEPS, [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]), (Recipe(epochs=4, learning_rate=0.1), COSINE)],
    ids=["divided by ten", "to zero over the epochs"],
)
def test_a_schedule_has_its_learning_rates(recipe, expected):
    optimizer = recipe.optimizer_for(torch.nn.Linear(1, 1))
    scheduler, rates = recipe.scheduler_for(optimizer, 100), []
    for _ in expected:
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates == pytest.approx(expected)


def test_momentum_and_decay_are_the_recipes():
    """By hand, with a gradient of 1: 0.1 (1 + 0.5), then 0.6 of that step and 0.1 (1 + 0.5 * 0.85)."""
    weight = nn.Parameter(torch.ones(1, 1))
    recipe = Recipe(optimizer="sgd", learning_rate=0.1, momentum=0.6, weight_decay=0.5)
    optimizer = recipe.optimizer_for(nn.ParameterList([weight]))
    for _ in range(2):
        weight.grad = torch.ones(1, 1)
        optimizer.step()
    assert weight.item() == pytest.approx(0.85 - 0.6 * 0.15 - 0.1 * (1 + 0.5 * 0.85))


def test_adam_adds_the_decay_to_the_gradient():
    """Adam's first step is the rate long whatever the gradient is: of a weight that has none, decay makes one."""
    weight = nn.Parameter(torch.tensor([[3.0, -2.0]]))
    recipe = Recipe(optimizer="adam", learning_rate=0.1, weight_decay=0.5)
    optimizer = recipe.optimizer_for(nn.ParameterList([weight]))
    weight.grad = torch.zeros(1, 2)
    optimizer.step()
    assert weight.flatten().tolist() == pytest.approx([2.9, -1.9])


class _Drawing(nn.Module):
    """A method that draws numbers of its own, as dropout does."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images, labels):
        return {"drawn": torch.rand(()) * self.weight.sum()}

    def predict(self, images):
        return {"snn": torch.zeros(len(images), 10)}

    def backbones(self):
        return {"snn": self}


def test_a_kill_changes_no_number_that_a_method_draws(data, tmp_path):
    options = dict(seed=3, progress=False, checkpoint=tmp_path / "c.pt")
    whole = fit(_Drawing(), data, RECIPE, seed=3, progress=False)
    with pytest.raises(Killed):
        fit(_Drawing(), data, RECIPE, **options, on_epoch=kill_after(1))
    torch.manual_seed(99)  # a new process starts anywhere
    assert fit(_Drawing(), data, RECIPE, **options).losses == whole.losses


def test_a_method_draws_other_numbers_with_each_seed_and_in_each_epoch(data):
    recipe = dataclasses.replace(RECIPE, learning_rate=1e-9)  # the weight stays what it is
    drawn = [fit(_Drawing(), data, recipe, seed=seed, progress=False).losses["drawn"] for seed in (3, 4)]
    assert len({*drawn[0], *drawn[1]}) == 2 * recipe.epochs


@pytest.mark.parametrize("options", [{"schedule": "steps"}, {"milestones": (3,)}])
def test_steps_and_milestones_belong_together(options):
    with pytest.raises(UserError, match="expected milestones with 'steps'"):
        Recipe(**options)


def test_a_last_batch_of_one_that_cannot_be_normalized_is_told():
    images, labels = torch.rand(9, 5, 1, 1), torch.arange(9) % 3
    data = Dataset.from_tensors(images, labels, images, labels)
    network = NetworkConfig("dense", width=4, time_steps=1, options={"depth": 2})
    method = Direct(DirectConfig(), network, 3, 5)
    with pytest.raises(UserError, match="a batch of one image has nothing"):
        fit(method, data, Recipe(epochs=1, batch_size=4, augment=(), drop_last=False), seed=0, progress=False)
