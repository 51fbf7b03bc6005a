"""The notebooks for Colab: in step with chapters and records, readable without MyST, and they run anywhere."""

import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from snnbook import experiments, files
from snnbook.errors import UserError

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "book"), str(ROOT / "book" / "_ext")]

import launch  # noqa: E402
import records  # noqa: E402

import colab  # noqa: E402
import elsewhere  # noqa: E402
import header  # noqa: E402
import labels  # noqa: E402
import notebooks  # noqa: E402

CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
COPIES = [path.parent / colab.FOLDER / path.name for path in CHAPTERS]
URL, BRANCH = header.address(ROOT)


def cells(path):
    return nbformat.read(path, as_version=4).cells


def test_every_notebook_is_as_it_would_be_written():
    """Copies grow old with their chapter and with the records that they quote; mended by: make notebooks."""
    stale = [path.name for path, new in notebooks.written(ROOT).items() if path.read_text("utf-8") != new]
    assert stale == []
    assert sorted((ROOT / "notebooks" / colab.FOLDER).glob("*.ipynb")) == COPIES


def test_a_copy_grows_old_with_a_record(monkeypatch):
    chapter = next(path for path in CHAPTERS if "{record}" in path.read_text("utf-8"))
    before = colab.copy(chapter, labels.Book(ROOT))

    def better(*arguments):
        found = experiments.lookup(*arguments)
        return found and replace(found, mean=found.mean + 1)

    monkeypatch.setattr(records, "lookup", better)
    assert colab.copy(chapter, labels.Book(ROOT)) != before


@pytest.mark.parametrize("path", COPIES, ids=lambda path: path.stem)
def test_a_copy_has_nothing_that_colab_cannot_show(path):
    for cell in cells(path):
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None
            continue
        text = re.sub(r"^([ >]*)(`{3,}|~{3,}).*?^\1\2", "", cell.source, flags=re.DOTALL | re.MULTILINE)
        assert not re.search(r"\{[\w:.+-]+\}`|:::|`{3,}\{|^:\w+:|^\([\w:.-]+\)=", text, re.MULTILINE)
        assert text.count("<details>") == text.count("</details>")
        assert not re.search(r"\]\((?!https?://)", text)  # links lead out of the notebook


@pytest.mark.parametrize("path", COPIES, ids=lambda path: path.stem)
def test_a_copy_has_the_chapters_code_and_text(path):
    code = [cell for cell in cells(path) if cell.cell_type == "code" and "cellView" not in cell.metadata]
    chapter = [cell for cell in cells(path.parents[1] / path.name) if cell.cell_type == "code"]
    assert [cell.source for cell in code] == [cell.source for cell in chapter]
    for cell in cells(path):
        if cell.metadata.get("cellView") == "form":
            assert cell.source.startswith("# @title ")


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_badges_lead_to_the_copy_and_it_installs_what_is_named(path):
    place = URL.removeprefix("https://github.com/")
    for notebook in (path, path.parent / colab.FOLDER / path.name):
        badge, install = cells(notebook)[:2]
        (target,) = re.findall(rf"github/{place}/blob/{BRANCH}/([\w/]+\.ipynb)", badge.source)
        assert ROOT / target in COPIES and Path(target).name == path.name
        said = "\n".join(cell.source for cell in cells(path))
        (asked,) = re.findall(rf'%pip install -q "snnbook(\S*) @ git\+{URL}@{BRANCH}"', install.source)
        assert ("run" in asked) == ("snnbook run" in said or "snnbook reproduce" in said)


