"""Progress bars: where none is wanted there is none, of ours or of another library's."""

import ast
import io
import sys
from pathlib import Path

import pytest
import tqdm as others_bars

import snnbook
from snnbook import bars, data
from snnbook.data import DataConfig, folder
from snnbook.experiments.runs import run as running

PACKAGE = Path(snnbook.__file__).parent


def test_one_place_makes_bars():
    for path in PACKAGE.rglob("*.py"):
        names = {
            name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in [getattr(node, "module", None), *(alias.name for alias in node.names)]
        }
        assert "tqdm" not in names or path.name == "bars.py", path


def test_what_is_hidden_around_stays_hidden(capsys):
    with bars.shown(False):
        with bars.shown(True):
            list(bars.bar(range(3), "inner"))
        list(bars.bar(range(3), "outer"))
    assert not capsys.readouterr().err
    list(bars.bar(range(3), "free"))
    list(bars.bar(range(3), "off", disable=True))
    said = capsys.readouterr().err
    assert "free" in said and "off" not in said


def test_other_libraries_bars_go_the_same_way(capsys):
    def download():
        print("Downloading")
        list(others_bars.tqdm(range(3), "download"))

    with bars.shown(False), bars.others():
        download()
    assert capsys.readouterr() == ("", "")
    with bars.others():
        download()
    assert "download" in capsys.readouterr().err
    with pytest.raises(OSError), bars.shown(False), bars.others():
        raise OSError
    assert bars.bar([1]).disable is False


@pytest.mark.parametrize("quiet", [True, False])
def test_reading_images_in_a_quiet_run_shows_none(tree, monkeypatch, quiet):
    monkeypatch.setattr(folder, "BAR_FROM", 0)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(
        running,
        "_finish",
        lambda *_: [data.load(DataConfig("folder", 8, stream=s), tree) for s in (0 > 1, 1 > 0)],
    )
    running.finish(None, progress=not quiet)
    said = sys.stderr.getvalue()
    assert not said if quiet else "reading train images" in said and "listing test images" in said
