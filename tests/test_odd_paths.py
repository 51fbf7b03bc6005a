"""Paths with characters that mean something to YAML, to shells and to format strings."""

import sys
from pathlib import Path

import pytest

from bad_input import one_line
from matrix_cases import lay_out, matrix, records
from snnbook.experiments.matrix import engine

sys.path.insert(0, str(Path(__file__).parents[1] / "book"))
import readme


@pytest.fixture
def here(put_tables, monkeypatch):
    return lay_out(put_tables, monkeypatch)


@pytest.mark.parametrize("name", ["a #b: {c} 'd", '{ "e [f &g *h %s $HOME `x` =ü', "-x"])
def test_the_matrix_is_made_in_any_folder(here, monkeypatch, name):
    home = here / name
    home.mkdir()
    monkeypatch.chdir(home)
    failed = engine.reproduce(matrix(home, chosen=["demo"], seeds=[0]), lambda made, left: None)
    assert failed == []
    assert len(records(home)) == 3


def test_a_readme_without_its_marks_is_refused():
    page = f"before\n{readme.START}\nyesterday\n{readme.END}\nafter\n"
    new = readme.updated(page)
    assert new.startswith("before\n") and new.endswith(f"{readme.END}\nafter\n") and "yesterday" not in new
    for broken in (
        "",
        page.replace(readme.END, ""),
        page.replace(readme.START, ""),
        page + page,
        f"{readme.END}{page}",
    ):
        one_line(lambda broken=broken: readme.updated(broken), "README.md", "put them back")
