"""Settings hold what their fields say, whoever writes them."""

import math
from dataclasses import dataclass, fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bad_input import one_line
from snnbook.checks import check_fields, whole
from snnbook.data import DataConfig
from snnbook.trainers.loop.recipe import Recipe

JUNK = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.lists(st.integers() | st.text(max_size=3) | st.floats(), max_size=3)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
    | st.binary(max_size=3)
)
KINDS = {"int": int, "float": (int, float), "str": str, "bool": bool}


@pytest.mark.parametrize("config", [Recipe, DataConfig])
@given(data=st.data())
@settings(deadline=None, max_examples=150)
def test_a_field_holds_its_kind_or_is_refused_in_one_line(config, data):
    item = data.draw(st.sampled_from(fields(config)))
    value = data.draw(JUNK)
    try:
        made = config(**{item.name: value})
    except Exception:
        one_line(lambda: config(**{item.name: value}), item.name)
        return
    held = getattr(made, item.name)
    kind = str(getattr(item.type, "__name__", item.type))
    if kind.startswith("tuple"):
        assert isinstance(held, tuple)
    elif "None" in kind:
        assert held is None or type(held) is int
    else:
        assert isinstance(held, KINDS[kind])
        assert kind == "bool" or not isinstance(held, bool)
        assert not isinstance(held, float) or math.isfinite(held)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": "3"}, "recipe.epochs is '3'; expected a whole number"),
        ({"epochs": 2.0}, "recipe.epochs is 2.0; expected a whole number"),
        ({"epochs": True}, "recipe.epochs is True; expected a whole number"),
        ({"epochs": 0}, "recipe.epochs is 0; expected at least 1"),
        ({"batch_size": 2.5}, "recipe.batch_size is 2.5"),
        ({"learning_rate": math.nan}, "recipe.learning_rate is nan; expected a finite number"),
        ({"learning_rate": math.inf}, "recipe.learning_rate is inf"),
        ({"learning_rate": 10**400}, "expected a finite number"),
        ({"momentum": -0.1}, "recipe.momentum is -0.1; expected at least 0"),
        ({"weight_decay": "5e-4"}, "recipe.weight_decay is '5e-4'; expected a finite number"),
        ({"augment": "flip"}, "recipe.augment is 'flip'; expected a list of names"),
        ({"augment": [1]}, "recipe.augment is [1]; expected a list of names"),
        ({"schedule": "steps", "milestones": (2.5,)}, "expected a list of whole numbers"),
        ({"schedule": "steps", "milestones": [0]}, "recipe.milestones is (0,); expected at least 1"),
        ({"compile": 1}, "recipe.compile is 1; expected true or false"),
        ({"optimizer": ["adam"]}, "recipe.optimizer is ['adam']; expected a name"),
    ],
)
def test_recipes_say_what_is_wrong_with_them(options, words):
    one_line(lambda: Recipe(**options), words)


def test_lists_become_tuples_and_foreign_numbers_python_s():
    recipe = Recipe(augment=["flip"], schedule="steps", milestones=[np.int64(3)], epochs=np.int32(4))
    assert recipe == Recipe(augment=("flip",), schedule="steps", milestones=(3,), epochs=4)
    assert type(recipe.epochs) is int
    assert repr(Recipe(learning_rate=1)) == repr(Recipe(learning_rate=1.0))  # one name for one recipe
    assert type(recipe.milestones[0]) is int
    assert type(Recipe(learning_rate=np.float32(0.5)).learning_rate) is float
    assert hash(recipe) == hash(Recipe(augment=("flip",), schedule="steps", milestones=(3,), epochs=4))


class Unwritable:
    def __repr__(self):
        raise RuntimeError


@pytest.mark.parametrize("value", [Unwritable(), "two\nlines", list(range(1000))])
def test_what_cannot_be_shown_whole_is_still_one_line(value):
    one_line(lambda: Recipe(epochs=value), "expected a whole number")


def test_other_types_of_fields_are_held_to_them_too():
    @dataclass(frozen=True)
    class Some:
        options: dict
        recipe: Recipe

        def __post_init__(self):
            check_fields(self, "some")

    one_line(lambda: Some([], Recipe()), "some.options is []; expected a mapping")
    one_line(lambda: Some({}, {"epochs": 3}), "some.recipe is {'epochs': 3}; expected a Recipe")
    assert Some({}, Recipe()).recipe.epochs == 300


@pytest.mark.parametrize("value", [-1, 1.0, "0", None, True, math.nan, 2**70])
def test_whole_numbers(value):
    one_line(lambda: whole(value, "seed"), "seed is", "expected a whole number of at least 0")
