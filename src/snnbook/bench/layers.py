"""Where the time of a training step goes, layer by layer: each of torch's operations is timed and has an owner.

In the forward pass that is the layer being called; in the backward pass the layer whose operation is undone, which
torch numbers in the order of the forward pass.
"""

import time
from bisect import bisect_left
from collections.abc import Callable
from contextlib import ExitStack

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from snnbook.bench.measure import Step

BETWEEN = "between layers"


def layer_times(step: Step, rounds: int = 3, synchronize: Callable[[], None] = lambda: None) -> list[dict]:
    """Seconds a step of each layer, in the order of the first call, what is between them, and the optimizer.

    Args:
        step: one that is not compiled.
        rounds: steps to take the mean of, after one that is not counted.
        synchronize: waits for a device.

    Returns:
        ``{"layer": name, "kind": class, "forward": seconds, "backward": seconds}`` each.
    """
    step()
    rows: dict[str, dict] = {}
    for _ in range(rounds):
        watch = _Watch(step.method, rows, synchronize)
        with watch:
            loss = step.loss()
        step.optimizer.zero_grad(set_to_none=True)
        with watch:
            loss.backward()
        synchronize()
        start = time.perf_counter()
        step.optimizer.step()
        synchronize()
        watch.add("optimizer", type(step.optimizer).__name__, "forward", time.perf_counter() - start)
    return [{**row, **{k: row[k] / rounds for k in ("forward", "backward")}} for row in rows.values()]


def by_kind(rows: list[dict]) -> dict[str, float]:
    """Shares of the whole of each kind of layer and direction, largest first."""
    times: dict[str, float] = {}
    for row in rows:
        for way in ("forward", "backward"):
            name = row["kind"] if row["layer"] in ("optimizer", BETWEEN) else f"{row['kind']} {way}"
            times[name] = times.get(name, 0) + row[way]
    whole = sum(times.values())
    return {name: t / whole for name, t in sorted(times.items(), key=lambda item: -item[1]) if t}


class _Watch(TorchDispatchMode):
    def __init__(self, method: nn.Module, rows: dict[str, dict], synchronize: Callable[[], None]):
        super().__init__()
        self.rows, self.synchronize = rows, synchronize
        self.inside: list[tuple[str, str]] = []  # the layers being called
        # Numbers of the operations at which another layer's turn began, and that layer, in order.
        self.numbers: list[int] = []
        self.owners: list[tuple[str, str]] = []
        self.leaves = {m: name for name, m in method.named_modules() if not any(m.children())}

    def add(self, layer: str, kind: str, way: str, seconds: float) -> None:
        row = self.rows.setdefault(layer, {"layer": layer, "kind": kind, "forward": 0.0, "backward": 0.0})
        row[way] += seconds

    def turn(self) -> None:
        self.numbers.append(torch.autograd._get_sequence_nr())
        self.owners.append(self.inside[-1] if self.inside else (BETWEEN, BETWEEN))

    def enter(self, module: nn.Module, _) -> None:
        self.inside.append((self.leaves[module], type(module).__name__))
        self.turn()

    def leave(self, *_) -> None:
        self.inside.pop()
        self.turn()

    def __enter__(self):
        self.hooks = ExitStack()
        for module in self.leaves:
            self.hooks.callback(module.register_forward_pre_hook(self.enter).remove)
            self.hooks.callback(module.register_forward_hook(self.leave).remove)
        self.synchronize()
        return super().__enter__()

    def __exit__(self, *error):
        self.hooks.close()
        return super().__exit__(*error)

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        node = torch._C._current_autograd_node()
        if node is None:
            owner, way = self.inside[-1] if self.inside else (BETWEEN, BETWEEN), "forward"
        else:
            at = bisect_left(self.numbers, node._sequence_nr() + 1) - 1
            owner, way = self.owners[at] if 0 <= at < len(self.owners) else (BETWEEN, BETWEEN), "backward"
            if "AccumulateGrad" in node.name():
                owner = BETWEEN, BETWEEN
        start = time.perf_counter()
        result = operation(*args, **(kwargs or {}))
        self.synchronize()
        self.add(*owner, way, time.perf_counter() - start)
        return result
