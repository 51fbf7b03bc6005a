"""Tables as text, Markdown and LaTeX."""

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
