"""Archives of the reader's: told when they are wrong, never removed, never replaced from the network."""

import hashlib
import socket
import zipfile

import numpy as np
import pytest

from bad_input import one_line
from snnbook import data
from snnbook.data import DataConfig, cifar10_dvs

EVENTS = DataConfig("cifar10_dvs", size=16, frames=2)


@pytest.fixture
def archives(tmp_path, monkeypatch):
    """Ten small archives, two recordings each, and no network."""
    pytest.importorskip("spikingjelly")
    reader = cifar10_dvs._reader()

    def refused(*_, **__):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)
    folder = tmp_path / "cifar10_dvs" / "download"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in cifar10_dvs.CLASSES:
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as packed:
            for number in (0, 900):
                address = rng.integers(0, 2**15, 50).astype(">u4")
                rows = np.stack([address, np.arange(50, dtype=">u4")], axis=1)
                recording = b"#!AER-DAT2.0\r\n" + rows.astype(">u4").tobytes()
                packed.writestr(f"{name}/cifar10_{name}_{number}.aedat", recording)
    sums = [(p.name, "", hashlib.md5(p.read_bytes()).hexdigest()) for p in sorted(folder.iterdir())]
    monkeypatch.setattr(reader.__base__, "resource_url_md5", classmethod(lambda cls: sums))
    return folder


@pytest.mark.parametrize("wrong", [b"", b"no archive", "torn", "other"])
def test_a_wrong_archive_is_named_and_stays(archives, wrong):
    archive = archives / "dog.zip"
    if wrong == "torn":
        wrong = archive.read_bytes()[:-10]
    elif wrong == "other":
        wrong = (archives / "cat.zip").read_bytes()
    archive.write_bytes(wrong)
    before = {path: path.read_bytes() for path in archives.iterdir()}
    for _ in range(2):  # nor is anything left behind that would be told instead
        one_line(lambda: data.load(EVENTS, archives.parent.parent), archive, "figshare.com")
    assert {path: path.read_bytes() for path in archives.iterdir()} == before


def test_right_archives_are_unpacked_and_stay(archives):
    before = {path: path.read_bytes() for path in archives.iterdir()}
    found = data.load(EVENTS, archives.parent.parent)
    assert found.train_labels.bincount().tolist() == [1] * 10 == found.test_labels.bincount().tolist()
    assert {path: path.read_bytes() for path in archives.iterdir()} == before
