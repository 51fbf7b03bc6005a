"""Main effects out of records whose numbers have known effects, and designs that cannot give any."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bad_input import one_line
from claim_cases import made
from snnbook.experiments.evidence import claims, effects
from snnbook.experiments.runs import record

FACTORS = ("surrogate", "batchnorm", "decay", "threshold")
WRITTEN = {
    "surrogate": ("neuron_options", {"name": "atan"}),
    "batchnorm": ("options", "step"),
    "decay": ("neuron_options", 0.5),
    "threshold": ("neuron_options", 1.0),
}
HALF = [levels for levels in itertools.product((0, 1), repeat=4) if sum(levels) % 2]


def table(designs, extra=""):
    """A table in YAML with a row for each tuple of levels."""
    rows = []
    for levels in designs:
        network = {"options": {}, "neuron_options": {}}
        for factor, level in zip(FACTORS, levels, strict=True):
            if level:
                network[WRITTEN[factor][0]][factor] = WRITTEN[factor][1]
        network = {key: value for key, value in network.items() if value}
        name = "".join(map(str, levels))
        rows.append(f"  - {{id: r{name}, label: Row {name}, network: {json.dumps(network)}}}\n")
    head = "id: demo\npaper: snnbook\ntitle: Gap\nsource: none\nseeds: [0, 1]\nprofiles: {desk: {}}\n"
    return f"{head}base: {{method: {{name: direct}}, recipe: {{epochs: 3}}}}\nrows:\n{''.join(rows)}{extra}"


NUMBERS = st.integers(-20, 20)


@given(sizes=st.lists(NUMBERS, min_size=4, max_size=4), pairs=st.lists(NUMBERS, min_size=6, max_size=6))
@settings(deadline=None, max_examples=15)
def test_effects_come_back_whatever_two_factors_do_together(sizes, pairs):
    accuracies = dict.fromkeys(effects.design("snntorch-gap", FACTORS), 0.0)
    for name, found in effects.design("snntorch-gap", FACTORS).items():
        signs = [1 if factor in found else -1 for factor in FACTORS]
        accuracies[name] = 50 + sum(size * sign / 2 for size, sign in zip(sizes, signs, strict=True))
        together = itertools.combinations(signs, 2)
        accuracies[name] += sum(size * a * b for size, (a, b) in zip(pairs, together, strict=True))
    for size, terms in zip(sizes, effects.contrasts("snntorch-gap", FACTORS).values(), strict=True):
        found = sum(term.factor * accuracies[term.run.partition("/")[2]] for term in terms)
        assert found == pytest.approx(size, abs=1e-9)


def test_effects_of_records_seed_by_seed(put_tables):
    home = put_tables(demo=table(HALF))
    for levels in HALF:
        name = "r" + "".join(map(str, levels))
        for seed in range(2):
            value = 50 + 10 * seed + 8 * levels[0] - 2 * levels[3] * seed
            one = made(f"demo/{name}", seed, value, profile="desk")
            record.write(one, home / "results/desk/demo" / name / f"seed{seed}.json")
    found = effects.main_effects("demo", FACTORS, results=home / "results")
    assert {factor: list(one.values.values()) for factor, one in found.items()} == {
        "surrogate": [8, 8],
        "batchnorm": [0, 0],
        "decay": [0, 0],
        "threshold": [0, -2],
    }


def test_rows_of_other_settings_and_other_tables_rows_are_no_part(put_tables):
    extra = (
        "  - {id: more, label: More, network: {neuron_options: {decay: 0.5, strict: true}}}\n"
        "  - {id: again, label: Again, same: demo/more}\n"
        "  - {id: other, label: Other, instead: {lab: demo/more}, network: {neuron_options: {decay: 0.5}}}\n"
    )
    put_tables(demo=table(HALF, extra))
    assert len(effects.design("demo", FACTORS)) == 8
    assert effects.design("demo", FACTORS)["r1000"] == {"surrogate"}
    assert effects.main_effects("demo", FACTORS) == dict.fromkeys(FACTORS)  # no records yet


@pytest.mark.parametrize(
    "rows",
    [
        HALF[:-1],  # one is missing
        [(1, 1, 0, 0), (0, 0, 1, 1)],  # surrogate and BatchNorm always together
        [(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)],  # one at a time
    ],
)
def test_rows_that_do_not_tell_factors_apart_are_refused(put_tables, rows):
    put_tables(demo=table(rows))
    one_line(lambda: effects.contrasts("demo", FACTORS), "do not tell", "as many rows")


def test_no_row_is_refused(put_tables):
    put_tables(demo=table(HALF))
    one_line(lambda: effects.contrasts("demo", ["epochs"]), "do not tell epochs from the rest")


def test_the_books_own_design_is_whole():
    levels = effects.design("snntorch-gap", FACTORS)
    assert len(levels) == 8 and sorted(map(len, levels.values())) == [1] * 4 + [3] * 4
    assert effects.contrasts("snntorch-gap", FACTORS).keys() == {*FACTORS}


@pytest.mark.parametrize("factor", ["surrogate", "batchnorm"])
def test_the_ledgers_claims_are_main_effects(factor):
    written = claims.find(f"snntorch-gap-{factor}").terms
    assert {*written} == {*effects.contrasts("snntorch-gap", FACTORS)[factor]}
