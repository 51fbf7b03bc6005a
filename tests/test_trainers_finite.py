"""NaN is never "no spike": it stops a run wherever it comes up, with the name of what holds it."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bad_input import one_line
from own_data import RECIPE, method, problem
from snnbook.data import Dataset
from snnbook.neurons import PLIF
from snnbook.trainers.loop import checkpoint
from snnbook.trainers.loop.evaluation import evaluate
from snnbook.trainers.loop.finite import first_damaged
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.trial import Trial
from snnbook.trainers.loop.weights import save_weights

DATA = Dataset.from_tensors(*problem())
TENSORS = [name for name, value in method().state_dict().items() if value.is_floating_point()]
BAD = st.sampled_from([float("nan"), float("inf"), -float("inf")])


def spoil(tensors, name, value):
    with torch.no_grad():
        tensors[name].view(-1)[-1] = value


def run(trained, recipe=RECIPE, **options):
    return fit(trained, DATA, recipe, seed=0, progress=False, **options)


@given(name=st.sampled_from(TENSORS), value=BAD)
@settings(deadline=None, max_examples=20)
def test_a_damaged_start_is_told_before_training(name, value):
    damaged = method()
    spoil(damaged.state_dict(), name, value)
    assert first_damaged(damaged) == name
    one_line(lambda: run(damaged), f"'{name}' holds NaN or infinity before training begins")


@given(name=st.sampled_from(TENSORS), value=BAD, at=st.integers(0, 1))
@settings(deadline=None, max_examples=12)
def test_what_breaks_in_training_is_told_in_its_epoch(name, value, at):
    trained, steps = method(), []

    def breaking(_):  # once the last gradient is there, so that this step's loss is sound
        steps.append(1)
        if len(steps) == 2 * (at + 1):
            spoil(trained.state_dict(), name, value)

    trained.network.backbone.conv.weight.register_post_accumulate_grad_hook(breaking)
    one_line(lambda: run(trained), f"'{name}' is no longer finite in epoch {at + 1}")


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_senseless_learning_rate_leaves_no_record(optimizer):
    recipe = replace(RECIPE, learning_rate=1e20, optimizer=optimizer)
    one_line(lambda: run(method(), recipe), "finite in epoch 1")


class Killed(Exception):
    pass


def half_trained(path):
    def kill(history):
        raise Killed

    with pytest.raises(Killed):
        run(method(), checkpoint=path, on_epoch=kill)
    return torch.load(path, weights_only=True)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("part", ["method", "optimizer", "scheduler"])
def test_a_damaged_checkpoint_is_refused_and_kept(tmp_path, part, value):
    path = tmp_path / "checkpoint.pt"
    state = half_trained(path)
    if part == "method":
        spoil(state["method"], "network.backbone.bn.running_var", value)
    elif value == float("inf"):
        return  # what an infinite moment does shows in the weights
    elif part == "optimizer":
        spoil(state["optimizer"]["state"][0], "exp_avg", value)
    else:
        state["scheduler"]["_last_lr"] = [value]
    checkpoint.save(path, state)
    before = path.read_bytes()
    one_line(lambda: run(method(), checkpoint=path), "NaN" if value != value else "holds NaN or infinity")
    assert path.read_bytes() == before


@pytest.mark.parametrize("drop", ["method", "optimizer", "history"])
def test_a_checkpoint_of_another_make_is_refused(tmp_path, drop):
    path = tmp_path / "checkpoint.pt"
    state = half_trained(path)
    del state[drop]
    checkpoint.save(path, state)
    one_line(lambda: run(method(), checkpoint=path), "does not fit the method")


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    path = tmp_path / "checkpoint.pt"
    half_trained(path)
    one_line(lambda: run(method(classes=4), checkpoint=path), "belongs to another experiment")
    named = dict(checkpoint=path, identity=torch.load(path, weights_only=True)["identity"])
    one_line(lambda: run(method(classes=4), **named), "does not fit the method")


class Silent(nn.Module):
    """Its weights are sound, its predictions are not."""

    def __init__(self, predictions):
        super().__init__()
        self.weight, self.predictions = nn.Parameter(torch.ones(1)), predictions

    def forward(self, images, labels):
        return {"ce": self.weight.sum()}

    def predict(self, images):
        return self.predictions(images)


def logits(value):
    return lambda images: {"snn": torch.full((len(images), 3), value)}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_predictions_that_are_no_numbers_count_for_nothing(value):
    one_line(lambda: evaluate(Silent(logits(value)), DATA), "'snn' puts out NaN or infinity for 20 of 20")
    one_line(lambda: run(Silent(logits(value))), "NaN or infinity")


@pytest.mark.parametrize(
    "predictions",
    [
        lambda images: torch.zeros(len(images), 3),
        lambda images: {},
        lambda images: {"snn": torch.zeros(3)},
        lambda images: {"snn": torch.zeros(2, len(images), 3)},
        lambda images: {"snn": torch.zeros(len(images) - 1, 3)},
        lambda images: {"snn": [0.0]},
        lambda images: None,
    ],
)
def test_predictions_that_are_no_logits_are_refused(predictions):
    one_line(lambda: run(Silent(predictions)), "predict gave", "expected logits")


def test_losses_on_the_test_set_are_numbers_too():
    class Following(Silent):
        def test_losses(self, images, labels):
            return {"sdt": torch.tensor(float("nan"))}

    one_line(lambda: run(Following(logits(0.0))), "a loss on the test set is not finite")


@pytest.mark.parametrize(
    "terms",
    [
        None,
        {},
        torch.tensor(1.0),
        {"ce": 1.0},
        {"ce": torch.ones(2)},
        {"ce": torch.ones(1)},
        [torch.tensor(1.0)],
    ],
)
def test_losses_are_numbers_by_name(terms):
    class Wrong(Silent):
        def forward(self, images, labels):
            return terms

    one_line(lambda: run(Wrong(logits(0.0))), "the method's forward gave", "expected losses by name")


def test_evaluation_takes_methods_alone():
    one_line(lambda: evaluate(nn.Linear(2, 2), DATA), "has no predict(images)")
    one_line(lambda: evaluate(method(), DATA, {"epochs": 3}), "expected a Recipe")


@pytest.mark.parametrize(
    ("change", "seed"),
    [({"learning_rate": 0.02}, 0), ({"epochs": 3}, 0), ({"augment": ("flip",)}, 0), ({}, 1)],
)
def test_a_checkpoint_belongs_to_its_seed_data_and_recipe(tmp_path, change, seed):
    path = tmp_path / "checkpoint.pt"
    half_trained(path)
    recipe = replace(RECIPE, **change)
    arguments = dict(recipe=recipe, seed=seed, checkpoint=path, progress=False)
    one_line(lambda: fit(method(), DATA, **arguments), "belongs to another experiment (seed 0")
    other = Dataset.from_tensors(*problem(seed=1))
    one_line(
        lambda: fit(method(), other, RECIPE, seed=0, checkpoint=path, progress=False), "another experiment"
    )
    assert fit(method(), DATA, RECIPE, seed=0, checkpoint=path, progress=False).epochs == 2


@given(name=st.sampled_from(TENSORS), value=BAD)
@settings(deadline=None, max_examples=20)
def test_damaged_weights_are_not_evaluated(name, value):
    damaged = method()
    spoil(damaged.state_dict(), name, value)
    one_line(lambda: evaluate(damaged, DATA), f"'{name}' holds NaN or infinity")


def test_a_learned_decay_that_is_no_number_is_not_evaluated():
    damaged = method()
    damaged.network.backbone.encode = PLIF()
    damaged.network.backbone.encode.time_steps = None
    evaluate(damaged, DATA)
    damaged.network.backbone.encode.w.data.fill_(torch.nan)
    one_line(lambda: evaluate(damaged, DATA), "encode.w' holds NaN")


@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
def test_sparse_weights_are_looked_at_and_lazy_ones_are_not(layout):
    linear = nn.Linear(36, 3)
    linear.weight = nn.Parameter(linear.weight.detach().to_sparse(layout=layout))
    assert first_damaged(linear) is None
    linear.weight = nn.Parameter(torch.full((3, 36), torch.nan).to_sparse(layout=layout))
    assert first_damaged(linear) == "weight"
    assert first_damaged(nn.LazyLinear(3)) is None


def test_masks_may_be_infinite():
    masked = Silent(logits(0.0))
    masked.register_buffer("mask", torch.tensor([0.0, -float("inf")]))
    assert run(masked).epochs == 2
    masked.mask[0] = float("nan")
    one_line(lambda: run(masked), "'mask' holds NaN")


def test_nan_is_not_written(tmp_path):
    damaged = method()
    spoil(damaged.state_dict(), TENSORS[0], float("nan"))
    one_line(lambda: save_weights(damaged, tmp_path / "model.safetensors"), TENSORS[0])


def test_whole_numbers_are_always_finite():
    counting = nn.BatchNorm1d(2)
    assert first_damaged(counting) is None
    assert first_damaged(nn.ReLU()) is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (dict(method=nn.Linear(2, 2)), "has no predict(images)"),
        (dict(method=None), "has no predict(images)"),
        (dict(method="direct"), "has no predict(images)"),
        (dict(seed=-1), "seed is -1"),
        (dict(seed=1.5), "seed is 1.5"),
        (dict(seed="1"), "seed is '1'"),
        (dict(seed=True), "seed is True"),
        (dict(seed=None), "seed is None"),
        (dict(recipe={"epochs": 3}), "expected a Recipe"),
        (dict(recipe=None), "expected a Recipe"),
        (dict(device="gpu"), "device is 'gpu'"),
        (dict(device=None), "device is None"),
        (dict(checkpoint="/dev/null"), "no ordinary file"),
        (dict(checkpoint=3), "expected the name of a file"),
        (dict(data=None), "data is a NoneType"),
        (dict(data=[DATA]), "data is a list"),
        (dict(recipe=replace(RECIPE, memory="recompute"), method=Silent(logits(0.0))), "no backbones()"),
        (dict(method=method().requires_grad_(False)), "no parameter that could learn"),
        (dict(method=method().to("meta")), "meta device"),
    ],
)
def test_arguments_that_do_not_fit_say_so(arguments, words):
    options = dict(method=method(), data=DATA, recipe=RECIPE, seed=0, progress=False) | arguments
    first = [options.pop(key) for key in ("method", "data", "recipe")]
    one_line(lambda: fit(*first, **options), words)


@pytest.mark.parametrize("kind", ["learning", "frozen", "a buffer"])
def test_tensors_of_five_axes_know_no_channels_last(kind):
    class Volumes(Silent):
        def __init__(self):
            super().__init__(logits(0.0))
            if kind == "a buffer":
                self.register_buffer("conv", torch.ones(1, 1, 1, 1, 1))
            else:
                self.conv = nn.Conv3d(1, 1, 3).requires_grad_(kind == "learning")

    one_line(lambda: run(Volumes()), "'conv", "channels_last: false")
    one_line(lambda: Trial(Volumes(), DATA, RECIPE), "'conv", "channels_last: false")
    assert run(Volumes(), replace(RECIPE, channels_last=False)).epochs == 2


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_without_gradients_nothing_is_trained(off):
    with off():
        one_line(lambda: run(method()), "gradients are off")
        one_line(lambda: Trial(method(), DATA, RECIPE), "gradients are off")
        made = method()
    if off is torch.inference_mode:
        one_line(lambda: run(made), "'network.backbone.conv.weight' was made in torch.inference_mode()")
    else:
        assert run(made).epochs == 2
