"""What test files share; ``bad_input``, ``killing`` and the ``*_cases`` beside it hold what is no fixture."""

import pytest


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

    return trained(tmp_path_factory.mktemp("teacher") / "model.pt", NetworkConfig(**TEACHER))
