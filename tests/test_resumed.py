"""A checkpoint of the right name with something else inside is refused, whatever part of it that is."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bad_input import one_line
from killing import Killed, kill_after
from snnbook.backbones import NetworkConfig
from snnbook.data import Dataset
from snnbook.errors import UserError
from snnbook.trainers import Direct
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.history import History
from snnbook.trainers.loop.recipe import Recipe

NETWORK = NetworkConfig("resnet18", width=4, time_steps=2)
RECIPES = {
    "adam": Recipe(epochs=3, batch_size=8, augment=()),
    "sgd": Recipe(epochs=3, batch_size=8, augment=(), optimizer="sgd", momentum=0.9, schedule="constant"),
    "plain": Recipe(epochs=3, batch_size=8, augment=(), optimizer="sgd", schedule="steps", milestones=(1,)),
}


def data():
    torch.manual_seed(0)
    images, labels = torch.rand(16, 1, 8, 8), torch.arange(16) % 4
    return Dataset.from_tensors(images, labels, images, labels)


DATA = data()


def train(path, recipe, kind=Direct, **options):
    torch.manual_seed(0)
    method = kind(Direct.Config(), NETWORK, 4, 1)
    return fit(method, DATA, recipe, seed=0, progress=False, checkpoint=path, **options)


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    found = {}
    for name, recipe in RECIPES.items():
        path = tmp_path_factory.mktemp(name) / "checkpoint.pt"
        with pytest.raises(Killed):
            train(path, recipe, on_epoch=kill_after(2))
        found[name] = torch.load(path, weights_only=True)
    return found


@pytest.fixture
def double():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.parametrize("name", RECIPES)
def test_a_network_in_double_precision_goes_on_too(double, tmp_path, name):
    """The count of an optimizer's steps is in single precision whatever torch's default is."""
    with pytest.raises(Killed):
        train(tmp_path / "c.pt", RECIPES[name], on_epoch=kill_after(2))
    resumed, whole = train(tmp_path / "c.pt", RECIPES[name]), train(None, RECIPES[name])
    assert resumed.accuracy == whole.accuracy and resumed.losses == whole.losses


@pytest.mark.parametrize("name", RECIPES)
def test_what_was_written_is_taken_and_ends_as_if_never_stopped(states, tmp_path, name):
    torch.save(states[name], tmp_path / "c.pt")
    resumed, whole = train(tmp_path / "c.pt", RECIPES[name]), train(None, RECIPES[name])
    assert (resumed.losses, resumed.accuracy) == (whole.losses, whole.accuracy)


@pytest.mark.parametrize("name", RECIPES)
def test_the_parts_of_a_checkpoint_keep_their_names(states, name):
    assert [*states[name]] == ["identity", "method", "optimizer", "scheduler", "scaler", "history"]


def changed(state, place, value):
    state = copy.deepcopy(state)
    owner = state
    for key in place[:-1]:
        owner = owner[key]
    owner[place[-1]] = value
    return state


FIRST = "network.backbone.stem.0.weight"


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("optimizer", "state", 0, "exp_avg"), torch.ones(2)),
        (("optimizer", "state", 0, "exp_avg"), torch.ones(4, 1, 3, 3).double()),
        (("optimizer", "state", 0, "step"), torch.tensor(math.inf)),
        (("optimizer", "state", 0), {}),
        (("optimizer", "state", 999), {"step": torch.tensor(1.0)}),
        (("optimizer", "param_groups", 0, "lr"), "x"),
        (("optimizer", "param_groups", 0, "lr"), math.inf),
        (("optimizer", "param_groups", 0, "params"), [1]),
        (("scheduler", "last_epoch"), 7),
        (("scheduler", "T_max"), 0),
        (("scheduler", "base_lrs"), []),
        (("method", FIRST), torch.ones(4, 1, 3, 3).to_sparse()),
        (("method", FIRST), torch.ones(4, 1, 3, 3, device="meta")),
        (("method", FIRST), torch.ones(4, 1, 3, 3).long()),
        (("method", FIRST), torch.full((4, 1, 3, 3), math.inf)),
        (("history", "seconds"), [1.0] * 9),
        (("history", "losses", "ce"), [1.0]),
        (("history", "losses", "ce"), ["x", "y"]),
        (("history", "tested"), [2, 1]),
        (("history", "tested"), [2, 2]),
        (("history", "tested"), [1, 9]),
        (("history", "notes"), {"a": [1, 2, 3]}),
        (("history", "more"), 1),
    ],
)
def test_a_wrong_part_is_refused_and_the_file_stays(states, tmp_path, place, value):
    path = tmp_path / "c.pt"
    torch.save(changed(states["adam"], place, value), path)
    before = path.read_bytes()
    one_line(lambda: train(path, RECIPES["adam"]))
    assert path.read_bytes() == before


def places(value, prefix=()):
    if prefix:
        yield prefix
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*prefix, key))


JUNK = [
    None,
    True,
    0,
    -1,
    3,
    2.5,
    math.nan,
    math.inf,
    "x",
    [],
    [1],
    {},
    {"a": 1},
    torch.ones(2),
    torch.ones(()),
]


@given(draw=st.data())
@settings(deadline=None, max_examples=60)
def test_any_part_may_be_wrong(states, tmp_path_factory, draw):
    name = draw.draw(st.sampled_from([*RECIPES]))
    place = draw.draw(st.sampled_from([*places(states[name])]))
    path = tmp_path_factory.mktemp("c") / "c.pt"
    torch.save(changed(states[name], place, draw.draw(st.sampled_from(JUNK))), path)
    try:
        history = train(path, RECIPES[name])
    except UserError as error:
        assert len(str(error)) < 400 and "\n" not in str(error)
    else:
        assert history.epochs == 3


class Warm(Direct):
    """One term more from the second epoch on; notes in NumPy's numbers."""

    def begin_epoch(self, epoch):
        self.epoch = epoch

    def forward(self, images, labels):
        terms = super().forward(images, labels)
        return terms if self.epoch == 0 else terms | {"late": sum(terms.values())}

    def notes(self):
        return {"rate": np.float32(0.25), "shares": (np.float64(0.5), torch.tensor(1))}


