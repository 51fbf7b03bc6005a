"""Execute a chapter once for each state of its text, the library, the tables and the records."""

import asyncio
import hashlib
import os
import platform
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from snnbook import files
from snnbook.errors import UserError

# House style allows a cell 60 s on two cores; a machine may be ten times slower or busier.
CELL_SECONDS = 600


def executed(notebook: Path, folder: Path) -> Path:
    """A copy of ``notebook`` with outputs, in ``folder``; executed only if no copy is of the present state.

    Raises:
        UserError: a cell failed, ran too long, or took its kernel down.
    """
    copy, key = folder / notebook.name, _key(notebook)
    if copy.is_file() and nbformat.read(copy, as_version=4).metadata.get("snnbook_key") == key:
        return copy
    started = time.monotonic()
    print(f"book: executing {notebook.name} ...", end=" ", flush=True)
    content = nbformat.read(notebook, as_version=4)
    try:
        _execute(content, notebook)
        _check_alt(content, notebook)
    except UserError:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - started:.0f} s", flush=True)
    content.metadata["snnbook_key"] = key
    files.write_text(copy, nbformat.writes(content) + "\n")
    return copy


def _key(notebook: Path) -> str:
    """Changes with anything the outputs depend on."""
    root = files.root()
    digest = hashlib.sha256(f"{platform.python_version()} {version('torch')} {version('snntorch')}".encode())
    digest.update(notebook.read_bytes())
    sources: list[Path] = []
    for folder, pattern in (("src/snnbook", "*.py"), ("experiments", "*.yaml"), ("results", "*.json")):
        sources += sorted((root / folder).rglob(pattern))
    for path in sources:
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _check_alt(content, notebook: Path) -> None:
    """Every figure must say in words what it shows."""
    for number, cell in enumerate(content.cells, 1):
        shown = [kind for output in cell.get("outputs", []) for kind in output.get("data", {})]
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
        if any(kind.startswith("image/") for kind in shown) and not alt:
            raise UserError(
                f"{notebook.name}, cell {number}: its figure has no alternative text; "
                'add "mystnb": {"image": {"alt": "..."}} to the cell\'s metadata'
            )


class _ThisPython(KernelSpecManager):
    """Whatever kernels are registered on this machine, ``python3`` is the interpreter that builds the book."""

    def get_kernel_spec(self, kernel_name):
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name="Python 3", language="python")


def _execute(content, notebook: Path) -> None:
    """Run all cells of ``content`` in a fresh kernel, outputs in place."""
    at = 0

    def note(cell, cell_index):
        nonlocal at
        at = cell_index

    with tempfile.TemporaryDirectory(prefix="snnbook-") as sockets:
        # Socket files: of TCP ports two kernels that start at once may pick the same.
        manager = AsyncKernelManager(
            kernel_spec_manager=_ThisPython(),
            transport="ipc",
            connection_file=os.path.join(sockets, "kernel.json"),
        )
        client = NotebookClient(
            content,
            km=manager,
            timeout=CELL_SECONDS,
            on_cell_start=note,
            resources={"metadata": {"path": str(notebook.parent)}},
            shutdown_kernel="immediate",
        )
        # Progress bars are for people who wait; a page shows their last state at best.
        environment = {**os.environ, "TQDM_DISABLE": "1"}
        try:
            asyncio.run(client.async_execute(env=environment, cleanup_kc=True))
        except CellExecutionError as error:
            reason = f"{error.ename}: {error.evalue}".splitlines()[0]
        except CellTimeoutError:
            reason = f"it ran for more than {CELL_SECONDS} s"
        except DeadKernelError:
            reason = "its kernel died (out of memory?)"
        else:
            return
    line = next(iter(content.cells[at].source.splitlines()), "")
    raise UserError(f"{notebook.name}, cell {at + 1} (it begins {line!r}): {reason}")
