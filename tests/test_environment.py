"""What is installed: one set of ranges, one lock that satisfies them, and Colab's own versions admitted."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA_EXTRAS = ("run", "book", "dev")

# Google's published package list of the Colab runtime, 2026-08-19.
COLAB = {
    "torch": "2.11.0",
    "torchvision": "0.26.0",
    "numpy": "2.1.3",
    "matplotlib": "3.10.0",
    "seaborn": "0.13.2",
}


def requirements(*extras):
    lines = list(PROJECT["dependencies"])
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    return {Requirement(line) for line in lines}


def locked():
    text = (ROOT / "requirements.lock").read_text()
    pins = re.findall(r"^([a-z0-9._-]+)==(\S+)(?: ; (.*?))? \\$", text, re.MULTILINE)
    assert len(pins) > 100
    return text, {name for name, _, _ in pins}


def test_conda_users_get_the_ranges_of_pyproject():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict)]
    *packages, local = pip
    assert {str(Requirement(line)) for line in packages} == {str(r) for r in requirements(*CONDA_EXTRAS)}
    assert local.endswith("-e .")


def test_the_lock_pins_every_requirement_with_hashes_and_no_address():
    text, names = locked()
    assert {r.name for r in requirements(*PROJECT["optional-dependencies"])} <= names
    assert "--hash=sha256:" in text
    assert "://" not in text


@pytest.mark.parametrize("requirement", sorted(requirements("run", "book", "dev"), key=str), ids=str)
def test_installed_packages_satisfy_the_ranges(requirement):
    assert version(requirement.name) in requirement.specifier


@pytest.mark.parametrize("requirement", [r for r in requirements() if r.name in COLAB], ids=str)
def test_ranges_admit_the_versions_of_colab(requirement):
    assert COLAB[requirement.name] in requirement.specifier


def test_training_imports_with_the_base_install_alone():
    """No module outside the base requirements (and what they bring) is imported by what trains."""
    forbidden = ["papermill", "nbclient", "snakemake", "sphinx", "spikingjelly"]
    code = (
        "import sys\n"
        f"for name in {forbidden!r}: sys.modules[name] = None\n"
        "import snnbook.trainers.loop.fit, snnbook.experiments, snnbook.analysis, snnbook.cli"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_make_help_lists_every_target():
    text = (ROOT / "Makefile").read_text()
    output = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ["setup", "book", "serve", "test", "reproduce", "bench", "lint", "lock", "clean"]:
        assert re.search(rf"make {target}\b", output), target
        assert re.search(rf"^{target}:", text, re.MULTILINE), target
