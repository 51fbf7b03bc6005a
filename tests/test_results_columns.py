"""The book's results can be asked for columns whose titles have several words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnbook.errors import UserError
from snnbook.experiments.evidence import grid

KNOWN = ["row", "network", "paper", "ours", "paper STM", "STM", "n", "seconds", "s/epoch", "paper s/epoch"]


@given(wanted=st.lists(st.sampled_from(KNOWN), max_size=6))
@settings(max_examples=60, deadline=None)
def test_titles_are_found_again_the_longest_first(wanted):
    """``paper`` before ``STM`` cannot be told from ``paper STM``, which is what is meant."""
    expected, rest = [], list(wanted)
    while rest:
        joined = " ".join(rest[:2])
        taken = 2 if len(rest) > 1 and joined in KNOWN else 1
        expected.append(joined if taken == 2 else rest[0])
        rest = rest[taken:]
    assert grid.titles(" ".join(wanted), KNOWN) == expected


def test_chapter_11_gets_the_papers_scores():
    assert grid.titles("paper STM STM n", KNOWN) == ["paper STM", "STM", "n"]


@pytest.mark.parametrize("wanted", ["hours", "ours hours", "paper hours"])
def test_an_unknown_title_is_named(wanted):
    with pytest.raises(UserError, match="no column 'hours'"):
        grid.titles(wanted, KNOWN)