def test_terms_that_begin_later_and_numbers_of_numpy_go_on(tmp_path):
    path, recipe = tmp_path / "c.pt", replace(RECIPES["adam"], epochs=2)
    with pytest.raises(Killed):
        train(path, recipe, Warm, on_epoch=kill_after(1))
    note = {"note": lambda epochs: {"done": np.int64(epochs)}}
    resumed, whole = train(path, recipe, Warm, **note), train(None, recipe, Warm)
    assert resumed.losses == whole.losses
    assert whole.losses["late"][0] == 0 < whole.losses["late"][1]
    assert resumed.notes == {"rate": [0.25] * 2, "shares": [[0.5, 1]] * 2, "done": [2]}
    assert type(resumed.notes["done"][0]) is int


def test_notes_that_no_checkpoint_could_be_read_with_are_refused_at_once():
    one_line(lambda: train(None, RECIPES["adam"], note=lambda _: {"a": {1, 2}}), "notes hold {1, 2}")


class Remembering(Direct):
    def get_extra_state(self):
        return {"seen": np.float64(3)}

    def set_extra_state(self, state):
        pass


def test_a_state_that_could_not_be_read_again_is_not_written(tmp_path):
    place = tmp_path / "c.pt"
    one_line(lambda: train(place, RECIPES["adam"], Remembering), "_extra_state", "expected tensors")
    assert not place.exists()


@pytest.mark.parametrize("second", [({"snn": 1.0}, {}), ({"snn": 1.0, "ann": 1.0}, {"sdt": 1.0})])
def test_tests_have_the_same_names(second):
    history = History()
    history.test({"snn": 1.0}, {"sdt": 1.0})
    one_line(lambda: history.test(*second), "same names")
    assert history.tested == [0]
