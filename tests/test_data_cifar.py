"""CIFAR, downloaded once from a server on this machine."""

import hashlib
import io
import pickle
import tarfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
from PIL import Image
from torchvision import datasets

from bad_input import one_line
from snnbook import data
from snnbook.data import DataConfig


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """A tiny CIFAR-10 in torchvision's format, served from this machine."""
    rng = np.random.default_rng(0)
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    packed, sums = io.BytesIO(), {}
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"]:
            content = {
                "data": rng.integers(0, 256, (10, 3072), dtype=np.uint8),
                "labels": [*range(9, -1, -1)],
            }
            content = pickle.dumps({"label_names": names} if name == "batches.meta" else content)
            sums[name] = hashlib.md5(content).hexdigest()
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    file = tmp_path / "cifar-10-python.tar.gz"
    file.write_bytes(packed.getvalue())
    source = datasets.CIFAR10
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setattr(source, "url", f"http://127.0.0.1:{server.server_port}/{file.name}")
    monkeypatch.setattr(source, "tgz_md5", hashlib.md5(packed.getvalue()).hexdigest())
    monkeypatch.setattr(source, "train_list", [[name, sums[name]] for name, _ in source.train_list])
    monkeypatch.setattr(source, "test_list", [[name, sums[name]] for name, _ in source.test_list])
    monkeypatch.setattr(source, "meta", {**source.meta, "md5": sums["batches.meta"]})
    yield file
    server.shutdown()
    server.server_close()


def test_cifar_downloads_once_and_equals_its_tree(archive, tmp_path):
    root = tmp_path / "data"
    loaded = data.load(DataConfig("cifar10", download=True), root)
    assert loaded.shape == (3, 32, 32) and loaded.train_labels.bincount().tolist() == [5] * 10
    archive.unlink()
    assert data.load(DataConfig("cifar10", download=True), root).fingerprint == loaded.fingerprint

    # As a tree of images, written in the order the archive holds them.
    counts = {}
    for train in (True, False):
        source = datasets.CIFAR10(root, train=train)
        for pixels, label in zip(source.data, source.targets, strict=True):
            folder = tmp_path / "other" / "cifar10" / ("train" if train else "test") / source.classes[label]
            folder.mkdir(parents=True, exist_ok=True)
            counts[folder] = counts.get(folder, 0) + 1
            Image.fromarray(pixels).save(folder / f"{counts[folder]:05d}.png")
    for place in (tmp_path / "other", tmp_path / "other" / "cifar10"):
        assert data.load(DataConfig("cifar10", download=True), place).fingerprint == loaded.fingerprint


def test_cifar_offline(archive, tmp_path):
    archive.unlink()
    config = DataConfig("cifar10", download=True)
    one_line(lambda: data.load(config, tmp_path / "data"), "cannot download cifar10", "--data DIR")


def test_cifar_not_allowed_to_download(archive, tmp_path):
    ask = "--set data.download=true"
    one_line(lambda: data.load(DataConfig("cifar10"), tmp_path / "data"), "not there", "170 MB", ask)
    assert not (tmp_path / "data").exists()
    data.load(DataConfig("cifar10", download=True), tmp_path / "data")
    torn = tmp_path / "data" / "cifar-10-batches-py" / "data_batch_1"
    torn.write_bytes(b"torn")
    one_line(lambda: data.load(DataConfig("cifar10"), tmp_path / "data"), "damaged", ask)
    assert torn.read_bytes() == b"torn"


def test_cifar_wrong_checksum(archive, tmp_path):
    archive.write_bytes(archive.read_bytes()[:-10])
    one_line(lambda: data.load(DataConfig("cifar10", download=True), tmp_path / "data"), "wrong checksum")


def test_cifar_damaged_file_is_replaced(archive, tmp_path):
    loaded = data.load(DataConfig("cifar10", download=True), tmp_path / "data")
    (tmp_path / "data" / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"torn")
    assert (
        data.load(DataConfig("cifar10", download=True), tmp_path / "data").fingerprint == loaded.fingerprint
    )
