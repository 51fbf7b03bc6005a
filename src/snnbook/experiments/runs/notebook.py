"""The experiment notebook, executed headless by papermill in this very Python."""

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from snnbook import files
from snnbook.errors import UserError
from snnbook.experiments.runs.job import Run

NAME = "run.ipynb"


class NotebookFailed(Exception):
    """A cell failed for another reason than bad input; the executed copy holds its traceback."""


def execute(run: Run, *, data: Path | None, device: str, progress: bool) -> Path:
    """Execute ``notebooks/experiments/run.ipynb`` for ``run``; the copy with its outputs lies in ``run.folder``.

    The notebook calls :func:`snnbook.experiments.run`, which alone decides what is done.  Progress of the
    kernel is written to this process's standard error as it comes.

    Returns:
        Where the executed copy is.

    Raises:
        UserError: papermill is not installed, or the run itself refused its input.
        NotebookFailed: a cell failed in another way.
    """
    missing = [name for name in ("papermill", "ipykernel") if find_spec(name) is None]
    if missing:
        raise UserError(
            f"{' and '.join(missing)} not installed, which executes the notebook; "
            "use --bare to run without it, or install it: make setup, or pip install -e '.[run]'"
        )
    import papermill

    run.check_folders()
    output = run.folder / NAME
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
    with tempfile.TemporaryDirectory(prefix="snnbook-") as sockets:
        try:
            papermill.execute_notebook(
                files.notebooks() / "experiments" / NAME,
                output,
                parameters,
                kernel_name="python3",
                progress_bar=False,
                stderr_file=sys.stderr,
                kernel_manager_class=_manager(Path(sockets)),
                shutdown_kernel="immediate",  # every file is whole at any moment; nothing is left to tidy up
            )
        except papermill.PapermillExecutionError as error:
            if error.ename == "UserError":
                raise UserError(error.evalue) from None
            reason = f"{error.ename}: {error.evalue}".splitlines()[0]
            raise NotebookFailed(f"cell {error.cell_index} of {output} failed ({reason})") from None
    return output


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
