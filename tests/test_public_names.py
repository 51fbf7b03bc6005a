"""`import snnbook` costs nothing, and gives the names that the library's page lists and type checkers see."""

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import snnbook
from snnbook import trainers

HERE = Path(__file__).parent
API = HERE.parent / "book/api.md"
HEAVY = (
    "seaborn",
    "sklearn",
    "snntorch",
    "torchvision",
    "matplotlib",
    "pandas",
    "scipy",
    "spikingjelly",
    "yaml",
)


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def seen_by_type_checkers(package):
    """Module and name of each import that only they read."""
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    block = next(x for x in tree.body if isinstance(x, ast.If) and ast.unparse(x.test) == "TYPE_CHECKING")
    for item in block.body:
        for alias in item.names:
            assert alias.asname == alias.name  # which marks a name as given on
            yield item.module, alias.name


@pytest.mark.parametrize("package", [snnbook, trainers])
def test_type_checkers_see_what_is_there(package):
    seen = dict((name, module) for module, name in seen_by_type_checkers(package))
    assert seen == {name: f"{package.__name__}.{place}" for name, place in package._PLACES.items()}
    assert sorted(package.__all__) == sorted(seen) == dir(package)
    assert list(package.__all__) == list(dict.fromkeys(package.__all__))


@pytest.mark.parametrize("name", snnbook.__all__)
def test_a_public_name_is_its_room_s(name):
    found = getattr(snnbook, name)
    assert found is getattr(import_module(f"snnbook.{snnbook._PLACES[name]}"), name)
    assert not isinstance(found, ModuleType)
    assert found.__doc__ and found.__name__ == name
    assert getattr(snnbook, name) is found


def test_no_other_name_is_given():
    with pytest.raises(AttributeError, match=r"module 'snnbook' has no attribute 'nothing'"):
        _ = snnbook.nothing
    with pytest.raises(ImportError):
        exec("from snnbook import nothing")


def test_importing_costs_nothing_and_names_cost_what_torch_costs():
    assert python("import snnbook, sys; snnbook.__version__; print('torch' in sys.modules)") == "False\n"
    assert python("import snnbook, sys; snnbook.UserError; print('torch' in sys.modules)") == "False\n"
    loaded = python("from snnbook import *; import sys; print(*sys.modules)").split()
    assert "torch" in loaded
    assert not {name.split(".")[0] for name in loaded} & set(HEAVY)


def test_the_page_of_the_library_lists_them():
    section = API.read_text(encoding="utf-8").split("\n## Public names\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\|[^|]+\|(.*)\|$", section, flags=re.MULTILINE)
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(listed) == sorted(snnbook.__all__)


def test_each_is_in_the_file_that_type_checkers_read():
    tree = ast.parse((HERE / "typing/public_surface.py").read_text(encoding="utf-8"))
    imports = next(x for x in tree.body if isinstance(x, ast.ImportFrom) and x.module == "snnbook")
    assert sorted(alias.name for alias in imports.names) == sorted(snnbook.__all__)
    used = {x.id for x in ast.walk(tree) if isinstance(x, ast.Name)}
    assert set(snnbook.__all__) <= used
    assert (Path(snnbook.__file__).parent / "py.typed").is_file()
