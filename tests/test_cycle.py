"""One cycle of the learning rate, decay of weights alone, and a validation split for choosing them."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from killing import Killed, kill_after
from snnbook.backbones import NetworkConfig
from snnbook.data import DataConfig, load
from snnbook.errors import UserError
from snnbook.trainers import METHODS, build_method
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.recipe import Recipe

DATA = load(DataConfig(size=8, train_per_class=6, test_limit=50))

CYCLE = Recipe(epochs=3, batch_size=20, schedule="cycle", warmup=0.5, learning_rate=0.01, augment=("crop",))


def method():
    torch.manual_seed(0)
    network = NetworkConfig("convnet", width=4, time_steps=2)
    return build_method("direct", METHODS["direct"].Config(), network, DATA, ())


@given(st.integers(1, 8), st.integers(1, 50), st.floats(0, 0.9))
def test_the_cycle_rises_to_the_rate_and_falls_to_zero(epochs, steps, share):
    recipe = Recipe(epochs=epochs, schedule="cycle", warmup=share * epochs)
    factors = [recipe.factor(step, steps) for step in range(epochs * steps + 1)]
    top = factors.index(max(factors))
    assert factors[0] > 0 and max(factors) <= 1 and factors[-1] == pytest.approx(0, abs=1e-12)
    assert factors[: top + 1] == sorted(factors[: top + 1])
    assert factors[top:] == sorted(factors[top:], reverse=True)
    assert abs(top - recipe.warmup * steps) <= 1


@pytest.mark.parametrize(("drop_last", "steps"), [(True, 12), (False, 15)])
def test_a_cycle_without_warm_up_is_a_cosine_in_batches(drop_last, steps):
    recipe = replace(CYCLE, warmup=0.0, drop_last=drop_last)
    parameter = nn.Parameter(torch.zeros(2, 2))
    optimizer = recipe.optimizer_for(nn.ParameterList([parameter]))
    scheduler, rates = recipe.scheduler_for(optimizer, 95), []  # four batches of twenty an epoch, and fifteen
    for _ in range(steps):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    assert rates == pytest.approx([0.005 * (1 + math.cos(math.pi * step / steps)) for step in range(steps)])


@pytest.mark.parametrize(
    "options",
    [{"schedule": "cosine", "warmup": 1.0}, {"warmup": 3.0}, {"warmup": -1.0}, {"warmup": math.nan}],
)
def test_a_warm_up_that_fits_nothing_is_refused(options):
    with pytest.raises(UserError, match="warmup"):
        replace(CYCLE, **options)


def test_decay_spares_what_has_one_dimension():
    made = method()
    for decay_all, decayed in ((True, None), (False, [0.1, 0.0])):
        groups = replace(CYCLE, weight_decay=0.1, decay_all=decay_all).optimizer_for(made).param_groups
        assert sum(len(group["params"]) for group in groups) == len(list(made.parameters()))
        if decayed:
            assert [group["weight_decay"] for group in groups] == decayed
            assert all(p.dim() > 1 for p in groups[0]["params"]) and all(
                p.dim() < 2 for p in groups[1]["params"]
            )


def test_a_cycle_resumes_as_if_it_had_never_stopped(tmp_path):
    recipe, path = replace(CYCLE, decay_all=False), tmp_path / "checkpoint.pt"
    whole = fit(method(), DATA, recipe, seed=1, progress=False)
    with pytest.raises(Killed):
        fit(method(), DATA, recipe, seed=1, progress=False, checkpoint=path, on_epoch=kill_after(2))
    resumed = fit(method(), DATA, recipe, seed=1, progress=False, checkpoint=path)
    assert (resumed.losses, resumed.accuracy) == (whole.losses, whole.accuracy)


@pytest.mark.filterwarnings("error:Detected call")
def test_a_first_step_that_overflows_is_no_mistake_of_the_order(monkeypatch):
    scaler = torch.amp.GradScaler
    monkeypatch.setattr(torch.amp, "GradScaler", lambda *a, **k: scaler(*a, init_scale=2.0**60, **k))
    recipe = replace(CYCLE, epochs=1, warmup=0.2, precision="float16", optimizer="sgd", momentum=0.9)
    fit(method(), DATA, recipe, seed=1, progress=False)


def test_validation_images_are_training_images_and_no_test_image_is_seen():
    config = DataConfig(size=8, train_per_class=20)
    whole, held = load(config), load(replace(config, validation=50, label_noise=0.5))
    assert len(held.test_labels) == 50 and len(held.train_labels) == 150
    assert held.test_labels.bincount().tolist() == [5] * 10
    known = {
        image.numpy().tobytes(): int(label)
        for image, label in zip(whole.train_images, whole.train_labels, strict=True)
    }
    seen = [image.numpy().tobytes() for image in torch.cat([held.train_images, held.test_images])]
    assert set(seen) <= set(known) and len(set(seen)) == len(set(known))
    # Noise is in what is trained on alone.
    for images, labels, count in (
        (held.train_images, held.train_labels, 75),
        (held.test_images, held.test_labels, 0),
    ):
        true = torch.tensor([known[image.numpy().tobytes()] for image in images])
        assert (labels != true).sum() == count
    with pytest.raises(UserError, match="asks for 200 of 200 training images"):
        load(replace(config, validation=200))
