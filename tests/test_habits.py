"""What hosts and contributors read: workflows, hooks, forms, the map of the rooms, findings."""

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FORMS = sorted(path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
FINDINGS = sorted((ROOT / "findings").glob("*.sh"))
TARGETS = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
REQUIRED = {
    Requirement(line).name: Requirement(line).specifier
    for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
}


def steps(workflow):
    for job in yaml.safe_load(workflow.read_text())["jobs"].values():
        yield from job["steps"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_calls_what_is_there(workflow):
    for step in steps(workflow):
        if "uses" in step:  # pinned by the tag of a major version
            assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"])
        words = shlex.split(step.get("run", ""), comments=True)
        if words[:1] == ["make"]:
            assert set(words[1:]) <= set(TARGETS)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_only_read_and_ends(workflow):
    content = yaml.safe_load(workflow.read_text())
    assert content["permissions"] == {"contents": "read"}
    assert all(0 < job["timeout-minutes"] <= 90 for job in content["jobs"].values())


def test_hosted_tests_have_the_oldest_torch_of_the_ranges():
    (install,) = [
        step["run"] for step in steps(ROOT / ".github/workflows/tests.yml") if "torch==" in str(step)
    ]
    pins = dict(re.findall(r"(torch|torchvision)==([\d.]+)\.\*", install))
    assert {name: f">={pin}" for name, pin in pins.items()} == {
        name: str(REQUIRED[name]) for name in ("torch", "torchvision")
    }


def test_strangers_code_does_not_run_on_a_lent_gpu():
    jobs = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())["jobs"]
    (condition,) = [job["if"] for job in jobs.values() if "self-hosted" in job["runs-on"]]
    assert "vars.GPU_RUNNER == 'yes'" in condition
    assert "github.event_name != 'pull_request'" in condition


def test_hooks_are_local_and_call_what_is_there():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        program, *arguments = hook["entry"].split()
        assert program in (".venv/bin/ruff", ".venv/bin/python")
        assert all((ROOT / word).is_file() for word in arguments if word.endswith(".py"))


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.name)
def test_a_form_can_be_filled_in(form):
    content = yaml.safe_load(form.read_text())
    assert {"name", "description", "body"} <= set(content)
    fields = [field for field in content["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    assert any(field.get("validations", {}).get("required") for field in fields)
    for field in fields:
        assert field["attributes"]["label"]


def test_whose_number_differs_is_asked_for_the_receipt():
    from snnbook.cli import arguments

    (form,) = [path for path in FORMS if path.stem == "number"]
    (command,) = set(re.findall(r"`snnbook (receipt [^`]*)`", form.read_text()))
    assert arguments.parser().parse_args(shlex.split(command)).results == Path("mine")


def rooms():
    package = ROOT / "src/snnbook"
    for path in [*package.iterdir(), *(package / "experiments").iterdir(), package / "trainers/loop"]:
        if path.name.startswith("__") or path.suffix == ".typed":
            continue
        if path.is_dir():
            yield f"{path.relative_to(package)}/"
        elif path.parent == package:
            yield path.name


def test_the_map_of_the_house_names_every_room():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    section = text.split("## Where things lie", 1)[1].split("Beside it:", 1)[0]
    named = set(re.findall(r"`([\w/]+(?:/|\.py))`", section)) - {"tests/test_house.py"}
    assert named == set(rooms())


def test_sections_that_others_point_to_are_there():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for heading in ("Where things lie", "Decisions", "Findings", "Add a method"):
        assert f"\n## {heading}\n" in text


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda path: path.name)
def test_a_finding_stands_alone(finding):
    text = finding.read_text()
    subprocess.run(["bash", "-n", finding], check=True)
    assert "set -euo pipefail" in text and "mktemp -d" in text
    assert re.search(r"^# (Guess|Expected)", text, re.MULTILINE) and re.search(r"^# Seen", text, re.MULTILINE)
    assert "==" in text  # versions are pinned
    assert not re.search(r"^\s*(import|from) snnbook", text, re.MULTILINE)


# Put together here, so that this file names none either.
REGISTRIES = [
    ".".join(words)
    for words in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("download", "pytorch", "org"),
        ("registry", "npmjs", "org"),
        ("conda", "anaconda", "org"),
    ]
]


def test_no_file_names_a_package_registry():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("no checkout of git")
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and not name.startswith("results/"):
            content = path.read_bytes()
            for address in REGISTRIES:
                assert address.encode() not in content, f"{name} names {address}"
