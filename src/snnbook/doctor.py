"""What is installed, what will be used, what is missing and how to get it: one screen."""

import os
import platform
import re
import shutil
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from snnbook import __version__, files, threads

# What each optional part is for, and the import names that show it is there.
EXTRAS = {
    "run": ("run experiments as notebooks", ("papermill", "nbclient", "ipykernel", "snakemake")),
    "book": ("build the book", ("jupyter_book", "nbclient", "sphinx_exercise", "sphinx_proof")),
    "events": ("recordings of event cameras", ("spikingjelly", "eventcv", "h5py")),
    "deploy": (
        "export to simulators and ONNX",
        ("nir", "nirtorch", "onnx", "onnxruntime", "onnxscript"),
    ),
    "neurobench": ("measure by NeuroBench's harness", ("neurobench",)),
    "bench": ("compare training speed", ("snntorch", "spikingjelly")),
    "dev": ("tests and lint", ("pytest", "hypothesis", "ruff", "mypy")),
}

UNLOCKED = ("neurobench",)  # it brings packages that the project itself has no use for


def screen(data: Path | None = None) -> tuple[str, bool]:
    """The report as text, and whether the base install works.

    Args:
        data: folder of data sets, as given to ``snnbook run --data``.
    """
    missing = _missing()
    sections = {
        "snnbook": _snnbook(),
        "packages": _packages(missing),
        "extras": _extras(),
        "device": ["unknown without the packages above"] if missing else _device(),
        "data": ["unknown without the packages above"] if missing else _data(data),
        "memory": _allocator(measured=not missing),
    }
    lines = []
    for name, texts in sections.items():
        lines += [
            f"{label:<10}{text}" for label, text in zip([name] + [""] * len(texts), texts, strict=False)
        ]
    return "\n".join(lines), not missing


def _base() -> list[str]:
    """Names of the packages the base install needs, as the checkout says or this package's own metadata."""
    project = files.root() / "pyproject.toml"
    if project.is_file():  # perhaps never installed, or installed before it asked for more
        lines = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    else:
        lines = requires("snnbook") or []
    return [re.match(r"[\w.-]+", line)[0] for line in lines if "extra ==" not in line]


def _missing() -> list[str]:
    return [name for name in _base() if _version(name) is None]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _snnbook() -> list[str]:
    from snnbook.experiments.runs import record
    from snnbook.experiments.tables import tables

    return [
        f"{__version__}, Python {platform.python_version()} ({sys.executable})",
        f"tables from {tables.folder()}; records in {record.folder().absolute()}",
    ]


def _packages(missing: list[str]) -> list[str]:
    found = [f"{name} {_version(name)}" for name in _base() if name not in missing]
    lines = [", ".join(found[start : start + 5]) for start in range(0, len(found), 5)]
    return lines + (
        [f"MISSING {', '.join(missing)}; get it: pip install {' '.join(missing)}"] if missing else []
    )


def _extras() -> list[str]:
    installed, lines = [], []
    for name, (purpose, modules) in EXTRAS.items():
        if missing := [module for module in modules if find_spec(module) is None]:
            locked = "make setup, or " if name not in UNLOCKED else ""
            way = f"get it: {locked}pip install -e '.[{name}]'"
            lines.append(f"{name} ({purpose}): missing {', '.join(missing)}; {way}")
        else:
            installed.append(f"{name} ({purpose})")
    return [f"installed: {', '.join(installed) or 'none'}", *lines]


def _device() -> list[str]:
    import torch

    from snnbook.experiments.runs.provenance import device_name, pick_device
    from snnbook.kernels import kernel_name
    from snnbook.precision import native

    device = pick_device()
    slow = device.type == "cpu" and not native(torch.bfloat16)
    half = "; bfloat16 is computed in float32, this CPU having no instructions for it" if slow else ""
    lines = [f"{device} ({device_name(device)}), kernel {kernel_name(device)}{half}"]
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        lines.append(f"GPU memory: {free / 2**30:.1f} of {total / 2**30:.1f} GiB free")
    elif device.type == "cpu":
        lines.append("no GPU: the quick profile is made for this; lab and paper want one")
    return [*lines, _threads()]


def _threads() -> str:
    """What a run here would have of the cores."""
    asked = os.environ.get("OMP_NUM_THREADS")
    most = (
        f"OMP_NUM_THREADS={asked} for every run" if asked else "one for a small network, as pays for others"
    )
    return f"threads: {most}; {threads.free()} of {threads.cores()} cores free; {threads.advice()}"


def _data(chosen: Path | None) -> list[str]:
    from snnbook import room
    from snnbook.data import cifar10_dvs, dvs_gesture, imagenet, nmnist, shd, stream
    from snnbook.data.location import PLACES, default_root, found, megabytes

    folder = (chosen or default_root()).absolute()
    lines = [
        "digits, digit_events: bundled with scikit-learn, nothing to download",
        f"others from {folder} (--data or SNNBOOK_DATA)",
    ]
    ask = "{} are downloaded by a run with --set data.download=true"
    sets = [(name, found(name, folder), ask.format(megabytes(name))) for name in PLACES]
    sets += [(name, imagenet.found(name, folder), imagenet.advice(name, folder)) for name in imagenet.FOLDERS]
    for source in (cifar10_dvs, nmnist, dvs_gesture):
        sets.append((source.__name__.rpartition(".")[2], source.found(folder), source.advice(folder)))
    sets += [(name, shd.found(name, folder), shd.advice(name, folder)) for name in shd.COUNTS]
    for name, there, advice in sets:
        lines.append(f"{name}: " + (f"found {there}" if there else f"not there; {advice}"))
    existing = next(place for place in [folder, *folder.parents] if place.exists())
    free = f"free disk: {shutil.disk_usage(existing).free / 2**30:.1f} GiB"
    streaming = f"data.stream: true reads from disk by {stream.workers()} workers (SNNBOOK_WORKERS)"
    lines.append(f"{room.show(room.at_hand())} of memory at hand; {free}; {streaming}")
    return lines


def _allocator(measured: bool) -> list[str]:
    """Which allocator is in use, and what it costs here."""
    from snnbook.trainers.loop import allocator

    before = allocator.block_seconds() if measured else None
    kept = allocator.keep_freed_memory()
    state = "kept while training" if kept else "treated as this allocator or SNNBOOK_MALLOC has it"
    lines = [f"{allocator.name()}; freed blocks are {state}"]
    if measured:
        lines[0] += f"; one of 64 MiB costs {1e3 * allocator.block_seconds():.1f} ms"
        lines[0] += f", and {1e3 * before:.1f} ms as this program found it" if kept else ""
    named = [f"{key}={value}" for key, value in sorted(os.environ.items()) if key.startswith("MALLOC_")]
    return lines + ([f"environment: {', '.join(named)}"] if named else [])
