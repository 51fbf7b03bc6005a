"""What a published page holds for who reads its source: nothing of the machine that built it, one script once."""

import re
import sys
from io import StringIO
from pathlib import Path

import pytest
import yaml
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from snnbook import files

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "book" / "_ext")]

MODULE = """\
import os


def told(place=os.environ["PLACE"], everything=os.environ):
    "A function."
"""
PAGE = """\
# Page

{cite:t}`one` and {cite:t}`two`.

```{eval-rst}
.. automodule:: told_of
   :members:
```

```{bibliography}
```
"""
BOOKS = "".join(
    f"@misc{{{key}, author = {{A, {key}}}, title = {{B}}, year = 2023}}\n" for key in ("one", "two")
)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    pytest.importorskip("sphinx_thebe")
    folder = tmp_path_factory.mktemp("site")
    files.write_text(folder / "source/index.md", PAGE)
    files.write_text(folder / "source/books.bib", BOOKS)
    files.write_text(folder / "told_of.py", MODULE)
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))["sphinx"]["config"]
    settings = {name: value for name, value in config.items() if name.startswith(("autodoc", "bibtex"))}
    settings |= dict(
        extensions=["myst_parser", "sphinx.ext.autodoc", "sphinxcontrib.bibtex", "sphinx_thebe"],
        bibtex_bibfiles=["books.bib"],
        html_theme="basic",
    )
    settings["extensions"] += ["citations", "slim"]
    with pytest.MonkeyPatch.context() as patch, docutils_namespace():
        patch.setenv("PLACE", "a-place-of-mine")
        patch.syspath_prepend(folder)
        places = (folder / "source", None, folder / "html", folder / "trees", "html")
        Sphinx(*places, confoverrides=settings, status=None, warning=StringIO()).build()
    return (folder / "html/index.html").read_text("utf-8")


def test_a_default_is_shown_as_it_is_written(page):
    assert "told" in page and "a-place-of-mine" not in page and "environ" in page


def test_a_page_starts_no_kernels(page):
    assert "THEBE_JS_URL" not in page and "sphinx-thebe" not in page


def test_works_are_items_of_one_list(page):
    assert page.count('role="list" class="citation-list"') == 1
    roles = re.findall(r'<div class="citation"[^>]*role="([\w-]+)"', page)
    assert roles == ["listitem", "listitem"]
