"""Copies of chapters carry the page's numbers: one tag a formula, below a figure the number that text names."""

import re
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "book")]

import colab  # noqa: E402
import copies  # noqa: E402
import labels  # noqa: E402

CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
FORMULA = re.compile(r"\$\$.*?\$\$", re.DOTALL)


def markdown(cells):
    return [cell.source for cell in cells if cell.cell_type == "markdown"]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_formula_has_one_tag_and_a_figure_its_number(path):
    copy = nbformat.read(path.parent / colab.FOLDER / path.name, as_version=4).cells
    text = "\n\n".join(markdown(copy))
    assert all(formula.count(r"\tag{") <= 1 for formula in FORMULA.findall(text))
    chapter = nbformat.read(path, as_version=4).cells
    drawn = [c.metadata.mystnb.figure for c in chapter if c.metadata.get("mystnb", {}).get("figure")]
    below = re.findall(r"^\*\*Figure (\S+)\.\*\* \S", text, re.MULTILINE)
    assert below == [f"{int(path.name[:2])}.{number}" for number in range(1, len(drawn) + 1)]
    assert set(re.findall(r"(?<!\*)Figure (\d+\.\d+)", text)) <= set(below)


def test_a_paper_s_number_stands_beside_ours_in_the_tag(tmp_path):
    (tmp_path / "book").mkdir()
    for name in ("glossary.md", "references.bib"):
        (tmp_path / "book" / name).write_text((ROOT / "book" / name).read_text("utf-8"), "utf-8")
    (tmp_path / "_config.yml").write_text((ROOT / "_config.yml").read_text("utf-8"), "utf-8")
    made = copies.Plain(labels.Book(tmp_path), "notebooks/05_a")
    assert made.text("$$\na = b. \\tag{TET 7}\n$$ (eq-a)") == "$$\na = b. \\tag{5.1; TET 7}\n$$"
    assert made.text("$$\na = b.\n$$ (eq-b)") == "$$\na = b. \\tag{5.2}\n$$"
    assert made.text("$$\na = b.\n$$") == "$$\na = b.\n$$"


def test_students_get_a_figure_s_number_and_see_for_themselves():
    made = copies.copies(CHAPTERS[2], labels.Book(ROOT))
    student, teacher = ("\n".join(markdown(made[kind].cells)) for kind in (copies.STUDENT, copies.TEACHER))
    assert "**Figure 2.4.** Five neurons" in teacher
    assert "**Figure 2.4.**" in student and "three weights never move" not in student
