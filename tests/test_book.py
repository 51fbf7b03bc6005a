"""The book's machinery: clean notebooks, executed once for each state, and numbers that come from records."""

import json
import re
import sys
from pathlib import Path
from statistics import median

import nbformat
import pytest
import yaml

from snnbook import files, neurons
from snnbook.errors import UserError
from snnbook.experiments.runs import record

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "book"), str(ROOT / "book" / "_ext")]

import records  # noqa: E402

import build  # noqa: E402
import execute  # noqa: E402
import mathjax  # noqa: E402
import notebooks  # noqa: E402
import readme  # noqa: E402

CHAPTERS = build.chapters()
ADDRESS, ASIDE = ("https://github.com/someone/fork", "main"), (["remove-cell"], ["starter"])


def notebook(*sources, **metadata):
    cells = [nbformat.v4.new_code_cell(source, metadata=metadata) for source in sources]
    return nbformat.v4.new_notebook(cells=cells)


def text(content):
    return nbformat.writes(content) + "\n"


# Clean notebooks


@pytest.mark.parametrize("path", notebooks.own(ROOT), ids=lambda path: path.name)
def test_notebooks_of_the_repository_are_clean(path):
    old = path.read_text(encoding="utf-8")
    assert notebooks.normalize(old, path.name, *notebooks.address(ROOT)) == old


def test_normalizing_strips_what_execution_leaves_and_keeps_what_authors_wrote():
    dirty = notebook("1 + 1", "2 + 2", tags=["hide-input"], collapsed=True)
    dirty.cells[0]["outputs"] = [nbformat.v4.new_output("stream", text="2")]
    dirty.cells[0]["execution_count"] = 7
    dirty.metadata["kernelspec"] = {"name": "mine", "display_name": "Mine"}
    clean = nbformat.reads(notebooks.normalize(text(dirty), "run.ipynb", *ADDRESS), as_version=4)
    assert [cell.source for cell in clean.cells] == ["1 + 1", "2 + 2"]
    assert [cell.id for cell in clean.cells] == [cell.id for cell in dirty.cells]
    assert clean.cells[0].outputs == [] and clean.cells[0].execution_count is None
    assert clean.cells[0].metadata == {"tags": ["hide-input"]}
    assert clean.metadata.kernelspec.name == "python3"
    nbformat.validate(clean)


def test_a_chapter_gets_badge_and_install_cell_once_and_follows_the_address():
    chapter = notebooks.normalize(text(notebook("x = 1")), "07_learning.ipynb", *ADDRESS)
    assert notebooks.normalize(chapter, "07_learning.ipynb", *ADDRESS) == chapter
    moved = nbformat.reads(
        notebooks.normalize(chapter, "07_learning.ipynb", "https://github.com/else/where", "v1"), as_version=4
    )
    badge, install, own = moved.cells
    assert "research.google.com/github/else/where/blob/v1/notebooks/colab/07_learning.ipynb" in badge.source
    assert "git+https://github.com/else/where@v1" in install.source
    assert own.source == "x = 1"


def test_equal_or_missing_cell_ids_become_different_stable_ones():
    twice = notebook("a", "b", "c")
    for cell in twice.cells:
        cell["id"] = "same"
    once = notebooks.normalize(json.dumps(twice), "run.ipynb", *ADDRESS)
    ids = [cell.id for cell in nbformat.reads(once, as_version=4).cells]
    assert ids[0] == "same" and len(set(ids)) == 3
    assert notebooks.normalize(once, "run.ipynb", *ADDRESS) == once


def test_what_is_no_notebook_is_refused_by_name():
    with pytest.raises(UserError, match=r"broken\.ipynb is no notebook of format 4"):
        notebooks.normalize("{", "broken.ipynb", *ADDRESS)


