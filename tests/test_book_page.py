"""What the theme and its extensions leave to mend: brackets in brackets, files that no page needs."""

import sys
from io import StringIO
from pathlib import Path
from types import SimpleNamespace as Made

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from snnbook import files

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "book" / "_ext")]

import slim  # noqa: E402

BOOKS = (
    "@article{one, author = {Guo, Y. and Peng, W. and Liu, X.}, title = {A}, journal = {B}, year = 2023}\n"
)
PAGE = """\
# Page

{cite:t}`one` say it (as do {cite:t}`one`, Eq. 1), see {cite:p}`one` (and *again (twice)*
{cite:p}`one`). Or {cite:t}`one`.

```{bibliography}
```
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    files.write_text(folder / "source/index.md", PAGE)
    files.write_text(folder / "source/books.bib", BOOKS)
    settings = dict(
        extensions=["myst_parser", "sphinxcontrib.bibtex", "citations"],
        bibtex_bibfiles=["books.bib"],
        bibtex_reference_style="author_year",
        bibtex_default_style="plain",
        html_theme="basic",
    )
    warnings = StringIO()
    with docutils_namespace():
        app = Sphinx(
            *(folder / "source", None, folder / "html", folder / "trees", "text"),
            confoverrides=settings,
            status=None,
            warning=warnings,
        )
        app.build()
    assert warnings.getvalue() == ""
    return " ".join((folder / "html/index.txt").read_text().split())


def test_a_citation_in_brackets_has_none_of_its_own(page):
    said = page.replace("*", "").replace("_", "")
    assert "Guo et al. [2023] say it (as do Guo et al. 2023, Eq. 1), see [Guo et al., 2023]" in said
    assert "(and again (twice) Guo et al., 2023). Or Guo et al. [2023]." in said


def test_icons_are_a_font_and_no_script(tmp_path):
    kept = ("_static/vendor/fontawesome/webfonts/fa-solid-900.woff2", "_static/styles/theme.css")
    gone = ("_static/vendor/fontawesome/webfonts/fa-solid-900.ttf", "_static/scripts/a.js.map")
    for name in (str(slim.SCRIPT), *kept, *gone):
        files.write_text(tmp_path / name, 1000 * "x")
    slim.slim(Made(outdir=tmp_path), None)
    assert (tmp_path / slim.SCRIPT).stat().st_size < 100
    assert [(tmp_path / name).exists() for name in (*kept, *gone)] == [True, True, False, False]


def test_the_theme_has_the_font():
    """Or pages without the script would have no icons."""
    theme = pytest.importorskip("pydata_sphinx_theme")
    static = Path(theme.__file__).parent / "theme/pydata_sphinx_theme/static"
    assert (static / "vendor/fontawesome/webfonts/fa-solid-900.woff2").is_file()
    assert ".fa-bars:before" in (static / "styles/pydata-sphinx-theme.css").read_text(encoding="utf-8")
    assert slim.SCRIPT.name in (static / "webpack-macros.html").read_text(encoding="utf-8")
