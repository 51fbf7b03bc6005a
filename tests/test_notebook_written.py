"""The executed notebook: whole or not at all, wherever it lies, and in one line what went wrong."""

import errno
import json
import os
import signal

import papermill
import pytest

from bad_input import one_line
from snnbook.experiments.runs import notebook
from snnbook.experiments.runs.job import resolve
from test_experiments_identity import TABLE

SMALL = ["recipe.epochs=1"]


@pytest.fixture
def here(put_tables):
    return put_tables(demo=TABLE)


def execute(here, work="runs"):
    asked = resolve("demo/start", overrides=SMALL, results=here / "results", work=here / work)
    return asked, lambda: notebook.execute(asked, data=None, device="cpu", progress=False)


def stub(monkeypatch, *, text, error):
    """In place of papermill: it writes ``text`` and raises ``error``."""

    def stand_in(source, output, *_, **__):
        with open(output.format(), "w") as file:
            file.write(text)
        if error:
            raise error

    monkeypatch.setattr(papermill, "execute_notebook", stand_in)


def test_braces_in_a_path_and_a_long_tmpdir_are_paths(here, monkeypatch, tmp_path):
    long = tmp_path / ("{seed}" * 20)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    asked, call = execute(here, "runs {x} {seed}")
    output = call()
    assert output == asked.folder / "run.ipynb" and "{seed}" in str(output)
    content = json.loads(output.read_text())
    assert content["metadata"]["papermill"]["output_path"] == str(output)
    assert asked.record_path.is_file() and not os.listdir(long)


WHOLE = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
FAILED = papermill.PapermillExecutionError(3, 3, "1/0", "ZeroDivisionError", "by zero", ["Traceback"])


@pytest.mark.parametrize("error", [FAILED, RuntimeError("Kernel died before replying to kernel_info")])
def test_a_cell_that_failed_is_kept(here, monkeypatch, error):
    asked, call = execute(here)
    stub(monkeypatch, text=WHOLE, error=error)
    with pytest.raises(notebook.NotebookFailed, match=r"run\.ipynb"):
        call()
    assert json.loads((asked.folder / "run.ipynb").read_text())["nbformat"] == 4


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt()])
def test_a_part_of_a_notebook_is_never_kept(here, monkeypatch, error):
    asked, call = execute(here)
    asked.folder.mkdir(parents=True)
    (asked.folder / "run.ipynb").write_text(WHOLE)
    stub(monkeypatch, text=WHOLE[:20], error=error)
    if isinstance(error, OSError):
        one_line(call, "No space left", "TMPDIR")
    else:
        with pytest.raises(KeyboardInterrupt):
            call()
    assert (asked.folder / "run.ipynb").read_text() == WHOLE
    assert os.listdir(asked.folder) == ["run.ipynb"]


def test_an_interrupt_that_comes_out_as_another_error_is_none_of_the_kernel(here, monkeypatch):
    late = RuntimeError("Event loop is closed")
    late.__context__ = KeyboardInterrupt()
    stub(monkeypatch, text=WHOLE, error=late)
    with pytest.raises(RuntimeError, match="Event loop"):
        execute(here)[1]()


def test_a_killed_kernel_is_one_line(here, monkeypatch):
    monkeypatch.setenv("PYTHONSTARTUP", "")
    kill = f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})"
    source = here / "notebooks" / "experiments" / "run.ipynb"
    source.parent.mkdir(parents=True)
    real = json.loads((notebook.files.notebooks() / "experiments" / "run.ipynb").read_text())
    real["cells"] = [cell for cell in real["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    code = {
        "cell_type": "code",
        "execution_count": None,
        "id": "k",
        "metadata": {},
        "outputs": [],
        "source": kill,
    }
    real["cells"].append(code)
    source.write_text(json.dumps(real))
    monkeypatch.setattr(notebook.files, "notebooks", lambda: here / "notebooks")
    with pytest.raises(notebook.NotebookFailed, match="died") as caught:
        execute(here)[1]()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_a_folder_in_the_way_is_found_first(here, monkeypatch):
    asked, call = execute(here)
    (asked.folder / "run.ipynb").mkdir(parents=True)
    monkeypatch.setattr(papermill, "execute_notebook", lambda *_, **__: pytest.fail("executed for nothing"))
    one_line(call, "run.ipynb", "a folder")
