"""Where a number was made: machine, versions, code."""

import hashlib
import os
import platform
import subprocess
from pathlib import Path

import snnbook
from snnbook import files
from snnbook.errors import UserError


def pick_device(name: str = "auto"):
    """The torch device called ``name``; ``auto`` is a CUDA GPU, else Apple's, else the CPU.

    Raises:
        UserError: torch knows no such device, or it is not here.
    """
    import torch

    present = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if present[kind]))
    here = [kind for kind, count in present.items() if count]
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"no device {name!r}; expected auto, {', '.join(here)}, or cuda:<number>") from None
    if (device.index or 0) >= present.get(device.type, 0):
        raise UserError(f"device {name!r} is not here; use one of {', '.join(here)}, or auto")
    return device


def device_name(device) -> str:
    """What the device is sold as."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpu = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        lines = information.read_text(errors="replace").splitlines()
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        cpu = models[0] if models else cpu
    return f"Apple GPU ({cpu})" if device.type == "mps" else cpu


def instructions() -> str:
    """Those of this CPU that decide how a run is computed, ``AVX512 without bfloat16`` for instance."""
    import torch

    from snnbook.precision import native

    found = torch.backends.cpu.get_cpu_capability()
    return found if found != "AVX512" or native(torch.bfloat16) else f"{found} without bfloat16"


def environment(device, precision: str) -> dict:
    """The part of a record that says on what it was computed."""
    import torch

    from snnbook.kernels import kernel_name

    cpu = {"instructions": instructions()} if device.type == "cpu" else {}
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": f"{platform.system()} {platform.machine()}",
        "device": device_name(device),
        "device_type": device.type,
        **cpu,
        "threads": torch.get_num_threads(),
        "kernel": kernel_name(device),
        "precision": precision,
    }


def code() -> dict:
    """Version, commit (None outside a git checkout) and a hash of the package's Python files.

    The commit ends in ``+changes`` when the package or the tables differ from it; the hash tells them apart.
    """
    return {"version": snnbook.__version__, "commit": _commit(), "tree": tree()}


def tree() -> str:
    """A hash of the package's Python files: equal hashes, equal code."""
    package = Path(snnbook.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _commit() -> str | None:
    root = files.root()
    if not (root / ".git").exists():
        return None

    def git(*arguments: str) -> str | None:
        command = ["git", "-C", os.fspath(root), *arguments]
        try:
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):  # no git here, or no commit yet
            return None

    commit = git("rev-parse", "--short=12", "HEAD")
    return f"{commit}+changes" if commit and git("status", "--porcelain", "src", "experiments") else commit
