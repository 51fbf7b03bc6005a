"""What one GPU can show in a few minutes: whether kernels agree, how fast a step is, and the desk's rows.

It needs the base install alone, neither Jupyter nor Snakemake, and never takes longer than it is told:

    PYTHONPATH=src python workflow/gpu.py DATA --results FOLDER --minutes 12

Rows come by what decides most, seed by seed, several at a time, since small networks leave most of a card idle.
What is cut off keeps its checkpoint and goes on at the next call; records that stand are not made again.
"""

import argparse
import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import torch

from snnbook.experiments.matrix import plan
from snnbook.experiments.runs.provenance import pick_device
from snnbook.kernels import Dynamics
from snnbook.kernels.reference import lif_reference
from snnbook.kernels.triton import lif_triton

TABLES = (
    "joint-table4",
    "one-protocol",
    "tet-table3-cifar100",
    "tet-table1",
    "tet-table4",
    "tet-figure4",
    "tet-figure6",
)
GROUPS = ("layer", "step", "joint", "rows")
BENCH = 0.25  # of the time, at most
GRAPHS = 0.15
TESTS = Path(__file__).resolve().parents[1] / "tests"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, help="folder with cifar10 and cifar100")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--work", type=Path, default=Path("runs"))
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--at-once", type=int, default=8, help="rows that share the card")
    parser.add_argument("--tables", nargs="+", default=TABLES)
    parser.add_argument("--profile", default="desk")
    parser.add_argument("--groups", nargs="*", default=GROUPS, help="of the bench")
    chosen = parser.parse_args()
    end = time.monotonic() + 60 * chosen.minutes
    sys.path.insert(0, str(TESTS))
    device = pick_device()
    agree = parity(device)
    agree &= graphs(device, end)
    bench(chosen, end)
    left = rows(chosen, end)
    print(f"gpu: {left} rows left" if left else "gpu: all rows have their records")
    return 0 if agree else 1


def parity(device: torch.device) -> bool:
    """Whether the fused kernel equals the reference on ``device``, for each surrogate, reset and precision."""
    if device.type != "cuda":
        print("parity: no CUDA here")
        return True
    from kernel_cases import SURROGATES, run

    wrong = 0
    for surrogate, hard, dtype in itertools.product(
        SURROGATES, (True, False), (torch.float32, torch.bfloat16)
    ):
        current, weight = ((torch.randn(4, 64, 33, 17, device=device) * 8).round() / 8 for _ in range(2))
        dynamics, decay = Dynamics(0.5, surrogate, False, hard, False), torch.tensor(0.5, device=device)
        expected = run(lif_reference, current, dynamics, decay, weight)
        got = run(lif_triton, current.to(dtype), dynamics, decay, weight.to(dtype))
        spikes = int((got[0].float() != expected[0]).sum())
        gradient = float((got[1].float() - expected[1]).abs().max())
        bad = spikes > 0 or not gradient <= (1e-5 if dtype == torch.float32 else 0.1)  # nor NaN
        wrong += bad
        print(
            f"parity: {type(surrogate).__name__}, {'hard' if hard else 'soft'} reset, {dtype}: "
            f"{spikes} spikes differ, gradients by at most {gradient:.1e}{'  WRONG' if bad else ''}"
        )
    return not wrong


def graphs(device: torch.device, end: float) -> bool:
    """Whether steps in CUDA graphs give the numbers of compiled ones without, and what either costs.

    In a process of its own: compiling may take long, or fail where there is no C compiler, and rows are to come.
    """
    if device.type != "cuda":
        print("graphs: no CUDA here")
        return True
    try:
        done = subprocess.run(
            [sys.executable, TESTS / "graph_cases.py"], timeout=GRAPHS * (end - time.monotonic())
        )
    except subprocess.TimeoutExpired:
        print("graphs: their share of the time is over")
        return True
    return done.returncode == 0


def bench(chosen: argparse.Namespace, end: float) -> None:
    """The groups that speak of a GPU, as long as their share of the time lasts."""
    if not chosen.groups:
        return
    command = [sys.executable, "-m", "snnbook", "bench", *chosen.groups, "--results", chosen.results]
    try:
        subprocess.run(list(map(str, command)), timeout=BENCH * (end - time.monotonic()))
    except subprocess.TimeoutExpired:
        print("bench: its share of the time is over")


def rows(chosen: argparse.Namespace, end: float) -> int:
    """Run what has no record until ``end``; returns how many rows are left."""
    tasks = plan.matrix(chosen.profile, chosen.tables, (), chosen.results, chosen.work, chosen.data)
    waiting = plan.steps(tasks)
    running: dict[str, subprocess.Popen] = {}
    done: set[str] = set()
    failed: set[str] = set()
    names = {step.name for step in waiting}
    while (waiting or running) and time.monotonic() < end:
        for name, process in list(running.items()):
            if process.poll() is not None:
                del running[name]
                (failed if process.returncode else done).add(name)
                print(f"rows: {name} {'FAILED' if process.returncode else 'done'}", flush=True)
        waiting = [step for step in waiting if not failed & set(step.after)]
        ready = [step for step in waiting if done >= set(step.after) & names]
        for step in ready[: chosen.at_once - len(running)]:
            waiting.remove(step)
            running[step.name] = subprocess.Popen(
                command(chosen, step), env=os.environ | {"OMP_NUM_THREADS": "2"}
            )
        time.sleep(0.2)
    for process in running.values():
        process.terminate()
    for process in running.values():
        process.wait()
    return len(names - done)


def command(chosen: argparse.Namespace, step: plan.Step) -> list[str]:
    words = [
        sys.executable,
        "-m",
        "snnbook",
        "run",
        step.row,
        "--seed",
        *step.seeds,
        "--profile",
        chosen.profile,
    ]
    words += ["--bare", "--quiet", "--weights", "--data", chosen.data]
    words += ["--results", chosen.results, "--work", chosen.work]
    return list(map(str, words))


if __name__ == "__main__":
    sys.exit(main())
