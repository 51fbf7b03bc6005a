"""The book on paper: pages in their order, links within the one document, and one line without a printer."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from snnbook.errors import UserError

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "book")]

import build  # noqa: E402
import pdf  # noqa: E402

PAGE = """\
<html><head><link rel="stylesheet" href="../_static/a.css"/><link rel="icon" href="x.svg"/>
<script src="../_static/other.js"></script><script>window.MathJax = {{}}</script>
<script defer="defer" src="../_static/mathjax/tex.js"></script></head>
<body><nav><a href="{other}">no article</a></nav><article class="bd-article">{body}</article></body></html>
"""
ONE = PAGE.format(
    other="x.html",
    body='<h1 id="top">One</h1><a href="../notebooks/02_b.html#place">far</a> <a href="#top">near</a>'
    '<a href="02_c.html">left out</a> <a href="https://a.b/c#d">away</a> <a href="../notebooks/02_b.html">b</a>',
)
TWO = PAGE.format(
    other="y.html",
    body='<h1 id="top">Two</h1><p id="place">Here</p>'
    '<svg><g id="g"/><use xlink:href="#g" clip-path="url(#g)"/></svg>',
)
PAGES = {"book/one": ONE, "notebooks/02_b": TWO}


def test_pages_stand_in_the_order_of_the_contents():
    names = pdf.order(ROOT)
    assert names[0] == "book/index" and len(set(names)) == len(names)
    chapters = [name for name in names if name.startswith("notebooks/")]
    assert [f"{name.removeprefix('notebooks/')}.ipynb" for name in chapters] == [
        p.name for p in build.chapters()
    ]
    assert all((ROOT / f"{name}.md").is_file() for name in set(names) - set(chapters))


def test_pages_become_one_whose_links_stay_within():
    whole = pdf.joined(PAGES, "A & B")
    assert "<title>A &amp; B</title>" in whole and "no article" not in whole
    assert whole.count("a.css") == whole.count("mathjax/tex.js") == 1 and "other.js" not in whole
    assert whole.index("One") < whole.index("Two")
    ids = re.findall(r'\bid="([^"]+)"', whole)
    assert len(set(ids)) == len(ids) == 6
    inner = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', whole)
    assert len(inner) == 5 and {a or b for a, b in inner} <= set(ids)
    assert 'href="https://a.b/c#d"' in whole and 'href="02_c.html"' in whole


def test_a_page_without_text_is_named():
    with pytest.raises(UserError, match="page book/two has no article"):
        pdf.joined({**PAGES, "book/two": "<html></html>"}, "t")


def test_without_a_browser_there_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert pdf.main() == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "no Chromium or Chrome found" in said and "install one" in said


def test_without_pages_there_is_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(build, "rendered", lambda out: tmp_path)
    assert pdf.main() == 1
    assert "there are no pages to print" in capsys.readouterr().err


def test_a_browser_that_fails_is_quoted(tmp_path, monkeypatch):
    program = tmp_path / "browser"
    program.write_text("#!/bin/sh\necho starting >&2; echo no room >&2; exit 3\n")
    program.chmod(0o755)
    with pytest.raises(UserError, match=r"did not print the book \(no room\)"):
        pdf.printed(tmp_path / "page.html", tmp_path / "book.pdf", str(program))
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(pdf, "PATIENCE", 0.2)
    with pytest.raises(UserError, match=r"within 0\.2 s"):
        pdf.printed(tmp_path / "page.html", tmp_path / "book.pdf", str(program))
    assert not (tmp_path / "book.pdf").exists()


@pytest.mark.skipif(not any(map(shutil.which, pdf.BROWSERS)), reason="no Chromium or Chrome")
def test_chromium_prints_a_page_each(tmp_path):
    whole = tmp_path / "whole.html"
    whole.write_text(pdf.joined(PAGES, "Book"), encoding="utf-8")
    try:
        pdf.printed(whole, tmp_path / "book.pdf", pdf.browser())
    except UserError as error:
        if subprocess.run([pdf.browser(), "--version"], capture_output=True).returncode:
            pytest.skip(f"the browser does not start: {error}")
        raise
    content = (tmp_path / "book.pdf").read_bytes()
    assert content.startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", content)) == 2


def test_what_is_folded_stands_open_on_paper():
    body = '<details class="a"><summary>s</summary>t</details><details open>u</details>'
    page = PAGE.format(other="x.html", body=body)
    whole = pdf.joined({"book/one": page}, "t")
    assert '<details open class="a">' in whole and whole.count("<details") == whole.count(" open") == 2
