"""Some chapters of the book alone, and kernels that are copies of a warm process."""

import os
import re
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

from snnbook import files, threads, warm
from snnbook.errors import UserError

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "book")]

import build  # noqa: E402
import execute  # noqa: E402

NUMBERS = [int(path.name[:2]) for path in build.chapters()]


def test_chapters_go_by_their_numbers():
    assert build.chapters(NUMBERS) == build.chapters()
    (one,) = build.chapters([NUMBERS[2]])
    assert one == build.chapters()[2]
    assert build.chapters([NUMBERS[3], NUMBERS[0]]) == [build.chapters()[0], build.chapters()[3]]
    with pytest.raises(UserError, match=f"no chapter -1, 99; choose from {NUMBERS[0]}, "):
        build.chapters([NUMBERS[0], -1, 99])


def test_a_part_has_its_chapters_and_pages_that_are_there():
    toc = (ROOT / "book/_toc.yml").read_text()
    chosen = build.chapters(NUMBERS[:2])
    content = yaml.safe_load(build._only(toc, chosen))
    names = [entry["file"] for entry in content["chapters"]]
    assert names[:2] == [f"notebooks/{path.stem}" for path in chosen]
    assert all((ROOT / f"{name}.md").is_file() for name in [*names[2:], content["root"]])
    assert content["format"] == yaml.safe_load(toc)["format"]


def test_a_part_is_staged_apart_from_the_book(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "PART", tmp_path)
    monkeypatch.setattr(execute, "all_executed", lambda chosen, folder: chosen)
    chosen = build.chapters(NUMBERS[:1])
    build.stage(build.PART, chosen, None)
    place = build.staged(build.PART)
    assert [path.name for path in (place / "notebooks").iterdir()] == [chosen[0].name]
    assert (place / "book/_toc.yml").is_file() and (place / "book/index.md").is_file()
    build.stage(build.PART, build.chapters(NUMBERS[1:2]), None)
    assert [path.name[:2] for path in (place / "notebooks").iterdir()] == [f"{NUMBERS[1]:02}"]
    assert build.staged(build.PART) != build.staged(ROOT) == build.BUILD / "stage"
    assert build.rendered(ROOT) == build.BUILD / "html"


SOURCE = """\
import os, sys
sys.path.insert(0, '../src'); import a
print(a.six * 7, 'wave' in sys.modules, os.environ['MPLBACKEND'], end=' ')
print(os.environ.get('SNNBOOK_WARM'), os.environ['GOMP_SPINCOUNT'])
print(b'snnbook.warm' in open(f'/proc/{os.getpid()}/cmdline', 'rb').read())
"""
DRAWING = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"


@pytest.mark.skipif(sys.platform != "linux", reason="copies by fork")
def test_several_chapters_are_executed_in_copies_of_a_warm_process(tmp_path, monkeypatch):
    alt = {"mystnb": {"image": {"alt": "A line."}}}
    for name in ("01_a", "02_b"):
        cells = [nbformat.v4.new_code_cell(SOURCE), nbformat.v4.new_code_cell(DRAWING, metadata=alt)]
        path = tmp_path / f"notebooks/{name}.ipynb"
        files.write_text(path, nbformat.writes(nbformat.v4.new_notebook(cells=cells)) + "\n")
    files.write_text(tmp_path / "src/a.py", "six = 6")
    monkeypatch.setattr(execute.files, "root", lambda: tmp_path)
    monkeypatch.setenv("GOMP_SPINCOUNT", threads.SPINS)
    monkeypatch.setattr(execute, "WARM", ("wave", "matplotlib.pyplot"))
    before = dict(os.environ)
    paths = sorted((tmp_path / "notebooks").iterdir())
    both = execute.all_executed(paths, tmp_path / "executed")
    both[1].unlink()
    alone = execute.all_executed(paths, tmp_path / "executed")  # one kernel is not worth another process
    assert dict(os.environ) == before and warm.VARIABLE not in before
    assert alone == both
    for path, copied in zip(both, (True, False), strict=True):
        content = nbformat.read(path, as_version=4)
        told = f"42 {copied} {execute.BACKEND['MPLBACKEND']} None {threads.SPINS}\n{copied}\n"
        assert content.cells[0].outputs[0].text == told
        (drawn,) = [output for output in content.cells[1].outputs if "data" in output]
        assert "image/png" in drawn.data
        assert content.metadata["snnbook"]["reads"].keys() == {"src/a.py"}


def test_a_chapter_imports_the_library_before_torch():
    """Which then leaves cores to others: see ``snnbook.threads``."""
    for path in build.chapters():
        cells = nbformat.read(path, as_version=4).cells
        code = [cell.source for cell in cells if cell.cell_type == "code"]
        assert 'importlib.import_module("snnbook")' in code[0].splitlines()[-1]
        assert "torch" not in re.sub("#.*", "", code[0])
