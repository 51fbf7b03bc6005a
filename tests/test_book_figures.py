"""Chapters have their own numbers, and each figure a form for dark pages, a caption and a name."""

import re
import sys
from io import StringIO
from pathlib import Path

import nbformat
import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from snnbook import files, plots

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "book"), str(ROOT / "book" / "_ext")]

import build  # noqa: E402

CHAPTERS = build.chapters()
INDEX = """\
# Index

```{{toctree}}
{names}
```

$$ a = b $$ (eq-index)

As {{numref}}`fig-b` and {{eq}}`eq-second` say.
"""
CHAPTER = """\
# A chapter

## A section

```{{figure}} ../drawn.svg
:name: fig-{letter}
:alt: A line.

A caption.
```

## Another

$$
x = y \\tag{{TET 9}}
$$ (eq-{first})

$$ y = z $$ (eq-{second})
"""
SETTINGS = dict(
    extensions=["myst_parser", "numbering", "figures"],
    myst_enable_extensions=["dollarmath"],
    html_theme="basic",
    numfig=True,
    math_numfig=True,
    numfig_format={"figure": "Figure %s"},
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """An index and two chapters whose numbers are not their places."""
    folder = tmp_path_factory.mktemp("site")
    figure = plots.lines([0, 1], {"a": [0, 1]}, "x", "y")
    files.write_bytes(folder / "source/drawn.svg", figure.rendered("svg"))
    names = ("notebooks/03_a", "notebooks/00_b")
    files.write_text(folder / "source/index.md", INDEX.format(names="\n".join(names)))
    for name, labels in zip(names, (("a", "one", "two"), ("b", "first", "second")), strict=True):
        words = dict(zip(("letter", "first", "second"), labels, strict=True))
        files.write_text(folder / f"source/{name}.md", CHAPTER.format(**words))
    warnings = StringIO()
    with docutils_namespace():
        app = Sphinx(
            *(folder / "source", None, folder / "html", folder / "trees", "html"),
            confoverrides=SETTINGS,
            status=None,
            warning=warnings,
        )
        app.build()
    assert warnings.getvalue() == ""
    return folder / "html"


def test_figures_and_equations_count_within_the_chapters_of_the_files(site):
    for name, chapter in (("03_a", 3), ("00_b", 0)):
        page = (site / f"notebooks/{name}.html").read_text()
        assert f'<span class="section-number">{chapter}. </span>A chapter' in page
        assert "section-number" not in "".join(re.findall("<h2>.*?</h2>", page))
        assert f"Figure {chapter}.1" in page
        assert re.findall(r'class="eqno">\(([\d.]+)\)', page) == [f"{chapter}.1", f"{chapter}.2"]


def test_other_pages_link_by_these_numbers_and_count_through(site):
    page = (site / "index.html").read_text()
    assert re.findall(r'class="eqno">\(([\d.]+)\)', page) == ["1"]
    assert re.search(r'href="notebooks/00_b.html#fig-b"><span class="std std-numref">Figure 0.1<', page)
    assert re.search(r'href="notebooks/00_b.html#equation-eq-second">\(0.2\)<', page)


def test_the_papers_number_stands_below_ours_and_not_in_the_formula(site):
    page = (site / "notebooks/03_a.html").read_text()
    assert page.count('<span class="of-paper">TET 9</span>') == 1
    assert "tag{" not in page


def test_a_figure_of_the_library_has_a_form_for_the_dark(site):
    page = (site / "notebooks/03_a.html").read_text()
    shown = dict(re.findall(r'<img alt="A line." class="on-(\w+)" loading="lazy" src="../([^"]+)"', page))
    light, dark = ((site / shown[which]).read_text() for which in ("light", "dark"))
    assert "fill: #ffffff" in light and "fill: #ffffff" not in dark


def cells(path, kind):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def test_every_figure_of_a_chapter_has_a_caption_and_a_name_of_its_own():
    names = []
    for path in CHAPTERS:
        for cell in cells(path, "code"):
            if "mystnb" in cell.metadata:
                figure = cell.metadata.mystnb.get("figure", {})
                assert figure.get("caption", "").endswith("."), (path.name, cell.id)
                names.append(figure["name"])
    assert len(set(names)) == len(names) > 60
    assert all(re.fullmatch(r"fig-[a-z0-9-]+", name) for name in names)


def test_every_displayed_equation_of_a_chapter_has_a_label_of_its_own():
    """But for those in exercises and solutions, which are referred to by theirs."""
    labels = []
    for path in CHAPTERS:
        for cell in cells(path, "markdown"):
            text = re.sub(r"^:::.*?^:::", "", cell.source, flags=re.DOTALL | re.MULTILINE)
            shown = re.findall(r"\$\$.*?\$\$(?: \((eq-[a-z0-9-]+)\))?", text, flags=re.DOTALL)
            assert all(shown), (path.name, cell.id)
            labels += shown
    assert len(set(labels)) == len(labels) > 50


def test_the_notation_page_has_the_papers_numbers_as_the_chapters_have_them():
    page = (ROOT / "book/notation.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| ([\d, ]+) \| (\{eq\}`eq-.*`) \|$", page, flags=re.MULTILINE)
    listed = {f"{paper} {number}": set(re.findall(r"`(eq-[\w-]+)`", text)) for paper, number, text in rows}
    tagged = {}
    for path in CHAPTERS:
        for cell in cells(path, "markdown"):
            for tag, label in re.findall(r"\\tag\{([^}]*)\}\s*\$\$ \((eq-[\w-]+)\)", cell.source):
                tagged.setdefault(tag, set()).add(label)  # a second chapter may say it again
    # No line of which is the whole, or beside others that have the tag.
    untagged = {"TET 1, 2, 3": "eq-lif", "TET 6": "eq-batchnorm-folded", "Joint 1, 2": "eq-neuron"}
    untagged |= dict.fromkeys(("Joint 7", "Joint 8", "Joint 9"), "eq-joint-losses")
    for tag, label in untagged.items():
        tagged.setdefault(tag, set()).add(label)
    assert listed == tagged
