"""What a chapter's outputs depend on: its code and what that reads, and not its prose."""

import sys
from pathlib import Path

import nbformat
import pytest

from snnbook import files

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "book")]

import execute  # noqa: E402


@pytest.fixture
def chapter(tmp_path, monkeypatch):
    """A function that writes a chapter of one text and one cell, and gives its executed cells."""
    monkeypatch.setattr(execute.files, "root", lambda: tmp_path)
    runs = []

    def run(content, notebook):
        runs.append(notebook)
        content.cells[1]["outputs"] = [nbformat.v4.new_output("stream", text=f"run {len(runs)}")]
        return set()

    monkeypatch.setattr(execute, "_execute", run)

    def write(prose="Prose.", source="print(1)", **metadata):
        cells = [
            nbformat.v4.new_markdown_cell(prose, id="a"),
            nbformat.v4.new_code_cell(source, id="b", metadata=metadata),
        ]
        path = tmp_path / "01_a.ipynb"
        files.write_text(path, nbformat.writes(nbformat.v4.new_notebook(cells=cells)))
        return nbformat.read(execute.executed(path, tmp_path / "executed"), as_version=4).cells

    return write


def test_another_text_or_caption_keeps_the_outputs_and_is_shown(chapter):
    assert chapter()[1].outputs[0].text == "run 1"
    caption = {"figure": {"caption": "A curve."}}
    prose, code = chapter("Other prose.", mystnb=caption)
    assert prose.source == "Other prose."
    assert (code.outputs[0].text, code.metadata.mystnb) == ("run 1", caption)


@pytest.mark.parametrize("change", [dict(source="print(2)"), dict(tags=["raises-exception"])])
def test_other_code_is_executed(chapter, change):
    chapter()
    assert chapter(**change)[1].outputs[0].text == "run 2"


def test_a_figure_loses_its_alternative_text_and_is_refused_though_kept(chapter, monkeypatch):
    image = nbformat.v4.new_output("display_data", data={"image/png": ""})
    monkeypatch.setattr(
        execute, "_execute", lambda content, _: content.cells[1].outputs.append(image) or set()
    )
    chapter(mystnb={"image": {"alt": "A curve."}})
    with pytest.raises(execute.UserError, match="no alternative text"):
        chapter()
