"""Widgets of the book: what a browser computes is what the library computes, and every control has a name."""

import html
import json
import math
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import nbformat
import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from snnbook import files

ROOT = Path(__file__).parents[1]
STATIC = ROOT / "book" / "_static"
sys.path[:0] = [str(ROOT / "book" / "_ext")]

import stills  # noqa: E402
import widgets  # noqa: E402

CHAPTERS = {"01": "neuron", "02": "surrogate", "05": "moments", "09": "spectra", "17": "energy"}
NOTE = "A sentence for notebooks."


def page(*names):
    return "# Page\n\n" + "\n".join(f"```{{widget}} {name}\n{NOTE}\n```\n" for name in names)


def sphinx(folder, pages, builder="html"):
    """Build ``pages``, texts by name; the folder they lie in and the warnings."""
    for name, text in pages.items():
        files.write_text(folder / "source" / f"{name}.md", text)
    warnings = StringIO()
    settings = dict(extensions=["myst_parser", "widgets"], html_theme="basic", html_static_path=[str(STATIC)])
    with docutils_namespace():
        app = Sphinx(
            folder / "source",
            None,
            folder / builder,
            folder / "trees",
            builder,
            confoverrides=settings,
            status=None,
            warning=warnings,
        )
        app.build()
    return folder / builder, warnings.getvalue()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    toc = "\n\n```{toctree}\nplain\n```\n"
    pages = {"index": page(*stills.START) + toc, "plain": "# Plain\n"}
    folder, warnings = sphinx(tmp_path_factory.mktemp("site"), pages)
    assert warnings == ""
    return folder


