"""The rooms of the house: arrows run one way, and a name is one thing."""

import ast
import importlib
import pkgutil
from graphlib import TopologicalSorter
from pathlib import Path
from types import ModuleType

import pytest

import snnbook

PACKAGE = Path(snnbook.__file__).parent
# Rooms by floor: one may know what lies below it, and itself.
FLOORS = (
    ("cgroups",),
    ("errors", "lazy", "precision", "operations", "bars", "threads"),
    ("files", "checks", "room", "warm", "inputs"),
    ("surrogates",),
    ("kernels",),
    ("folding",),
    ("neurons", "factorized"),
    ("backbones", "losses", "data"),
    ("baselines", "deploy"),
    ("trainers",),
    ("analysis", "plots"),
    ("experiments",),
    ("bench", "doctor", "course"),
    ("cli",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def module_name(path):
    parts = ("snnbook", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in PACKAGE.rglob("*.py")}


def imported(path):
    """Modules of this library that a file imports, wherever in the file; not those only a type checker sees."""
    found = set()

    def visit(node):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "snnbook":
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else node.module)
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names if alias.name.split(".")[0] == "snnbook")
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


IMPORTS = {name: imported(path) for name, path in MODULES.items()}


def room(module):
    return module.split(".")[1] if "." in module else None


@pytest.mark.parametrize("module", sorted(IMPORTS))
def test_a_room_knows_only_what_lies_below_it(module):
    if room(module) in (None, "__main__"):
        return
    for other in filter(room, IMPORTS[module]):
        assert room(other) == room(module) or FLOOR[room(other)] < FLOOR[room(module)], other


def test_there_are_no_circles():
    TopologicalSorter({name: found - {name} for name, found in IMPORTS.items()}).prepare()


@pytest.mark.parametrize(
    ("knows", "not_"),
    [
        ("snnbook.experiments.evidence", "snnbook.experiments.matrix"),
        ("snnbook.experiments.matrix", "snnbook.experiments.evidence"),
        ("snnbook.experiments.runs", "snnbook.experiments.evidence"),
        ("snnbook.experiments.runs", "snnbook.experiments.matrix"),
        ("snnbook.experiments.tables", "snnbook.experiments.runs"),
        ("snnbook.trainers.loop", "snnbook.trainers.registry"),
        ("snnbook.plots", "snnbook.trainers"),
    ],
)
def test_inside_a_room_arrows_run_one_way_too(knows, not_):
    for module, found in IMPORTS.items():
        if module.startswith(knows):
            assert not [other for other in found if other.startswith(not_)], module


def test_no_name_hides_a_module():
    for found in pkgutil.walk_packages(snnbook.__path__, "snnbook."):
        if found.name.endswith(("__main__", "triton_device")):  # one runs, the other needs Triton
            continue
        package, _, name = found.name.rpartition(".")
        importlib.import_module(found.name)
        assert isinstance(getattr(importlib.import_module(package), name), ModuleType), found.name


@pytest.mark.parametrize("folder", [PACKAGE, Path(__file__).parent], ids=["library", "tests"])
def test_every_module_is_one_idea(folder):
    for path in folder.rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 350, path
