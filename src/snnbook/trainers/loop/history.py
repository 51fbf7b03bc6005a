"""What happened in a training, epoch by epoch."""

from dataclasses import dataclass, field
from math import isfinite
from statistics import median
from typing import Any

from snnbook.checks import shown
from snnbook.errors import UserError

CURVES = ("losses", "accuracy", "test_losses")
TICK = 1 / 64  # seconds that a clock may miss: that of processors on Windows counts in such steps


@dataclass
class History:
    """What happened, one entry an epoch; of tests, one a test.

    Attributes:
        losses: each named loss term, mean over the epoch's steps; 0 where a term is not asked for.
        tested: the epochs after which there was a test, counted from 1.
        accuracy: each network's accuracy on the test set, in percent.
        test_losses: losses on the test set by name, of methods that ask for them with ``test_losses``.
        seconds: time of the epoch's training steps, without the test; on a CPU that of its cores, by thread, so
            that what else they do does not count.
        images: training images seen in the epoch.
        notes: what a method's ``notes()`` and ``fit``'s ``note`` say of the epoch, by name: numbers and lists
            of them.
    """

    losses: dict[str, list[float]] = field(default_factory=dict)
    tested: list[int] = field(default_factory=list)
    accuracy: dict[str, list[float]] = field(default_factory=dict)
    test_losses: dict[str, list[float]] = field(default_factory=dict)
    notes: dict[str, list[Any]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    images: list[int] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        return len(self.seconds)

    @property
    def images_per_second(self) -> float:
        """Median over epochs: the first one pays for warming up."""
        return median(n / (s or TICK) for n, s in zip(self.images, self.seconds, strict=True))

    def check(self, epochs: int) -> None:
        """Raise a ValueError unless the curves are those of a training of ``epochs`` epochs, or its first ones."""
        done = len(self.seconds) if isinstance(self.seconds, list) else -1
        tests = len(self.tested) if isinstance(self.tested, list) else -1
        lengths = {"seconds": (done, float), "images": (done, int), "tested": (tests, int)}
        curves = {f"{part}.{name}": values for part in CURVES for name, values in vars(self)[part].items()}
        for name, values in ({key: vars(self)[key] for key in lengths} | curves).items():
            length, kind = lengths.get(name, (done if name.startswith("losses") else tests, int | float))
            whole = isinstance(values, list) and len(values) == length
            if not whole or not all(isinstance(value, kind) and isfinite(value) for value in values):
                raise ValueError(f"history.{name} is not a list of {length} numbers")
        if not 0 < done <= epochs:
            raise ValueError(f"history has {done} epochs of {epochs}")
        if self.tested != sorted(set(self.tested)) or not all(0 < epoch <= done for epoch in self.tested):
            raise ValueError("history.tested is no list of epochs done")
        if not all(isinstance(values, list) and len(values) <= done for values in self.notes.values()):
            raise ValueError("history.notes are not lists of at most an entry an epoch")

    def trained(self, losses: dict[str, float], seconds: float, images: int) -> None:
        """An epoch of training is over."""
        for name in {**self.losses, **losses}:
            self.losses.setdefault(name, [0.0] * self.epochs).append(losses.get(name, 0.0))
        self.seconds.append(seconds)
        self.images.append(images)

    def note(self, notes: dict[str, Any]) -> None:
        """What was worth keeping of it."""
        _append(self.notes, notes)

    def test(self, accuracy: dict[str, float], losses: dict[str, float]) -> None:
        """The test after it, if there was one.

        Raises:
            UserError: other names than in the tests before.
        """
        for what, curves, values in (
            ("predict", self.accuracy, accuracy),
            ("test_losses", self.test_losses, losses),
        ):
            if self.tested and curves.keys() != values.keys():
                before, now = (", ".join(names) or "none" for names in (curves, values))
                raise UserError(
                    f"the method's {what} gave {now} in epoch {self.epochs} and {before} before; "
                    "expected the same names in each test"
                )
            _append(curves, values)
        self.tested.append(self.epochs)


def plain(value: Any) -> Any:
    """Notes in Python's own numbers, texts, lists and dictionaries, which alone are read from a checkpoint again.

    Raises:
        UserError: something else is among them than these, and NumPy's and torch's numbers.
    """
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise UserError(f"an epoch's notes hold {shown(value)}; expected numbers and lists of them")


def _append(curves: dict[str, list[Any]], values: dict[str, Any]) -> None:
    for name, value in values.items():
        curves.setdefault(name, []).append(value)
