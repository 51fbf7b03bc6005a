"""The same step by the code of an earlier commit, in a process of its own that takes turns with this one."""

import io
import json
import os
import subprocess
import sys
import tarfile
import weakref
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

import snnbook
from snnbook.errors import UserError

# Before gradients of what stands still kept their layout, and with biases before BatchNorm.
COMMIT = "02ee4c6"
ROOT = Path(snnbook.__file__).parents[2]
# Runs on the code of that commit: a step for each line it is sent.
CODE = """
import json, sys, torch
from snnbook.backbones import NetworkConfig
from snnbook.bench.groups import _batch, _spiking
from snnbook.trainers.loop import allocator

network, batch, device, threads = json.loads(sys.argv[1])
allocator.keep_freed_memory()
torch.set_num_threads(threads)
step = _spiking(NetworkConfig(**network), *_batch(batch, torch.device(device)), dtype=torch.bfloat16)
for line in sys.stdin:
    step()
    if device != "cpu":
        torch.cuda.synchronize()
    print("done", flush=True)
"""


def unavailable() -> str | None:
    """Why that commit cannot be run here; None if it can."""
    try:
        _git("cat-file", "-e", f"{COMMIT}^{{commit}}")
    except (OSError, subprocess.CalledProcessError):
        return f"commit {COMMIT} is not here; a clone of the repository has it"
    return None


class Earlier:
    """A step in bfloat16, for each call.

    Args:
        network: settings of a network.
        batch: images.
        device: where to train.

    Raises:
        UserError: in a call, if that process ended.
    """

    def __init__(self, network: dict, batch: int, device: torch.device):
        folder = TemporaryDirectory()
        with tarfile.open(fileobj=io.BytesIO(_git("archive", "--format=tar", COMMIT, "src"))) as archive:
            archive.extractall(folder.name, filter="data")
        arguments = json.dumps([network, batch, str(device), torch.get_num_threads()])
        self.process = subprocess.Popen(
            [sys.executable, "-c", CODE, arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(folder.name) / "src")},
        )
        self.close = weakref.finalize(self, _end, self.process, folder)

    def __call__(self) -> None:
        try:
            self.process.stdin.write("step\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except OSError:
            answer = ""
        if answer != "done\n":
            raise UserError(f"the code of commit {COMMIT} ended; its last words are above")


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=True).stdout


def _end(process: subprocess.Popen, folder: TemporaryDirectory) -> None:
    process.stdin.close()
    process.stdout.close()
    process.wait()
    folder.cleanup()
