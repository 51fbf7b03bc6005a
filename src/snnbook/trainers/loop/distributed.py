"""Several processes that train one method: each on its share of every batch, one of them speaking for all."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from snnbook.errors import UserError, one_line
from snnbook.trainers.loop import processes

T = TypeVar("T")

BACKENDS = {"cpu": "gloo", "cuda": "nccl"}
# The first process reads data, tests and measures while the others wait.  One that died is torchrun's to notice.
PATIENCE = timedelta(days=7)


@dataclass(frozen=True)
class World:
    """The processes of a run, and which of them this one is; by default there is no other.

    All processes call the same methods in the same order.

    Attributes:
        rank: this process, from 0.  The first one reads and writes files, and speaks.
        size: how many there are.
        backend: what carries tensors between them; None where there is one.
    """

    rank: int = 0
    size: int = 1
    backend: str | None = None

    @property
    def part(self) -> tuple[int, int]:
        """This process's share of every batch, as :func:`snnbook.data.batches` takes it."""
        return self.rank, self.size

    def decide(self, function: Callable[[], T]) -> T:
        """What ``function()`` returns in the first process, which alone calls it; see :func:`_packed`.

        Raises:
            UserError: in all processes, if it does.
        """
        if self.size == 1:
            return function()
        value, refused = None, None
        if self.rank == 0:
            try:
                value = function()
            except UserError as error:
                refused = str(error)
        content = _packed([value, refused]) if self.rank == 0 else torch.empty(0, dtype=torch.uint8)
        length = torch.tensor(len(content), device=self._carrier)
        dist.broadcast(length, 0)
        content = content.to(self._carrier) if self.rank == 0 else self._empty(int(length))
        dist.broadcast(content, 0)
        if self.rank:
            value, refused = _unpacked(content)
        if refused is not None:
            raise UserError(refused)
        return value

    def gather(self, value: T) -> list[T]:
        """``value`` of each process, in order; see :func:`_packed`."""
        if self.size == 1:
            return [value]
        content = _packed(value).to(self._carrier)
        lengths = [torch.zeros(1, dtype=torch.int64, device=self._carrier) for _ in range(self.size)]
        dist.all_gather(lengths, torch.tensor([len(content)], device=self._carrier))
        longest = max(map(int, lengths))
        found = [self._empty(longest) for _ in range(self.size)]
        dist.all_gather(found, torch.cat([content, self._empty(longest - len(content))]))
        return [_unpacked(one[: int(length)]) for one, length in zip(found, lengths, strict=True)]

    @property
    def _carrier(self) -> torch.device:
        """Where tensors have to be to be sent."""
        return torch.device("cuda" if self.backend == "nccl" else "cpu")

    def _empty(self, length: int) -> torch.Tensor:
        return torch.zeros(length, dtype=torch.uint8, device=self._carrier)

    def total(self, numbers: dict[str, float]) -> dict[str, float]:
        """The sums of numbers of equal name over all processes; a name that a process lacks counts 0 there.

        Names are texts or tuples of texts.
        """
        if self.size == 1:
            return dict(numbers)
        rows = self.gather([[name, value] for name, value in numbers.items()])
        found = [{tuple(k) if isinstance(k, list) else k: value for k, value in row} for row in rows]
        return {name: sum(x.get(name, 0) for x in found) for name in {k: None for x in found for k in x}}

    def mean(self, values: T) -> T:
        """The mean of numbers, or of each number in equal lists and dictionaries of them."""
        return _mean(self.gather(values)) if self.size > 1 else values

    def wrap(self, method: nn.Module, device: torch.device) -> nn.Module:
        """``method`` to be called for training: gradients become means over processes.

        All start with the first process's weights.
        """
        if self.size == 1:
            return method
        learner = DistributedDataParallel(
            method,
            device_ids=[device] if device.type == "cuda" else None,
            gradient_as_bucket_view=True,
            static_graph=True,  # parameters without a gradient, as of a switched-off term, are found once
        )
        learner.broadcast_buffers = False  # after the first time; see average_statistics
        return learner

    @torch.no_grad()
    def average_statistics(self, method: nn.Module) -> None:
        """Means over processes for the running statistics of layers in training.

        They are linear in what each step adds, so once before they are needed is as good as at every step.
        """
        if self.size == 1:
            return
        for module in method.modules():
            for buffer in module.buffers(recurse=False) if module.training else ():
                if buffer.is_floating_point():
                    dist.all_reduce(buffer)
                    buffer /= self.size

    def describe(self) -> dict:
        """For a run's record."""
        return {"processes": self.size} | ({"backend": self.backend} if self.size > 1 else {})


ALONE = World()


def _packed(value: Any) -> torch.Tensor:
    """``value`` as bytes of JSON: what a process is sent by another can be wrong, but it cannot run.

    Raises:
        UserError: something else than texts, numbers, truth values, None, and lists and dictionaries of them.
    """
    try:
        return torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"processes cannot send each other this ({one_line(error)[:100]}); expected numbers, texts, and lists "
            "and dictionaries of them"
        ) from None


def _unpacked(content: torch.Tensor) -> Any:
    return json.loads(content.cpu().numpy().tobytes())


def _mean(values: list) -> Any:
    first = values[0]
    if isinstance(first, dict):
        return {name: _mean([value[name] for value in values]) for name in first}
    if isinstance(first, list):
        return [_mean(list(column)) for column in zip(*values, strict=True)]
    return sum(values) / len(values)


@contextmanager
def join(device: torch.device) -> Iterator[tuple[World, torch.device]]:
    """Meet the other processes of a run, if ``torchrun`` started any; gives the world and this process's device.

    Args:
        device: a CPU, or a kind of GPU, of which each process takes its own.

    Raises:
        UserError: a node has fewer GPUs than processes, a device that cannot be shared out, or no place to meet.
    """
    size = processes.size()
    if size == 1:
        yield ALONE, device
        return
    device = _own(device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = BACKENDS[device.type]
    if processes.local_size() == size:
        _stay_on_this_machine()
    met = dist.is_initialized()  # processes can meet once
    if not met:
        try:
            dist.init_process_group(backend, timeout=PATIENCE)
        except (RuntimeError, ValueError) as error:
            raise UserError(
                f"processes cannot meet ({one_line(error)[:150]}); start them with torchrun, which says where"
            ) from None
    yield World(dist.get_rank(), dist.get_world_size(), dist.get_backend()), device
    if not met:
        dist.destroy_process_group()  # not after an error, when others may be gone


def _stay_on_this_machine() -> None:
    """Let processes of one node listen where no other machine can reach them, unless somebody chose a place."""
    loopback = next((name for _, name in socket.if_nameindex() if name in ("lo", "lo0")), None)
    if loopback:
        for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
            os.environ.setdefault(name, loopback)


def _own(device: torch.device) -> torch.device:
    if device.type not in BACKENDS or device.index is not None:
        raise UserError(
            f"device is {str(device)!r}, which processes cannot share out; expected 'cpu' or 'cuda', "
            "of which each process takes its own GPU"
        )
    if device.type == "cpu":
        return device
    count = torch.cuda.device_count()
    if processes.local_size() > count:
        raise UserError(
            f"{processes.local_size()} processes on a node with {count} GPUs; expected one process a GPU; "
            f"use torchrun --nproc-per-node {count}"
        )
    return torch.device("cuda", processes.local_rank())
