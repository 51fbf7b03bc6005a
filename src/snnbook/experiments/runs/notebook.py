"""The experiment notebook, executed headless by papermill in this very Python."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from snnbook import files
from snnbook.errors import UserError, one_line
from snnbook.experiments.runs.job import Run

NAME = "run.ipynb"
STARTS = 600  # seconds a kernel may take; on a busy machine it is more than the minute that is usual
LONGEST = 100  # bytes of a socket's name; Linux takes 107, macOS 103


class NotebookFailed(Exception):
    """A cell failed for another reason than bad input; the executed copy holds its traceback."""


def execute(run: Run, *, data: Path | None, device: str, progress: bool) -> Path:
    """Execute ``notebooks/experiments/run.ipynb`` for ``run``; the copy with its outputs lies in ``run.folder``.

    The notebook calls :func:`snnbook.experiments.run`, which alone decides what is done.  Progress of the
    kernel is written to this process's standard error as it comes.  The copy is written at the end, whole, after
    a cell that failed, too.

    Returns:
        Where the executed copy is.

    Raises:
        UserError: papermill is not installed, the run itself refused its input, or a file cannot be written.
        NotebookFailed: a cell failed in another way, or the kernel died.
    """
    missing = [name for name in ("papermill", "ipykernel") if find_spec(name) is None]
    if missing:
        raise UserError(
            f"{' and '.join(missing)} not installed, which executes the notebook; "
            "use --bare to run without it, or install it: make setup, or pip install -e '.[run]'"
        )
    import papermill
    from nbclient.exceptions import DeadKernelError

    run.check_folders()
    output = files.place(run.folder / NAME, "a notebook")
    parameters = {
        "run_id": run.row,
        "seed": run.seed,
        "profile": run.profile,
        "recipe": run.recipe,
        "data": str(data.absolute()) if data else None,
        "overrides": list(run.overrides),
        "device": device,
        "results": str(run.results),
        "work": str(run.work),
        "progress": progress,
    }
    with _short_folder() as folder:
        growing = folder / NAME
        try:
            papermill.execute_notebook(
                _literal(files.notebooks() / "experiments" / NAME),
                _literal(growing),
                parameters,
                kernel_name="python3",
                progress_bar=False,
                start_timeout=STARTS,
                stderr_file=sys.stderr,
                kernel_manager_class=_manager(folder),
                shutdown_kernel="immediate",  # every file is whole at any moment; nothing is left to tidy up
            )
        except papermill.PapermillExecutionError as error:
            kept = _keep(growing, output)
            if error.ename == "UserError":
                raise UserError(error.evalue) from None
            reason = f"{error.ename}: {error.evalue}".splitlines()[0]
            raise NotebookFailed(f"cell {error.cell_index} of {kept} failed ({reason})") from None
        except (DeadKernelError, RuntimeError) as error:  # the latter, if it dies before it has spoken
            if _interrupted(error):
                raise
            kept = _keep(growing, output)
            raise NotebookFailed(f"the kernel of {kept} died ({one_line(error)[:100]})") from None
        except OSError as error:
            raise UserError(
                f"cannot execute the notebook in {folder}: {error.strerror or one_line(error)[:100]}; "
                "set TMPDIR to a folder with room, or use --bare"
            ) from None
        return _keep(growing, output)


def _keep(growing: Path, output: Path) -> Path:
    """Put the notebook that papermill wrote where it belongs; what it was killed at writing stays away."""
    try:
        content = json.loads(growing.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return output
    content["metadata"].get("papermill", {})["output_path"] = str(output)
    files.write_text(output, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return output


def _interrupted(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _literal(path: Path) -> str:
    """``path`` for papermill, which fills in what is in braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


@contextmanager
def _short_folder() -> Iterator[Path]:
    """A temporary folder whose name leaves room for a socket's, which a system cuts at some hundred bytes."""
    for place in (None, "/tmp"):
        with files.explain_write_errors(
            Path(place or tempfile.gettempdir()), "set TMPDIR to a folder you may write to"
        ):
            made = tempfile.TemporaryDirectory(prefix="snnbook-", dir=place, ignore_cleanup_errors=True)
        with made as name:
            if len(os.fsencode(name)) + len("/kernel.json-ipc-5") < LONGEST:
                yield Path(name)
                return
    raise UserError("the name of TMPDIR is too long for the sockets of a kernel; choose a shorter, or --bare")


def _manager(sockets: Path):
    """A kernel manager that starts this interpreter, whatever is registered as ``python3``.

    It speaks over socket files: TCP ports are chosen in a race that many runs at once do lose.
    """
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from traitlets import default

    class Manager(AsyncKernelManager):
        @default("transport")
        def _default_transport(self):
            return "ipc"

        @default("connection_file")
        def _default_connection_file(self):
            return str(sockets / "kernel.json")

        @property
        def kernel_spec(self):
            command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=command, display_name="Python 3", language="python")

    return Manager
