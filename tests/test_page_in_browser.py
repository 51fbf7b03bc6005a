"""A page in a real browser: code without a scroll bar, a figure for each theme, rows as cards on phones."""

import html
import json
import re
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from claim_cases import lay_out, rows
from snnbook import files, plots
from snnbook.experiments.runs import record

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "book" / "_ext")]

PAGE = """\
# A page

```{figure} drawn.svg
:alt: A line.

A caption.
```

```python
LONG
```

```{results} demo
:profile: desk
```
"""
SCRIPT = """
document.documentElement.dataset.theme = THEME;
const seen = document.body.appendChild(document.createElement("pre"));
seen.id = "seen";
const shown = (where) => [...document.querySelectorAll(where)].map((one) => getComputedStyle(one).display);
const code = document.querySelector("div.highlight pre");
const number = document.querySelector("table.results abbr");
number.focus();
seen.textContent = JSON.stringify({
  width: innerWidth,
  light: shown("img.on-light"), dark: shown("img.on-dark"), caption: shown("figcaption"),
  scrolls: code.scrollWidth > code.clientWidth,
  rows: shown("table.results tbody tr"), heads: shown("table.results thead"),
  said: getComputedStyle(number, "::after").content,
});
"""


@pytest.fixture(scope="module")
def browser():
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no Chromium here, in which a page could be looked at")
    return found


@pytest.fixture
def page(put_tables, monkeypatch, tmp_path):
    """A page of the book's look with a figure, a line of a hundred letters and a table."""
    pytest.importorskip("sphinx_book_theme")
    results = lay_out(put_tables, monkeypatch)
    rows(results, a=[92.0, 93.0, 95.0])
    monkeypatch.setattr(record, "folder", lambda: results)
    drawn = plots.lines([0, 1], {"a": [0, 1]}, "x", "y")
    files.write_bytes(tmp_path / "source/drawn.svg", drawn.rendered("svg"))
    files.write_text(tmp_path / "source/index.md", PAGE.replace("LONG", "x" * 100))
    warnings = StringIO()
    settings = dict(
        extensions=["myst_parser", "records", "figures"],
        html_theme="sphinx_book_theme",
        html_static_path=[str(ROOT / "book/_static")],
        html_css_files=["book.css"],
    )
    with docutils_namespace():
        app = Sphinx(
            *(tmp_path / "source", None, tmp_path / "html", tmp_path / "trees", "html"),
            confoverrides=settings,
            status=None,
            warning=warnings,
        )
        app.build()
    return tmp_path / "html/index.html"


def seen(browser, page, width, theme):
    written = page.read_text(encoding="utf-8")
    script = f"<script>{SCRIPT.replace('THEME', json.dumps(theme))}</script>"
    looked = page.with_name("looked.html")
    files.write_text(looked, written.replace("</body>", f"{script}</body>"))
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--dump-dom",
        "--virtual-time-budget=8000",
    ]
    command += [f"--window-size={width},900", f"--user-data-dir={page.parent}/profile", looked.as_uri()]
    dumped = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    (found,) = re.findall(r'<pre id="seen"[^>]*>(.*?)</pre>', dumped, re.DOTALL)
    return json.loads(html.unescape(found))


def test_a_page_on_a_desk_and_on_a_phone_in_the_light_and_in_the_dark(browser, page):
    desk = seen(browser, page, 1280, "light")
    assert not desk["scrolls"]
    assert (desk["light"], desk["dark"]) == (["block"], ["none"])
    assert desk["caption"] != ["none"]
    assert set(desk["rows"]) == {"table-row"} and desk["heads"] != ["none"]
    assert "demo/a, desk profile, seeds 0 (92.00), 1 (93.00), 2 (95.00)" in desk["said"]
    phone = seen(browser, page, 390, "dark")
    assert phone["width"] < 600
    assert (phone["light"], phone["dark"]) == (["none"], ["block"])
    assert phone["caption"] != ["none"]
    assert not {"table-row", "none"} & set(phone["rows"]) and phone["heads"] == ["none"]