# House style of chapters


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapters_are_short(path):
    code = (cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
    lines = [len(c.source.splitlines()) for c in code if c.metadata.get("tags") not in ASIDE]
    assert len(lines) <= 25, "code cells"
    assert sum(lines) <= 200, "lines of code"
    assert max(lines) <= 25, "lines of the longest cell"
    assert median(lines) <= 6, "lines of the median cell"


# Executing


def test_a_chapter_is_executed_again_when_what_it_reads_has_changed(tmp_path, monkeypatch):
    path = tmp_path / "notebooks" / "01_sum.ipynb"
    reading = "import sys; sys.path.insert(0, '../src'); import a; open('../experiments/t.yaml').read()"
    files.write_text(path, text(notebook(reading, "print(a.six * 7)")))
    sources = {"src/a.py": "six = 6", "src/b.py": "", "experiments/t.yaml": "", "results/q/r.json": ""}
    for name, content in sources.items():
        files.write_text(tmp_path / name, content)
    monkeypatch.setattr(execute.files, "root", lambda: tmp_path)
    first = execute.executed(path, tmp_path / "executed")
    assert nbformat.read(first, as_version=4).cells[1].outputs[0].text == "42\n"

    def refuse(*_):
        raise AssertionError("executed again")

    monkeypatch.setattr(execute, "_execute", refuse)
    assert execute.executed(path, tmp_path / "executed") == first
    files.write_text(tmp_path / "src/b.py", "changed")  # not read
    files.write_text(tmp_path / "results/q/r.json", "changed")  # not read either
    assert execute.executed(path, tmp_path / "executed") == first
    for change in ("src/a.py", "experiments/t.yaml", "results/q/new.json"):
        before = sources.get(change)
        files.write_text(tmp_path / change, "changed")
        with pytest.raises(AssertionError, match="executed again"):
            execute.executed(path, tmp_path / "executed")
        (tmp_path / change).unlink() if before is None else files.write_text(tmp_path / change, before)
        assert execute.executed(path, tmp_path / "executed") == first


@pytest.mark.parametrize("magic", ["", "%%capture\n"])  # IPython calls the second well done
def test_a_failing_cell_is_named_in_one_line_and_leaves_no_copy(tmp_path, magic):
    path = tmp_path / "02_fails.ipynb"
    files.write_text(path, text(notebook("a = 1", f"{magic}# divide\na / 0", "a")))
    with pytest.raises(UserError) as error:
        execute.executed(path, tmp_path / "executed")
    assert "02_fails.ipynb, cell 2" in str(error.value)
    assert "ZeroDivisionError: division by zero" in str(error.value)
    assert len(str(error.value).splitlines()) == 1 and not (tmp_path / "executed").exists()


def test_a_figure_without_alternative_text_is_refused():
    bare = notebook("plot()")
    bare.cells[0]["outputs"] = [nbformat.v4.new_output("display_data", data={"image/png": ""})]
    with pytest.raises(UserError, match="cell 1: its figure has no alternative text"):
        execute._check_alt(bare, Path("x.ipynb"))
    bare.cells[0].metadata["mystnb"] = {"image": {"alt": "A curve."}}
    execute._check_alt(bare, Path("x.ipynb"))


# Staging


def test_parts_without_chapters_are_left_out_of_the_contents():
    toc = {
        "format": "jb-book",
        "root": "book/index",
        "parts": [
            {"caption": "Empty", "chapters": [{"glob": "notebooks/zz_*"}]},
            {"caption": "Full", "chapters": [{"file": "book/glossary"}, {"glob": "notebooks/zz_*"}]},
        ],
    }
    kept = yaml.safe_load(build._existing_parts(yaml.safe_dump(toc)))["parts"]
    assert kept == [{"caption": "Full", "chapters": [{"file": "book/glossary"}]}]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_chapter_is_in_the_contents(path):
    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text())
    patterns = [entry["glob"] for part in toc["parts"] for entry in part["chapters"] if "glob" in entry]
    assert sum(path in ROOT.glob(f"{pattern}.ipynb") for pattern in patterns) == 1


def test_another_package_than_the_pinned_mathjax_is_refused():
    with pytest.raises(UserError, match="SHA-512"):
        mathjax.unpack(b"another package")


# Numbers with a source

TABLE = """\
id: toy
paper: none
title: A toy table
source: "Somebody 2023, Table 1"
seeds: [0, 1]
base: {}
profiles: {quick: {}, desk: {}}
rows:
  - {id: done, label: Done, paper: {snn: 92.39}, note: Well done.}
  - {id: waiting, label: Waiting}
"""

PAGE = """\
# Page

Ours {record}`toy/done:snn.last digits=2 profile=desk`, scaled
{record}`toy/done:snn.last scale=0.01 digits=3 profile=desk`,
theirs {paper}`toy/done:snn`, another {record}`toy/waiting:snn.last profile=desk`.

```{results} toy
:columns: network paper ours n
```
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A table with one row run for two seeds and another row not run."""
    files.write_text(tmp_path / "tables" / "toy.yaml", TABLE)
    monkeypatch.setenv("SNNBOOK_EXPERIMENTS", str(tmp_path / "tables"))
    monkeypatch.setattr(record, "folder", lambda: tmp_path / "results")
    monkeypatch.setattr(records, "folder", lambda: tmp_path / "results")
    for seed, accuracy in enumerate((91.0, 93.0)):
        made = record.Record(
            run="toy/done",
            label="Done",
            seed=seed,
            profile="desk",
            asked="",
            config={"method": {"name": "direct"}, "recipe": {"epochs": 1}},
            data={
                "name": "digits",
                "classes": 10,
                "train": 100,
                "test": 1597,
                "standard_error_at_90": 0.75,
                "fingerprint": "f",
            },
            metrics={"snn": {"last": accuracy, "best": 95.0, "best_epoch": 1}},
            curve={"loss": {}, "accuracy": {"snn": [accuracy]}, "tested": [1]},
            measure={},
            cost={"seconds": 10.0, "seconds_per_epoch": 1.0, "parameters": 10},
            environment={"device": "a small computer", "device_type": "cpu", "threads": 2},
            code={"version": "0", "commit": None, "tree": "0"},
            created=f"2026-11-2{seed}T10:00:00+00:00",
        )
        record.write(made, tmp_path / "results" / "desk" / "toy" / "done" / f"seed{seed}.json")
    return tmp_path


