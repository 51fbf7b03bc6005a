"""Tables as text, Markdown and LaTeX."""

import pytest

from snnbook.experiments.evidence import grid


def test_latex_prints_what_stands_there():
    cells = [["row & head", "50 %"], ["a_b ~ #1 {x} \\y", "1.0 ± 0.2"], ["λ = $0^2 < 1", "µJ"]]
    lines = grid.latex(cells, "A 95 % caption", "name", left=1).splitlines()
    assert r"  \caption{A 95 \% caption}" in lines and r"  \label{tab:name}" in lines
    assert r"  \begin{tabular}{lr}" in lines
    assert r"    row \& head & 50 \% \\" in lines
    assert r"    a\_b \textasciitilde{} \#1 \{x\} \textbackslash{}y & 1.0 $\pm$ 0.2 \\" in lines
    assert r"    $\lambda$ = \$0\textasciicircum{}2 \textless{} 1 & $\mu$J \\" in lines
    assert [line.strip() for line in lines if "rule" in line] == [r"\toprule", r"\midrule", r"\bottomrule"]


def test_a_cell_that_begins_like_an_argument_of_the_row_before_is_none():
    lines = grid.latex([["row", "n"], ["[5] theirs", "1"], ["*best", "2"]], "c", "l").splitlines()
    assert r"    {[}5] theirs & 1 \\" in lines and r"    {*}best & 2 \\" in lines


CELLS = [["row", "network", "ours"], ["a | b", "SNN", "0.10"], ["two\nlines", "ANN", "100.00 ± 2"]]


def test_text_ends_numbers_at_the_right_and_changes_none():
    head, rule, first, *_ = grid.text(CELLS[:2]).splitlines()
    assert first.split() == ["a", "|", "b", "SNN", "0.10"]
    assert len(head) == len(rule) == len(first)
    assert set(rule) == {"-", " "}


def test_markdown_keeps_each_row_on_its_line_and_each_bar_in_its_cell():
    lines = grid.markdown(CELLS).splitlines()
    assert len(lines) == 4
    assert {line.count("|") - line.count("\\|") for line in lines} == {4}
    assert [cell.strip() for cell in lines[3].strip("|").split("|")] == ["two lines", "ANN", "100.00 ± 2"]
    assert lines[1].strip("|").split("|")[2].endswith("-:")


@pytest.mark.parametrize("show", [grid.text, grid.markdown])
def test_a_table_without_rows_is_its_headings(show):
    assert "network" in show(CELLS[:1])
