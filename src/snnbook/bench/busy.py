"""Two trainings at once on the cores of one, by what their idle threads do: the price of a busy machine."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import torch

from snnbook import threads
from snnbook.backbones import NetworkConfig
from snnbook.bench.measure import Step
from snnbook.bench.measurement import Measurement
from snnbook.trainers import Direct

STEPS = 8  # a training makes between two looks at the clock
WIDTH, TIME_STEPS, SIDE, BATCH = 8, 2, 16, 64
# What idle threads of libgomp do, by the environment that says so.  The last training has none.
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "libgomp's own": {},
    "GOMP_SPINCOUNT=20000": {"GOMP_SPINCOUNT": "20000"},
    f"GOMP_SPINCOUNT={threads.SPINS}": {"GOMP_SPINCOUNT": threads.SPINS},
    "GOMP_SPINCOUNT=500": {"GOMP_SPINCOUNT": "500"},
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}


class Peer:
    """A training in a process of its own, which makes steps when it is told to.

    Args:
        setting: of its environment; without one it has as many threads as there are cores.
    """

    def __init__(self, setting: Mapping[str, str]):
        kept = {name: value for name, value in os.environ.items() if name not in threads.SPINNING}
        # What the library sets when it is imported is taken back before torch is loaded.
        code = "import os; before = dict(os.environ); import snnbook; os.environ.clear(); "
        code += "os.environ.update(before); from snnbook.bench import busy; busy.work()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            env=kept | {"OMP_NUM_THREADS": str(threads.cores())} | setting,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def begin(self) -> None:
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def end(self) -> None:
        """Wait until its steps are made.

        Raises:
            RuntimeError: it ended instead.
        """
        if not self.process.stdout.readline():
            raise RuntimeError(f"a training ended with code {self.process.wait()}")

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


def work() -> None:
    """What a peer does: steps of a small spiking network, a handful each time a line comes."""
    network = NetworkConfig("resnet18", width=WIDTH, time_steps=TIME_STEPS)
    images, labels = torch.randn(BATCH, 3, SIDE, SIDE), torch.randint(10, (BATCH,))
    step = Step(Direct(Direct.Config(), network, 10), images, labels)
    for _ in sys.stdin:
        for _ in range(STEPS):
            step()
        print(flush=True)


def busy(device: torch.device) -> Iterator[Measurement]:
    """Steps of one training, and of two at once, by what idle threads do; on the CPU alone."""
    if device.type != "cpu":
        return
    with ExitStack() as stack:
        variants = {}
        for name, setting in SETTINGS.items():
            pair = [Peer(setting) for _ in range(2)]
            for peer in pair:
                stack.callback(peer.close)
            variants[f"{name}, alone"] = _together(pair[:1])
            variants[f"{name}, two at once"] = _together(pair)
        network = f"ResNet-18 step, width {WIDTH}, T = {TIME_STEPS}, batch {BATCH}, {SIDE}x{SIDE} images"
        title = f"{STEPS} steps each of one training or two, {threads.cores()} threads ({network})"
        yield Measurement(title, variants, (next(iter(variants)),))


def _together(peers: list[Peer]) -> Callable[[], None]:
    def step() -> None:
        for peer in peers:
            peer.begin()
        for peer in peers:
            peer.end()

    return step
