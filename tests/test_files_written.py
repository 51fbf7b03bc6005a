"""Files are written whole or not at all, and what the system says of writing or reading them is one line."""

import errno
import os
import resource
from pathlib import Path

import pytest

from bad_input import one_line
from snnbook import bench, data, files
from snnbook.data import DataConfig
from snnbook.errors import UserError
from snnbook.experiments.runs import migration, record
from snnbook.experiments.runs.job import resolve
from snnbook.experiments.runs.run import run
from snnbook.experiments.runs.standing import standing
from test_data_imagenet import imitate
from test_experiments_identity import TABLE

FAULTS = [errno.ENOSPC, errno.EFBIG, errno.EROFS, errno.EIO, errno.EDQUOT]


@pytest.mark.parametrize("number", FAULTS)
@pytest.mark.parametrize("step", ["fsync", "chmod", "replace", "fdopen"])
def test_an_error_of_the_system_is_one_line_and_the_old_file_stays(tmp_path, monkeypatch, step, number):
    path = tmp_path / "a.json"
    files.write_text(path, "old")

    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        one_line(lambda: files.write_text(path, "new"), path, os.strerror(number), "choose a folder")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.json"]


def test_a_file_that_grows_too_large_leaves_nothing(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        one_line(lambda: files.write_bytes(tmp_path / "a", bytes(5000)), "File too large")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not os.listdir(tmp_path)


def in_the_way(path: Path, what: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path) if what == "no ordinary file" else path.mkdir()


@pytest.mark.parametrize("what", ["a folder", "no ordinary file"])
def test_what_is_no_file_is_neither_read_nor_replaced(tmp_path, what):
    path = tmp_path / "bench" / "cpu" / "seed0.json"
    in_the_way(path, what)
    one_line(lambda: files.write_text(path, "new"), path, what)
    one_line(lambda: files.read_text(path, "something"), path, what)
    one_line(lambda: record.read(path), path, what)
    assert migration._schema(path) is None
    assert not path.is_file() and os.listdir(path.parent) == [path.name]
    one_line(lambda: bench.read("seed0", results=tmp_path), "no record")


@pytest.mark.parametrize("name", ["x" * 250, "line\nbreak", "/".join(["folder" * 20] * 20)])
def test_a_path_of_any_kind_makes_one_short_line(tmp_path, name):
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path / "file" / name, tmp_path / name):
        for call in (files.write_text, files.read_text):
            try:
                call(path / "a", "a table")
            except UserError as error:
                assert len(str(error)) < 400 and len(str(error).splitlines()) == 1


@pytest.mark.parametrize("what", ["a folder", "no ordinary file"])
def test_data_that_are_no_files_are_not_waited_for(tree, tmp_path, monkeypatch, what):
    image = tree / "train" / "ant" / "0.png"
    in_the_way(image, what)
    monkeypatch.setenv("SNNBOOK_WORKERS", "0")
    for stream in (False, True):
        one_line(lambda stream=stream: data.load(DataConfig("folder", 6, stream=stream), tree), image, what)
    imitate(tmp_path / "data", monkeypatch)
    notes = tmp_path / "data" / "tiny-imagenet-200" / "val" / "val_annotations.txt"
    in_the_way(notes, what)
    one_line(lambda: data.load(DataConfig("tiny_imagenet", 64), tmp_path / "data"), notes, what)


def test_a_link_stays_and_its_file_is_written(tmp_path):
    (tmp_path / "far").mkdir()
    for name, content in (("link", "old"), ("dangling", None)):
        link, target = tmp_path / name, tmp_path / "far" / name
        if content:
            target.write_text(content)
        link.symlink_to(target)
        files.write_text(link, "new")
        assert link.is_symlink() and target.read_text() == "new"


def test_text_that_cannot_be_read_is_one_line(tmp_path):
    one_line(lambda: files.read_text(tmp_path / "none", "a table"), "No such file", "a table")
    (tmp_path / "bytes").write_bytes(b"abc\xff")
    one_line(lambda: files.read_text(tmp_path / "bytes", "a table"), "byte 3 is no UTF-8")
    (tmp_path / "deep").write_text("[" * 100_000)
    one_line(lambda: record.read(tmp_path / "deep"), "damaged")


@pytest.mark.parametrize("what", ["a folder", "no ordinary file"])
@pytest.mark.parametrize("place", ["record_path", "weights", "checkpoint"])
def test_what_is_in_the_way_is_found_before_anything_is_trained(put_tables, monkeypatch, place, what):
    here = put_tables(demo=TABLE)
    places = {"results": here / "results", "work": here / "runs"}
    asked = resolve("demo/short", **places)
    in_the_way(getattr(asked, place), what)
    assert standing(asked) is None
    trained: list[str] = []  # nor what it starts from
    monkeypatch.setattr("snnbook.experiments.runs.training._train", lambda run, *_: trained.append(run.id))
    one_line(lambda: run("demo/short", device="cpu", progress=False, **places), what)
    assert not trained