@pytest.fixture(scope="module")
def dumped(site, tmp_path_factory):
    """The page of all widgets, as it stands in a browser after the harness has run."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        pytest.skip("no Chromium here, in which widgets could run")
    written = (site / "index.html").read_text(encoding="utf-8")
    script = (ROOT / "tests" / "widgets_harness.js").read_text(encoding="utf-8")
    written = written.replace("</body>", f"<script>{script}</script></body>")
    files.write_text(site / "harness.html", written)
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=10000",
        "--dump-dom",
    ]
    command += [f"--user-data-dir={tmp_path_factory.mktemp('profile')}", (site / "harness.html").as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout


@pytest.fixture(scope="module")
def answers(dumped):
    (found,) = re.findall(r'<pre id="answers">(.*?)</pre>', dumped, re.DOTALL)
    content = json.loads(html.unescape(found))
    assert "error" not in content, content
    return content


# In a browser


def close(ours, theirs, exact):
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(close(a, b, exact) for a, b in zip(ours, theirs, strict=True))
    if theirs is None or exact:
        return ours == theirs
    return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12)


@pytest.mark.parametrize("name", stills.START)
def test_a_browser_computes_what_the_library_computes(answers, name):
    cases = [(values, numbers) for which, values, numbers, _ in answers["computed"] if which == name]
    assert len(cases) == (22 if name == "surrogate" else 21)
    for values, numbers in cases:
        expected = stills.compute(name, values)
        assert numbers.keys() == expected.keys()
        for key, theirs in expected.items():
            # The neuron's equation multiplies, adds and compares, in the same order: to the last bit.
            assert close(numbers[key], theirs, exact=name == "neuron"), (values, key)


def test_some_cases_are_no_trivial_ones(answers):
    """Silence, saturation or a dead zone everywhere would prove nothing."""
    found = {name: [n for which, _, n, _ in answers["computed"] if which == name] for name in stills.START}
    assert len({round(n["rate"], 3) for n in found["neuron"]}) > 5
    assert {n["gradient"] == 0 for n in found["surrogate"]} == {True, False}
    assert {0 < n["dead"] < 20 for n in found["surrogate"]} == {True, False}
    assert {n["break_even"] > 1 for n in found["energy"]} == {True, False}


def test_tails_are_nowhere_zero(answers):
    """Also where s of s (1 - s) rounds to 1."""
    found = [(v, n) for which, v, n, _ in answers["computed"] if which == "surrogate"]
    tails = [n["dead"] for values, n in found if values["kind"] in ("sigmoid", "atan")]
    assert any(v["kind"] == "sigmoid" and (v["w"] - 1) / v["width"] > 9.5 for v, _ in found)
    assert set(tails) == {0}


def test_a_widget_starts_as_its_still_says(answers):
    assert answers["start"] == stills.START


@pytest.mark.parametrize("name", stills.START)
def test_a_still_is_the_widgets_first_picture(answers, name):
    ours, theirs = (ET.fromstring(f"<x>{text}</x>") for text in (stills.still(name), drawn(answers, name)))
    for still, living in zip(ours.iter(), theirs.iter(), strict=True):
        assert (still.tag, still.text, still.get("class")) == (
            local(living),
            living.text,
            living.get("class"),
        )
        for key in ("points", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height"):
            numbers = [[float(n) for n in re.split("[ ,]", each.get(key, "0"))] for each in (still, living)]
            assert len(numbers[0]) == len(numbers[1])
            assert all(abs(a - b) < 0.21 for a, b in zip(*numbers, strict=True)), (key, still.attrib)


def drawn(answers, name):
    return html.unescape(answers["first"][name]).replace('xmlns="http://www.w3.org/2000/svg"', "")


def local(element):
    return element.tag.rpartition("}")[2]


def test_every_control_changes_what_is_shown_and_says_its_value(answers):
    moved = answers["moved"]
    kinds = {(name, key): value for name, start in stills.START.items() for key, value in start.items()}
    assert {(name, key) for name, key, *_ in moved} == set(kinds)
    for name, key, changed, spoken in moved:
        assert changed, (name, key)
        assert spoken or isinstance(kinds[name, key], str) or key in ("ac", "mac", "layers", "stem"), (
            name,
            key,
        )


def test_a_senseless_number_is_refused_in_words(answers):
    assert set(answers["wrong"]) == {"ac", "mac", "layers", "stem"}
    for invalid, sentence in answers["wrong"].values():
        assert invalid == "true" and re.search(r": a number from [\d.]+ to \d+\.$", sentence)


def test_starting_again_gives_the_first_picture_and_is_told(answers):
    for name, (said, same) in answers["said"].items():
        first = next(told for which, _, _, told in answers["computed"] if which == name)
        assert same and said == first, name


def test_no_sentence_has_a_number_that_is_none(answers):
    for name, values, _, said in answers["computed"]:
        assert not re.search(r"NaN|undefined|Infinity|null", said), (name, values)


class Controls(HTMLParser):
    """Names of the controls inside figures: the text of the label around each, but what is hidden from ears."""

    def __init__(self):
        super().__init__()
        self.label, self.names, self.live, self.hidden = None, [], [], False

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "label":
            self.label = ""
        if tag in ("input", "select", "textarea"):
            self.names.append((attributes["name"], (self.label or attributes.get("aria-label", "")).strip()))
        self.hidden = attributes.get("aria-hidden") == "true" or tag == "option"
        if attributes.get("aria-live"):
            self.live.append(attributes["aria-live"])

    def handle_endtag(self, tag):
        if tag == "label":
            self.label = None

    def handle_data(self, data):
        if self.label is not None and not self.hidden:
            self.label += data


def test_every_control_has_a_name_and_every_widget_a_voice(dumped):
    found = Controls()
    found.feed(dumped[dumped.index("<figure") : dumped.rindex("</figure>")])
    expected = [key for start in stills.START.values() for key in start]
    assert [name for name, _ in found.names] == expected
    assert all(label for _, label in found.names)
    assert found.live == ["polite"] * len(stills.START)
    assert dumped.count('role="img"') == 2 * len(stills.START)


# Without one


@pytest.mark.parametrize("name", stills.START)
def test_a_still_is_whole_and_described(name):
    panels = ET.fromstring(f"<x>{stills.still(name)}</x>")
    assert len(panels) == 2
    for panel in panels:
        assert panel.get("role") == "img" and panel.get("aria-label")
        texts = [text.text for text in panel.iter("text")]
        assert panel.get("aria-label") == texts[0] and len(texts) > 8
        assert panel.findall(".//polyline")


def test_a_page_without_widgets_loads_none_of_their_scripts(site):
    with_, without = ((site / f"{name}.html").read_text(encoding="utf-8") for name in ("index", "plain"))
    loaded = re.findall(r"widgets/(\w+)\.(?:js|css)", with_)
    assert sorted(loaded) == sorted(["widgets", "kit", *stills.START])
    assert loaded.index("kit") < loaded.index("neuron")
    assert "widgets/" not in without
    assert NOTE not in with_


def test_other_formats_say_the_sentence(tmp_path):
    folder, warnings = sphinx(tmp_path, {"index": page("neuron")}, builder="text")
    assert warnings == "" and NOTE in (folder / "index.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("```{widget} neutron\nA.\n```", "no widget 'neutron'; expected one of neuron, surrogate"),
        ("```{widget} neuron\n```", "neuron has 0 lines; expected one"),
        ("```{widget} neuron\nA.\nB.\n```", "neuron has 2 lines; expected one"),
    ],
)
def test_a_widget_that_is_none_is_a_warning(tmp_path, text, told):
    _, warnings = sphinx(tmp_path, {"index": f"# Page\n\n{text}\n"})
    assert told in warnings and re.search(r"index\.md:\d", warnings)


def test_titles_stills_and_scripts_are_of_the_same_widgets():
    scripts = {path.stem for path in (STATIC / "widgets").glob("*.js")} - {"kit"}
    assert scripts == set(widgets.TITLES) == set(stills.START)


def test_scripts_need_nothing_and_are_short():
    for path in (STATIC / "widgets").iterdir():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"https?:|\bimport\b|\brequire\(|@import", text), path.name
        assert len(text.splitlines()) <= 150, path.name


def test_nothing_moves_by_itself():
    for path in (STATIC / "widgets").iterdir():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"transition|animat|requestAnimationFrame|setInterval|scroll-behavior", text), (
            path.name
        )


@pytest.mark.parametrize(
    "path", sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")), ids=lambda path: path.stem
)
def test_a_chapter_has_its_widget_with_a_sentence_for_notebooks(path):
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
    placed = re.findall(r"^```\{widget\} (\w+)\n([^\n]+)\n```$", "\n\n".join(cells), re.MULTILINE)
    expected = CHAPTERS.get(path.stem[:2])
    assert [name for name, _ in placed] == ([expected] if expected else [])
    assert all(note.startswith("On the book's page: ") for _, note in placed)
