"""Execute a chapter once for each state of its code and of the modules, tables and records that it reads.

What it reads is noted while it runs (see ``watched_kernel.py``), so a change in the library re-executes the
chapters that depend on it and no others; a change in prose or captions none.
"""

import asyncio
import hashlib
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from itertools import chain, repeat
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from traitlets import Unicode

import exercises
from snnbook import files, warm
from snnbook.errors import UserError

# What kernels import sooner or later, done once for all.  Nothing of the library: what a chapter reads counts.
WARM = ("ipykernel.ipkernel", "matplotlib.pyplot", "seaborn", "torch", "torch._dynamo", "torchvision")
# As kernels have it when they import matplotlib.
BACKEND = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
# House style allows a cell 60 s on two cores; a machine may be ten times slower or busier.
CELL_SECONDS = 600


def all_executed(notebooks: Sequence[Path], folder: Path) -> list[Path]:
    """As :func:`executed`, of each; where several are, in kernels that need not import torch anew."""
    several = sum(_kept(path, folder) is None for path in notebooks) > 1
    with (
        tempfile.TemporaryDirectory(prefix="snnbook-") as place,
        _set(BACKEND),
        warm.started(Path(place), WARM) if several else nullcontext({}) as environment,
        _set(environment),
    ):
        return [executed(path, folder) for path in notebooks]


@contextmanager
def _set(environment: Mapping[str, str]) -> Iterator[None]:
    """Variables of the environment while the body runs."""
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def executed(notebook: Path, folder: Path) -> Path:
    """A copy of ``notebook`` with outputs, in ``folder``; executed only if none has those of the present state.

    Raises:
        UserError: a cell failed, ran too long, or took its kernel down; or a figure has no alternative text.
    """
    copy = folder / notebook.name
    content = _kept(notebook, folder) or _made(notebook)
    _check_alt(content, notebook)
    files.write_text(copy, nbformat.writes(content) + "\n")
    return copy


def _made(notebook: Path):
    """The notebook with outputs, and with what they depend on."""
    started = time.monotonic()
    print(f"book: executing {notebook.name} ...", end=" ", flush=True)
    content = nbformat.read(notebook, as_version=4)
    own, chapter = _own_state(content, notebook), content.cells
    try:
        content.cells = [*chapter, *_solutions(content, notebook)]
        reads = _execute(content, notebook)
    except UserError:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - started:.0f} s", flush=True)
    content.cells = chapter
    content.metadata["snnbook"] = {"own": own, "reads": _state_of(reads)}
    return content


def _kept(notebook: Path, folder: Path):
    """The notebook with its last execution's outputs; None if its code, or what that reads, is another now."""
    copy = folder / notebook.name
    if not copy.is_file():
        return None
    content, old = (nbformat.read(path, as_version=4) for path in (notebook, copy))
    state = old.metadata.get("snnbook", {})
    if state.get("own") != _own_state(content, notebook) or state["reads"] != _state_of(state["reads"]):
        return None
    for cell, before in zip(_code(content), _code(old), strict=True):
        cell.update(outputs=before.outputs, execution_count=before.execution_count)
    content.metadata["snnbook"] = state
    return content


def _code(content) -> list:
    return [cell for cell in content.cells if cell.cell_type == "code"]


def _solutions(content, notebook: Path) -> list:
    """Cells with the code of the solutions, which stands in the chapter's text: it must run, and be right."""
    return [
        nbformat.v4.new_code_cell(f"# solution of exercise {exercise.number}\n{code}{more}")
        for exercise in exercises.read(content.cells, notebook)
        for code, more in zip(exercise.code, chain([f"assert {exercise.question}"], repeat("")), strict=False)
    ]


def _own_state(content, notebook: Path) -> str:
    """A digest of what is executed, and by what."""
    versions = [platform.python_version(), version("torch"), version("snntorch")]
    code = [[cell.source, cell.metadata.get("tags", [])] for cell in _code(content)]
    code += [[cell.source, []] for cell in _solutions(content, notebook)]
    return _digest(json.dumps([versions, code]).encode())


def _state_of(paths: Iterable[str]) -> dict[str, str]:
    """A digest of each file, by its path from the root; with tables among them, also of what records there are."""
    root, state = files.root(), {}
    for path in sorted(paths):
        file = root / path
        state[path] = _digest(file.read_bytes()) if file.is_file() else "gone"
    if any(path.startswith("experiments/") for path in state):
        # A row without a record opens no file; it is read once there is one.
        names = sorted(p.relative_to(root).as_posix() for p in (root / "results").rglob("*.json"))
        state["results"] = _digest("\n".join(names).encode())
    return state


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


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

    listed = Unicode(help="file that the kernel writes the paths it opens to")

    def get_kernel_spec(self, kernel_name):
        watched = Path(__file__).with_name("watched_kernel.py")
        command = [sys.executable, str(watched), str(files.root()), self.listed, "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name="Python 3", language="python")


def _execute(content, notebook: Path) -> set[str]:
    """Run all cells of ``content``, outputs in place; returns the project's files that they opened."""
    with tempfile.TemporaryDirectory(prefix="snnbook-") as temporary:
        listed = Path(temporary) / "reads"
        run(content, notebook.name, notebook.parent, _ThisPython(listed=str(listed)), os.environ)
        return set(listed.read_text().splitlines())


def _unforeseen(cell) -> list:
    """The errors among a cell's outputs, unless its tags say that it fails."""
    tags = cell.metadata.get("tags", [])
    return (
        [] if "raises-exception" in tags else [o for o in cell.get("outputs", []) if o.output_type == "error"]
    )


def run(content, name: str, folder: Path, kernels: KernelSpecManager, environment: Mapping[str, str]) -> None:
    """Run all cells of ``content``, called ``name``, in a fresh kernel in ``folder``; outputs come in place.

    Raises:
        UserError: a cell failed, ran too long, or took its kernel down.
    """
    at = 0

    def note(cell, cell_index):
        nonlocal at
        at = cell_index

    with tempfile.TemporaryDirectory(prefix="snnbook-") as temporary:
        # Socket files: of TCP ports two kernels that start at once may pick the same.
        manager = AsyncKernelManager(
            kernel_spec_manager=kernels,
            transport="ipc",
            connection_file=os.path.join(temporary, "kernel.json"),
        )
        client = NotebookClient(
            content,
            km=manager,
            timeout=CELL_SECONDS,
            startup_timeout=CELL_SECONDS,  # of the kernel, which is a minute by default
            on_cell_start=note,
            resources={"metadata": {"path": str(folder)}},
            shutdown_kernel="immediate",
            coalesce_streams=True,  # or a busy machine's page would show one cell's lines in several boxes
        )
        # Progress bars are for people who wait; a page shows their last state at best.
        environment = {**environment, "TQDM_DISABLE": "1"}
        try:
            asyncio.run(client.async_execute(env=environment, cleanup_kc=True))
        except CellExecutionError as error:
            reason = f"{error.ename}: {error.evalue}".splitlines()[0]
        except CellTimeoutError:
            reason = f"it ran for more than {CELL_SECONDS} s"
        except DeadKernelError:
            reason = "its kernel died (out of memory?)"
        else:
            # What %%capture or %run catches, IPython shows, and calls the cell well done.
            failed = [(i, e) for i, cell in enumerate(content.cells) for e in _unforeseen(cell)]
            if not failed:
                return
            at, error = failed[0]
            reason = f"{error.ename}: {error.evalue}".splitlines()[0]
    line = next(iter(content.cells[at].source.splitlines()), "")
    raise UserError(f"{name}, cell {at + 1} (it begins {line!r}): {reason}")
