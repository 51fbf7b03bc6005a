"""Whatever happens to a command, it ends in one line and an exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bad_input import one_line
from snnbook import cli
from snnbook.checks import environment
from snnbook.cli import output
from snnbook.errors import UserError
from snnbook.experiments.runs.lock import hold
from snnbook.trainers.loop import processes

TABLE = """
id: demo
paper: p
title: A table ± λ, {mark}
source: s
seeds: [0]
profiles: {{quick: {{data: {{name: digits}}}}}}
rows:
  - {{id: a, label: λ ± 漢字, method: {{name: direct}}, network: {{name: convnet}}}}
"""
SNNBOOK = [sys.executable, "-m", "snnbook"]


@pytest.fixture
def folder(put_tables):
    return put_tables(demo=TABLE.format(mark="x"))


def shell(command, folder, **changed):
    """What a command of the shell answers; ``$SNNBOOK`` calls the command line."""
    source = str(Path(cli.__file__).parents[2])
    variables = {
        **os.environ,
        "PYTHONPATH": source,
        "SNNBOOK": " ".join(SNNBOOK),
        "TMPDIR": str(folder),
        **changed,
    }
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        cwd=folder,
        env=variables,
        timeout=120,
    )


def test_a_closed_folder_is_told_in_a_line(folder, monkeypatch, capsys):
    fails(monkeypatch, PermissionError(13, "Permission denied", "results/quick"))
    assert cli.main(["list"]) == 2
    said = capsys.readouterr().err
    assert "no permission for results/quick" in said and said.count("\n") == 1


def fails(monkeypatch, error):
    def fail(_arguments):
        raise error

    monkeypatch.setattr("snnbook.cli.commands.list_tables", fail)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a\nb"),
        RuntimeError(),
        RecursionError("deep"),
        MemoryError(),
        OSError(28, "No space left", "/x/y"),
        PermissionError(13, "Permission denied"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        AssertionError("x" * 5000),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_our_own_is_a_line_and_a_file(error, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fails(monkeypatch, error)
    assert cli.main(["list"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and len(said) < 400 and "Traceback" not in said
    (log,) = tmp_path.glob("snnbook-*.log")
    assert f"traceback in {log}" in said and "Traceback" in log.read_text()
    with pytest.raises(type(error)):
        cli.main(["list", "--debug"])
    with pytest.raises(type(error)):
        cli.main(["--debug", "list"])


@pytest.mark.parametrize("world", [1, 2])
def test_of_processes_that_train_together_none_goes_on_to_the_next_run(world, folder, monkeypatch, capsys):
    """One that fails alone would wait there for others, who wait for it in the run that failed."""
    seeds = []

    def fail(_arguments, _run_id, seed):
        seeds.append(seed)
        raise UserError(f"no image {seed}")

    monkeypatch.setattr("snnbook.cli.commands._run", fail)
    for name, value in {"TORCHELASTIC_RUN_ID": "1", "RANK": "0", "WORLD_SIZE": str(world)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    command = ["run", "demo/a", "--seed", "0", "1", "--bare", "--device", "cpu", "--quiet"]
    if world > 1:
        assert cli.main(command) == 2 and seeds == [0]
    else:
        with pytest.raises(SystemExit, match="1"):
            cli.main(command)
        assert seeds == [0, 1]
    assert "no image 0" in capsys.readouterr().err


def test_no_place_for_the_file(monkeypatch, capsys):
    monkeypatch.setattr("tempfile.tempdir", "/nowhere/at/all")
    fails(monkeypatch, ValueError("odd"))
    assert cli.main(["list"]) == 1
    assert capsys.readouterr().err == "snnbook: ValueError: odd (--debug shows the traceback)\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "utf-8", "ascii:strict"])
def test_any_encoding_can_be_printed_in(folder, encoding):
    done = shell("$SNNBOOK list", folder, PYTHONIOENCODING=encoding)
    assert done.returncode == 0 and not done.stderr
    text = done.stdout.decode(encoding.partition(":")[0])
    assert "A table" in text and ("±" in text or "+/-" in text) and ("λ" in text or "lambda" in text)
    done = shell("$SNNBOOK list λ漢", folder, PYTHONIOENCODING=encoding)
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("$SNNBOOK list > /dev/full", 1, b"No space left on device"),
        ("$SNNBOOK list x 2> /dev/full", 2, None),
        ("$SNNBOOK list > /dev/full 2>&1", 1, None),
        ("$SNNBOOK list >&-", 0, None),
        ("$SNNBOOK list x 2>&-", 2, None),
        ("$SNNBOOK list <&- >&- 2>&-", 0, None),
        ("$SNNBOOK list | true", 0, None),
        ("$SNNBOOK --help | true", 0, None),
        ("mkdir gone; cd gone; rmdir ../gone; $SNNBOOK list", 2, b"current folder was deleted"),
        ("RANK=x TORCHELASTIC_RUN_ID=1 $SNNBOOK run demo/a --bare --device cpu", 2, b"RANK is 'x'"),
        (
            "SNNBOOK_PATIENCE=soon $SNNBOOK run demo/a --bare --quiet --results r --work w",
            2,
            b"SNNBOOK_PATIENCE",
        ),
        ("$SNNBOOK run $'demo/\\xff' --set $'recipe.epochs=\\xff'", 2, b"\\udcff"),
        ("$SNNBOOK run demo/a --seed 99999999999999999999999999999 --bare", 2, b"seed is 9"),
        ("$SNNBOOK list $(printf 'x%.0s' {1..5000})", 2, b"..."),
        ("$SNNBOOK check --results /dev/null", 2, b"--results /dev/null is no folder"),
        ("$SNNBOOK report demo --results $(printf 'x%.0s' {1..5000})", 2, b"File name too long"),
        (
            "$SNNBOOK run demo/a --bare --set 'network.options={init: x}'",
            2,
            b"snnbook: --set network.options={init: x}",
        ),
        ("$SNNBOOK $(printf 'x%.0s' {1..5000})", 2, b"..."),
    ],
)
def test_a_command_ends_in_a_line_and_its_code(command, code, says, folder):
    done = shell(command, folder)
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr
    assert len(done.stderr) < 400 and done.stderr.count(b"\n") <= 1
    assert says is None or says in done.stderr


def test_quiet_prints_nothing(folder):
    options = "--set recipe.epochs=1 --set data.train_per_class=1 --set data.test_limit=10"
    options += " --set network.time_steps=1"
    options += " --set recipe.batch_size=5"
    done = shell(f"$SNNBOOK run demo/a --bare --device cpu --results r --work w --quiet {options}", folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@given(
    text=st.text(max_size=6).filter(lambda text: "\0" not in text)
    | st.sampled_from(["inf", "nan", "1e400", "-1"])
)
@settings(deadline=None, max_examples=60)
def test_a_variable_is_a_number_or_one_line(text):
    with pytest.MonkeyPatch.context() as patch:
        try:
            text.encode()
        except UnicodeEncodeError:
            return
        patch.setenv("SNNBOOK_TEST", text)
        try:
            assert environment("SNNBOOK_TEST") >= 0
        except Exception:
            one_line(lambda: environment("SNNBOOK_TEST"), "the environment variable SNNBOOK_TEST is ")


@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("RANK", processes.rank),
        ("WORLD_SIZE", processes.size),
        ("LOCAL_RANK", processes.local_rank),
        ("LOCAL_WORLD_SIZE", processes.local_size),
    ],
)
def test_ranks_that_are_no_numbers(name, ask, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    for value in ("x", "", "-1", "1.5", "nan", "9" * 6000):
        monkeypatch.setenv(name, value)
        one_line(ask, name)
    monkeypatch.delenv(name)
    one_line(ask, name, "not set")
    monkeypatch.setenv(name, "1")
    assert ask() == 1
    monkeypatch.setenv("SNNBOOK_PATIENCE", "nan")
    one_line(lambda: hold(tmp_path / "lock"), "SNNBOOK_PATIENCE is 'nan'")


def test_letters_are_spelled():
    assert "92.4 ± 0.3 λ 漢 \udcff".encode("ascii", "backslashreplace")
    output.prepare()
    assert "92.4 ± 0.3 λ 漢 \udcff".encode("ascii", "snnbook") == b"92.4 +/- 0.3 lambda \\u6f22 \\udcff"
