"""What is installed: one set of ranges, one lock that satisfies them, and Colab's own versions admitted."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import snnbook
from snnbook import doctor

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA_EXTRAS = ("run", "book", "events", "deploy", "dev")

DISTRIBUTIONS = packages_distributions()  # it looks through all that is installed

# Google's published package list of the Colab runtime, 2026-08-19.
COLAB = {
    "torch": "2.11.0",
    "torchvision": "0.26.0",
    "numpy": "2.1.3",
    "matplotlib": "3.10.0",
    "seaborn": "0.13.2",
}
# Of these it has had several; known to the first numbers.
COLAB_LINES = {"pillow": ("11.0", "12.0"), "scipy": ("1.16.0", "1.16.99"), "filelock": ("3.24.0", "4.0")}


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
    assert local == "-e ."  # pip takes no other option beside it in a list of requirements


# Extras that the lock leaves out, as pyproject.toml says why.
UNLOCKED = {"neurobench"}


def test_the_lock_pins_every_requirement_with_hashes_and_no_address():
    text, names = locked()
    assert {r.name for r in requirements(*PROJECT["optional-dependencies"].keys() - UNLOCKED)} <= names
    assert "--hash=sha256:" in text
    assert "://" not in text


# Extras whose packages a room may import inside its functions, after it has said what to install.
ROOMS = {"experiments": {"run"}, "data": {"events"}, "bench": {"bench"}}
# Modules that come with torch where they are of use, or are asked for and done without.
WITHOUT = {"triton": "kernels", "torchaudio": "data", "IPython": "plots"}


def foreign(path):
    """Third-party modules that a file imports, and whether inside a function."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lazily = {id(inner) for function in functions for inner in ast.walk(function)}
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
        for name in {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"snnbook"}:
            yield name, id(node) in lazily


@pytest.mark.parametrize(
    "path", sorted((ROOT / "src/snnbook").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_what_is_imported_is_declared(path):
    room = path.relative_to(ROOT / "src/snnbook").parts[0]
    always = {canonical(r.name) for r in requirements()}
    for module, lazily in foreign(path):
        if WITHOUT.get(module) == room:
            continue
        declared = always | (
            {canonical(r.name) for r in requirements(*ROOMS.get(room, ()))} if lazily else set()
        )
        packages = {canonical(name) for name in DISTRIBUTIONS.get(module, [module])}
        assert packages & declared, f"{module} is imported and not declared"


def canonical(name):
    return name.lower().replace("_", "-")


def test_an_extra_says_all_that_it_needs_and_doctor_knows_it():
    extras = PROJECT["optional-dependencies"]
    assert set(doctor.EXTRAS) == set(extras)
    for name, (_, modules) in doctor.EXTRAS.items():
        known = {canonical(p) for module in modules for p in DISTRIBUTIONS.get(module, [module])}
        assert known <= {canonical(Requirement(line).name) for line in extras[name]}, name


def test_the_version_stands_in_one_place():
    assert "version" in PROJECT["dynamic"] and "version" not in PROJECT
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == snnbook.__version__
    newest = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0]
    assert newest == snnbook.__version__


@pytest.mark.parametrize("requirement", sorted(requirements("run", "book", "dev"), key=str), ids=str)
def test_installed_packages_satisfy_the_ranges(requirement):
    assert version(requirement.name) in requirement.specifier


@pytest.mark.parametrize("requirement", [r for r in requirements() if r.name in COLAB], ids=str)
def test_ranges_admit_the_versions_of_colab(requirement):
    assert COLAB[requirement.name] in requirement.specifier


@pytest.mark.parametrize("requirement", [r for r in requirements() if r.name in COLAB_LINES], ids=str)
def test_ranges_admit_what_colab_has_had(requirement):
    assert all(version in requirement.specifier for version in COLAB_LINES[requirement.name])


def test_training_imports_with_the_base_install_alone():
    """No module outside the base requirements (and what they bring) is imported by what trains."""
    forbidden = ["papermill", "nbclient", "snakemake", "sphinx", "spikingjelly", "tabulate"]
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
