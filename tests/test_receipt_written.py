"""A receipt is written over nothing but an older receipt."""

import os

import pytest

from claim_cases import lay_out, made, put, rows
from snnbook import cli, files


@pytest.fixture
def mine(put_tables, monkeypatch, tmp_path):
    results = lay_out(put_tables, monkeypatch)
    monkeypatch.setattr(files, "results", lambda: results)
    rows(results, a=(90, 91, 92), b=(90, 90, 90))
    put(
        tmp_path / "mine", made(last=90.0, cost={"seconds": 7.25, "seconds_per_epoch": 2.0, "parameters": 10})
    )
    return tmp_path / "mine"


def told(capsys, mine, output=None):
    code = cli.main(["receipt", "--results", str(mine), *(["--output", str(output)] if output else [])])
    captured = capsys.readouterr()
    return code, captured.err


def test_a_receipt_replaces_an_older_one(mine, capsys, tmp_path):
    for output in (None, tmp_path / "new" / "page.md"):
        path = output or mine / "receipt.md"
        for _ in range(2):
            assert told(capsys, mine, output) == (0, "")
            assert path.read_text().startswith("# Reproduction receipt")
        path.write_text("")
        assert told(capsys, mine, output) == (0, "") and path.stat().st_size


def test_a_receipt_replaces_nothing_else(mine, capsys, tmp_path):
    record = next(mine.rglob("seed*.json"))
    page = tmp_path / "page.md"
    assert told(capsys, mine, page) == (0, "")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "notes.md").write_text("my notes")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, target in {"link": page, "dangling": tmp_path / "none", "to_record": record}.items():
        (tmp_path / name).symlink_to(target)
    names = ["bytes", "notes.md", "folder", "pipe", "link", "dangling", "to_record"]
    for output in [record, *(tmp_path / name for name in names)]:
        before = output.lstat(), output.read_bytes() if output.is_file() else None
        code, err = told(capsys, mine, output)
        assert code == 2 and err.count("\n") == 1 and str(output) in err
        assert (output.lstat().st_ino, output.lstat().st_mtime_ns) == (
            before[0].st_ino,
            before[0].st_mtime_ns,
        )
        assert before[1] in (None, output.read_bytes() if output.is_file() else None)
    assert not (tmp_path / "none").exists()
