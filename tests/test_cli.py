"""The command line: help at once, one line and exit code 2 for bad input, notebooks headless."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from cli_cases import call
from snnbook import __version__, doctor
from snnbook.cli import arguments as words
from snnbook.experiments.runs import notebook
from snnbook.experiments.tables import tables

TABLE = """\
id: demo
paper: somebody
title: A table
source: "Somebody 2020, Table 1"
seeds: [0, 1]
base:
  data: {name: digits, size: 8, train_per_class: 5, test_limit: 200}
  network: {name: resnet18, width: 4, time_steps: 2}
  recipe: {epochs: 2, batch_size: 25, augment: [crop]}
profiles: {quick: {}}
rows:
  - {id: snn, label: SNN alone, method: {name: direct}, paper: {snn: 92.39}}
  - {id: long, label: Never ends, method: {name: direct}, recipe: {epochs: 100000}}
"""


@pytest.fixture
def here(put_tables, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    return put_tables(demo=TABLE)


PLACES = ["--results", "results", "--work", "runs", "--device", "cpu"]


def test_help_shows_every_command_and_imports_no_torch():
    code = "import sys; from snnbook import cli\n"
    code += "try: cli.main(['--help'])\nfinally: assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for word in ("list", "run", "report", "doctor", "examples:", "Exit codes:"):
        assert word in done.stdout


def test_version_and_module():
    done = subprocess.run(
        [sys.executable, "-m", "snnbook", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"snnbook {__version__}\n"


def test_choices_are_those_of_the_tables():
    assert (words.PROFILES, words.RECIPES) == (tables.PROFILES, tables.RECIPES)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "demo/sn"], "did you mean 'snn'"),
        (["run", "dmo/snn"], "did you mean 'demo/snn'"),
        (["run", "demo/snn", "--set", "recipe.epoch=1", "--bare"], "did you mean 'epochs'"),
        (["run", "demo/snn", "--set", "network.time_steps=0", "--bare"], "time"),
        (["run", "demo/snn", "--set", "nonsense"], "section.key=value"),
        (["run", "demo/snn", "--profile", "quik"], "invalid choice: 'quik'"),
        (["run", "demo/snn", "--profile", "lab"], "no profile 'lab'; known: quick"),
        (["run", "demo/snn", "--recipe", "official", "--bare"], "no recipe mode 'official'"),
        (["run", "demo/snn", "--seed", "one"], "'one' is no seed; expected whole numbers"),
        (
            ["run", "--seed", "7", "demo/snn"],
            "'demo/snn' is no seed; expected whole numbers, and names before",
        ),
        (
            ["reproduce", "--seeds", "7", "demo"],
            "'demo' is no seed; expected whole numbers, and names before",
        ),
        (["run", "demo/snn", "--device", "gpu", "--bare"], "no device 'gpu'"),
        (["run", "demo/snn", "--results", "tables/demo.yaml/x"], "cannot write"),
        (["run", "demo/snn", "--set", "data.name=folder", "--data", "empty", "--bare"], "empty"),
        (["run"], "required: ID"),
        (["rum"], "invalid choice: 'rum'"),
        (["report", "demi"], "did you mean 'demo'"),
        (["list", "demi"], "did you mean 'demo'"),
        ([], "required: COMMAND"),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_2(here, capsys, arguments, says):
    (here / "empty").mkdir()
    code, out, err = call(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("snnbook: ")
    assert err.count("\n") == 1
    assert says in err


def test_run_bare_then_list_and_report(here, capsys):
    code, out, err = call(capsys, "run", "demo/snn", "--bare", *PLACES)
    assert code == 0
    assert "SNN: " in out
    assert "record: results/quick/demo/snn/seed0.json" in out
    assert "epoch 2/2" in err  # progress is visible
    made = json.loads((here / "results/quick/demo/snn/seed0.json").read_text())
    code, out, err = call(capsys, "run", "demo/snn", "--bare", *PLACES)
    assert (code, err) == (0, "")
    assert f"It stands since {made['created']}" in out
    _, out, _ = call(capsys, "list", "demo", "--results", "results")
    assert "  demo/snn   quick 1/1\n    SNN alone\n  demo/long  quick 0/1\n    Never ends\n" in out
    _, out, _ = call(capsys, "report", "demo", "--results", "results")
    assert f"{made['metrics']['snn']['last']:.1f}" in out
    assert "not run" in out
    _, out, _ = call(capsys, "report", "demo", "--results", "results", "--format", "csv")
    assert f"demo/snn,SNN alone,snn,quick,digits,10,92.39,,{made['metrics']['snn']['last']},," in out
    _, out, _ = call(capsys, "report", "--results", "results", "--format", "markdown", "--best")
    assert "| SNN alone | SNN |" in re.sub(" +", " ", out)


def test_the_notebook_is_executed_headless_and_shows_what_came(here, capsys):
    code, out, err = call(capsys, "run", "demo/snn", "--seed", "1", *PLACES)
    assert code == 0, err
    assert "epoch 2/2" in err  # progress of the kernel is visible
    assert "parameter" not in err  # papermill knows each of ours
    assert "notebook: runs/quick/demo/snn/seed1/run.ipynb" in out
    assert (here / "results/quick/demo/snn/seed1.json").is_file()
    cells = json.loads((here / "runs/quick/demo/snn/seed1/run.ipynb").read_text())["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    images = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(images) == 2  # curves, firing rates
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert "SNN alone" in "".join("".join(output.get("text", "")) for output in outputs)


def test_a_wrong_setting_comes_back_from_the_notebook_in_one_line(here, capsys):
    code, _, err = call(capsys, "run", "demo/snn", "--set", "recipe.epoch=1", *PLACES)
    assert code == 2
    assert "did you mean 'epochs'" in err.splitlines()[-1]
    assert "Traceback" not in err


def test_without_papermill_the_way_out_is_told(here, capsys, monkeypatch):
    monkeypatch.setattr(notebook, "find_spec", lambda name: None if name == "papermill" else name)
    code, _, err = call(capsys, "run", "demo/snn", *PLACES)
    assert code == 2
    assert "papermill not installed" in err
    assert "--bare" in err
    assert "pip install -e '.[run]'" in err


@pytest.mark.parametrize(("number", "bare"), [(signal.SIGTERM, False), (signal.SIGINT, True)])
def test_an_interrupted_run_ends_at_once_and_keeps_its_epochs(here, number, bare):
    command = [sys.executable, "-m", "snnbook", "run", "demo/long", *PLACES, *(["--bare"] if bare else [])]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    saved = here / "runs/quick/demo/long/seed0/checkpoint.pt"
    deadline = time.monotonic() + 120
    while not saved.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    holder = int((saved.parent / "lock.holder").read_text().split()[1])
    process.send_signal(number)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "interrupted; the same command goes on" in complaint.splitlines()[-1]
    assert "Traceback" not in complaint
    assert saved.exists()
    assert not list((here / "results").rglob("*.json"))
    with pytest.raises(ProcessLookupError):  # the notebook's kernel is gone with it
        os.kill(holder, 0)


def test_doctor_tells_what_is_there_on_one_screen(here, capsys, monkeypatch):
    for name in range(10):
        (here / f"data/cifar10/train/{name}").mkdir(parents=True)
    monkeypatch.setenv("SNNBOOK_WORKERS", "3")
    code, out, _ = call(capsys, "doctor", "--data", "data")
    assert code == 0
    for word in (
        "torch 2.",
        "run (run experiments as notebooks)",
        "kernel",
        "threads",
        "free disk",
        str(here),
    ):
        assert word in out
    assert "cifar10: found cifar10/train" in out
    assert "cifar100: not there" in out
    assert "imagenet: not there; ask for it at image-net.org" in out
    assert "dvs_gesture: not there; fetch DvsGesture.tar.gz" in out
    assert "ssc: not there; fetch ssc_train.h5" in out
    assert "by 3 workers" in out
    assert len(out.splitlines()) <= 24


def test_doctor_says_how_to_get_what_is_missing(here, capsys, monkeypatch):
    version = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "torch" else version(name))
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    code, out, _ = call(capsys, "doctor")
    assert code == 1
    assert "MISSING torch; get it: pip install torch" in out
    assert "missing papermill" in out
    assert "pip install -e '.[run]'" in out
