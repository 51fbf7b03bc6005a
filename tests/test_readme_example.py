"""README's example is what a reader pastes: it runs as it stands, learns, and leaves weights that can be read."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import snnbook
from snnbook.trainers.loop.weights import read

README = Path(__file__).parents[1] / "README.md"


def section(title):
    return README.read_text(encoding="utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]


def code(text):
    return "\n".join(re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL))


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """What the example printed, and the folder it ran in."""
    here = tmp_path_factory.mktemp("reader")
    package = str(Path(snnbook.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code(section("Use it as a library"))],
        cwd=here,
        env={**os.environ, "PYTHONPATH": package, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, here


def test_it_learns(ran):
    assert float(re.fullmatch(r"\{'snn': ([\d.]+)\}\n", ran[0])[1]) > 80  # chance is 10


def test_it_leaves_weights(ran):
    assert [path.name for path in ran[1].iterdir()] == ["digits.safetensors"]
    assert read(ran[1] / "digits.safetensors")["backbone.4.weight"].shape == (10, 1024)


def test_it_uses_public_names_alone():
    used = set(re.findall(r"snnbook\.(\w+)", code(section("Use it as a library"))))
    assert used and used <= set(snnbook.__all__)
