"""Installed, the book's files are packed beside the code; what a reader makes lies where the reader is."""

import json

import pytest

from claim_cases import lay_out, rows
from snnbook import bench, files
from snnbook.bench import run as benches
from snnbook.experiments.evidence import measurements
from snnbook.experiments.evidence.check import check
from snnbook.experiments.runs import record


@pytest.fixture
def packed(put_tables, tmp_path, monkeypatch):
    """The packed folder of records; the current folder is another."""
    lay_out(put_tables, monkeypatch)
    place = tmp_path / "site/snnbook/_repository"
    (place / "results").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(files, "root", lambda: place)
    return place / "results"


def test_measurements_are_written_where_one_is_and_read_from_there_first(packed, monkeypatch):
    monkeypatch.setattr(benches, "GROUPS", {"layer": lambda device: []})
    files.write_text(packed / "bench/cpu/layer.json", json.dumps({"group": "the book's"}))
    assert measurements.read("layer")["group"] == "the book's"
    bench.main(["layer"], device="cpu", rounds=1)
    assert json.loads((packed / "bench/cpu/layer.json").read_text()) == {"group": "the book's"}
    assert measurements.read("layer")["rounds"] == 1
    assert (record.folder() / "bench/cpu/layer.json").is_file()


def test_records_of_ones_own_are_checked_too(packed):
    files.write_text(record.folder() / "desk/demo/a/seed0.json", "{}")
    found = check()
    assert found.counts["records"] == 1 and any("demo/a" in problem for problem in found.problems)


def test_a_record_in_both_places_is_one(packed):
    for place in (packed, record.folder()):
        rows(place, a=[90.0])
    rows(packed, b=[80.0])
    assert sorted((made.run, made.seed) for made in record.below("desk")) == [("demo/a", 0), ("demo/b", 0)]


@pytest.mark.parametrize("installed", [True, False])
def test_a_project_around_an_installed_package_is_not_the_checkout(tmp_path, monkeypatch, installed):
    package = tmp_path / ("vendor" if installed else "src") / "snnbook"
    (package / "_repository" if installed else package).mkdir(parents=True)
    (tmp_path / "experiments").mkdir()
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(files, "__file__", str(package / "files.py"))
    assert files.root.__wrapped__() == (package / "_repository" if installed else tmp_path)