def sphinx(folder, page):
    """Build one page with the extension; the application's status code, the page and the warnings."""
    from io import StringIO

    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace

    files.write_text(folder / "source" / "index.md", page)
    warnings = StringIO()
    with docutils_namespace():
        app = Sphinx(
            folder / "source",
            None,
            folder / "html",
            folder / "trees",
            "html",
            confoverrides={"extensions": ["myst_parser", "records"], "html_theme": "basic"},
            status=None,
            warning=warnings,
        )
        app.build()
    return app, (folder / "html" / "index.html").read_text(), warnings.getvalue()


def test_pages_print_numbers_with_their_provenance(toy):
    app, page, warnings = sphinx(toy, PAGE)
    assert warnings == ""
    assert "92.00 ± 1.41" in page and "0.920 ± 0.014" in page and ">92.39</abbr>" in page
    assert "toy/done, desk profile, seeds 0 (91.00), 1 (93.00), on a small computer, 2026-11-20 to" in page
    assert "desk profile: not the paper’s numbers" in page
    assert "difference" not in page and "Well done." in page
    assert page.count("not run") == 2  # once in the text, once in the table
    depends = {Path(name).name for name in app.env.dependencies["index"]}
    assert depends == {"toy.yaml", "seed0.json", "seed1.json"}


def test_rows_that_wait_stand_last_in_the_table_below_what_they_wait_for(toy):
    table = TABLE + "  - {id: events, label: Events, waits: event data}\n"
    table += "  - {id: frames, label: Frames, waits: event data}\n"
    files.write_text(toy / "tables" / "toy.yaml", table)
    _, page, warnings = sphinx(toy, PAGE)
    assert warnings == ""
    assert page.count("2 rows wait: event data") == page.count("Events") == page.count("Frames") == 1
    inside, _, _ = page.partition("</table>")
    places = [inside.index(each) for each in ("Done", "Waiting", "2 rows wait", "Events", "Frames")]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{record}`toy/dome:snn.last`", "did you mean 'done'"),
        ("{record}`toy/done:snn.lost profile=desk`", "no number 'snn.lost'"),
        ("{record}`toy/done`", "names no number"),
        ("{record}`toy/done:snn.last digit=1`", "did you mean 'digits'"),
        ("{record}`toy/done:snn.last digits=many`", "is no int"),
        ("{record}`toy/done:snn.last profile=fast`", "no profile 'fast'"),
        ("{paper}`toy/waiting:snn`", "has no 'snn'"),
        ("```{results} joy\n```", "no table 'joy'"),
        ("```{results} toy\n:columns: hours\n```", "no column 'hours'"),
    ],
)
def test_what_has_no_source_is_a_warning(toy, text, told):
    _, _, warnings = sphinx(toy, f"# Page\n\n{text}\n")
    assert told in warnings
    assert re.search(r"index\.md:\d", warnings)


# Pages that must keep in step


def test_the_library_page_names_every_module():
    page = (ROOT / "book" / "api.md").read_text()
    named = set(re.findall(r"automodule:: snnbook\.(\w+)", page))
    package = ROOT / "src" / "snnbook"
    modules = {p.stem for p in package.glob("[a-z]*.py")} | {
        p.parent.name for p in package.glob("*/__init__.py")
    }
    assert modules - {"cli", "doctor"} == named  # commands document themselves


def test_the_notation_page_has_the_presets_as_they_are():
    page = (ROOT / "book" / "notation.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \| ([\d.]+) \| `(.+?)` \| (yes|no) \|$", page, re.MULTILINE)
    shown = {
        name: dict(decay=float(decay), threshold=float(threshold), surrogate=surrogate, strict=tie == "no")
        for name, decay, threshold, surrogate, tie in rows
    }
    presets = {name: {**kept, "surrogate": str(kept["surrogate"])} for name, kept in neurons.PRESETS.items()}
    assert shown == presets


def test_readme_has_the_test_command_and_todays_results():
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^## Test\n\n```bash\nmake test\n```$", page, re.MULTILINE)
    assert readme.updated(page) == page, "run: python book/readme.py"


def test_the_address_is_the_same_everywhere():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    address, _ = notebooks.address(ROOT)
    assert project["urls"]["Repository"] == citation["repository-code"] == address