def test_the_pages_button_leads_to_the_copy():
    from sphinx_book_theme.header_buttons.launch import add_launch_buttons

    theme = {
        "launch_buttons": {"colab_url": "https://colab.research.google.com"},
        "repository_branch": BRANCH,
    }
    book = SimpleNamespace(
        config={"html_theme_options": theme},
        env=SimpleNamespace(
            metadata={"notebooks/05_x": {"kernelspec": {}}}, doc2path=lambda name: f"{name}.ipynb"
        ),
    )
    context = dict(header_buttons=[], pagename="notebooks/05_x", sourcename="notebooks/05_x.ipynb")
    context |= dict(github_url="https://github.com", github_user="a", github_repo="b")
    for change in (add_launch_buttons, launch.open_copy):
        change(book, "notebooks/05_x", "page.html", context, None)
    (group,) = context["header_buttons"]
    (button,) = group["buttons"]
    assert button["url"].endswith(f"/blob/{BRANCH}/notebooks/colab/05_x.ipynb")


def test_extras_are_those_of_the_package():
    assert header.extras("`snnbook run x`, `snnbook bench`") == ["run"]  # named, and not run
    assert header.extras("x = 1\n!snnbook bench layer") == ["bench"]
    assert header.extras("`snnbook runs` and `run`") == []
    assert header.requirement("https://a.b/c", "v1.2.0", "") == "snnbook @ git+https://a.b/c@v1.2.0"


def folded(*written):
    """What becomes of cells, given as kind, source and tags, in a copy."""
    made = nbformat.v4.new_notebook()
    for kind, source, *tags in written:
        new = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
        made.cells.append(new(source, metadata={"tags": tags}))
    return made


def test_cells_of_a_solution_are_folded_and_hidden_ones_left_out(tmp_path):
    path = tmp_path / CHAPTERS[5].name
    written = folded(
        ("markdown", "# T\n\n```{exercise-start} Name\n:label: ex-gated\n```\nDo it."),
        ("code", "start = 1"),
        ("markdown", "```{exercise-end}\n```\n\n```{solution-start} ex-gated\n```\nFirst,"),
        ("code", "answer = 2"),
        ("markdown", "and so.\n\n```{solution-end}\n```\nAfter."),
        ("code", "secret = 3", "remove-cell"),
        ("code", "short = 4", "hide-input"),
        ("code", "own = 5", "solution"),
    )
    files.write_text(path, nbformat.writes(written))
    _, _, *made = nbformat.reads(colab.copy(path, labels.Book(ROOT)), as_version=4).cells
    assert [cell.source.splitlines()[0] for cell in made if cell.cell_type == "code"] == [
        "start = 1",
        '# @title Solution {display-mode: "form"}',
        '# @title Code {display-mode: "form"}',
        '# @title Solution {display-mode: "form"}',
    ]
    texts = [cell.source for cell in made if cell.cell_type == "markdown"]
    assert "**Exercise 5.1.** Name" in texts[0] and "Do it." in texts[0]
    assert "<details>" in texts[1] and "First," in texts[1]
    assert "<details>" in texts[2] and texts[2].endswith("After.")


def test_a_fault_in_a_chapter_is_named_with_its_cell(tmp_path):
    path = tmp_path / CHAPTERS[5].name
    written = folded(("markdown", "# T\n{term}`decai`"))
    written.cells[0]["id"] = "here"
    files.write_text(path, nbformat.writes(written))
    with pytest.raises(UserError, match=rf"{path.name}, cell here: no term 'decai'.*did you mean 'decay'"):
        colab.copy(path, labels.Book(ROOT))


@pytest.mark.parametrize("number", [15, 16])
def test_a_copy_runs_outside_of_the_checkout(number):
    """The short ones that read records; ``make colab`` runs all."""
    (path,) = elsewhere.chosen([number])
    made = elsewhere.run(path, sys.executable, dict(os.environ))
    shown = [o for cell in made.cells if "cellView" in cell.metadata for o in cell.outputs]
    assert shown and all("<table>" in output.data["text/html"] for output in shown)


def test_only_chapters_that_are_there_are_run(tmp_path):
    assert elsewhere.chosen([]) == COPIES
    assert elsewhere.chosen([3, 1]) == [COPIES[1], COPIES[3]]
    with pytest.raises(UserError, match="no chapter 77; choose from 0, 1"):
        elsewhere.chosen([77])
