"""What test files share; ``bad_input``, ``killing`` and the ``*_cases`` beside it hold what is no fixture."""

import numpy as np
import pytest
from PIL import Image

import shared
import snnbook  # noqa: F401  before torch, so that its idle threads sleep soon


def pytest_configure(config):
    shared.register(config)


@pytest.fixture
def put_tables(tmp_path, monkeypatch):
    """Puts tables, by name, where the library looks for them; returns the test's own folder."""

    def put(**texts):
        (tmp_path / "tables").mkdir(exist_ok=True)
        for name, text in texts.items():
            (tmp_path / f"tables/{name}.yaml").write_text(text)
        monkeypatch.setenv("SNNBOOK_EXPERIMENTS", str(tmp_path / "tables"))
        return tmp_path

    return put


@pytest.fixture(scope="module")
def data():
    """Four digits a class to train on, 100 to test with; a file with other wishes has a fixture of its own."""
    from snnbook.data import DataConfig, load

    return load(DataConfig(name="digits", size=8, train_per_class=4, test_limit=100), None)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """Weights of the ANN that ``sastc_cases`` names as the teacher."""
    from sastc_cases import TEACHER, trained
    from snnbook.backbones import NetworkConfig

    return trained(tmp_path_factory.mktemp("teacher") / "model.safetensors", NetworkConfig(**TEACHER))


@pytest.fixture
def tree(tmp_path):
    """A folder of images: two classes, three training images and two test images each, 6x6; all differ."""
    rng = np.random.default_rng(0)
    for half, count in (("train", 3), ("test", 2)):
        for name in ("cat", "ant"):
            folder = tmp_path / half / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
    return tmp_path


@pytest.fixture(scope="module")
def small():
    """Recorded digits, as ``event_cases`` asks for them."""
    from event_cases import SMALL
    from snnbook.data import load

    return load(SMALL)
