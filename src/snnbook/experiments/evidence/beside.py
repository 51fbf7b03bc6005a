"""A reader's runs of a row beside the book's: what is expected of them if only seeds differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import mean, stdev

from snnbook.experiments.evidence import paired
from snnbook.experiments.runs.record import Record
from snnbook.experiments.tables import settings as merging

SAME = "the same, digit for digit"
AS_SEEDS = "as far apart as seeds are"
FURTHER = "further apart than seeds are"
ALONE = "nothing to compare with"
ONE = "the book has one seed, so no spread to compare with"
COPIED = "a copy of the book's record"


@dataclass(frozen=True)
class Reproduction:
    """One network of one run, theirs and the book's; ``key`` is the number compared."""

    run: str
    profile: str
    network: str
    theirs: tuple[Record, ...]
    book: tuple[Record, ...]
    key: str

    @cached_property
    def own(self) -> tuple[Record, ...]:
        """Theirs without copies of the book's."""
        return tuple(one for one in self.theirs if not any(copied(one, other) for other in self.book))

    @cached_property
    def judged(self) -> tuple[Record, ...]:
        """Their own runs of seeds that the book has not, if there are any: others are no new draws."""
        seeds = {made.seed for made in self.book}
        return tuple(one for one in self.own if one.seed not in seeds) or self.own

    @cached_property
    def values(self) -> tuple[list[float], list[float]]:
        """Of the runs that are judged, and of the book's."""
        return tuple([made.value(self.key) for made in side] for side in (self.judged, self.book))

    @property
    def difference(self) -> float | None:
        """Theirs less the book's, of the means."""
        theirs, book = self.values
        return mean(theirs) - mean(book) if theirs and book else None

    @property
    def expected(self) -> float | None:
        """How far apart the two means are in 95 % of cases if only seeds differ; None for one seed of the book's.

        The prediction interval of a mean of ``m`` runs given ``n`` others: t times s times sqrt(1/m + 1/n).
        """
        theirs, book = self.values
        if len(book) < 2 or not theirs:
            return None
        return paired.student(len(book) - 1) * stdev(book) * (1 / len(theirs) + 1 / len(book)) ** 0.5

    @property
    def each(self) -> float | None:
        """How far the farthest of their runs lies from the book's mean in 95 % of cases, or less (Bonferroni)."""
        theirs, book = self.values
        if len(book) < 2 or not theirs:
            return None
        share = (1 - paired.CONFIDENCE) / len(theirs)
        return paired.student(len(book) - 1, 1 - share) * stdev(book) * (1 + 1 / len(book)) ** 0.5

    @property
    def shared(self) -> list[tuple[Record, Record]]:
        """Runs of the same seed, theirs and the book's."""
        by_seed = {made.seed: made for made in self.book}
        return [(made, by_seed[made.seed]) for made in self.own if made.seed in by_seed]

    @property
    def apart(self) -> float | None:
        """The largest distance between two runs of the same seed; None if there are none."""
        return max((abs(a.value(self.key) - b.value(self.key)) for a, b in self.shared), default=None)

    @property
    def word(self) -> str:
        """The verdict: on their mean, and on the run that lies farthest from the book's."""
        if not self.book:
            return ALONE
        if not self.own:
            return COPIED
        if len(self.shared) == len(self.own) and all(a.curve == b.curve for a, b in self.shared):
            return SAME
        if self.expected is None:
            return ONE
        theirs, book = self.values
        farthest = max(abs(value - mean(book)) for value in theirs)
        return AS_SEEDS if abs(self.difference) <= self.expected and farthest <= self.each else FURTHER

    def differences(self) -> list[str]:
        """Settings and data that are not the book's, of any run or of one that it needed."""
        found = [text for one in self.theirs for text in _differences(one, self.book[0])] if self.book else []
        return list(dict.fromkeys(found))


def copied(one: Record, other: Record) -> bool:
    """Whether two records tell of one and the same training: no two take the same time to the last digit."""
    return one.cost["seconds"] == other.cost["seconds"]


def _differences(one: Record, other: Record) -> list[str]:
    found = []
    if one.asked != other.asked:
        found += _changed("", one.config, other.config) + _needed("", one.needs, other.needs)
    for key in ("fingerprint", "train", "test"):
        if one.data.get(key) != other.data.get(key):
            found.append(f"data.{key} is {one.data.get(key)!r}, the book's {other.data.get(key)!r}")
    return found


def _needed(before: str, theirs: Sequence[dict], book: Sequence[dict]) -> list[str]:
    ours = {need["run"]: need for need in book}
    names = [need["run"] for need in theirs]
    if set(names) != set(ours):
        sides = (", ".join(side) or "no other run" for side in (names, ours))
        return [before + "started from {}, the book's from {}".format(*sides)]
    found = []
    for need in theirs:
        head, other = f"{before}{need['run']}: ", ours[need["run"]]
        found += _changed(head, need["config"], other["config"]) + _needed(
            head, need["needs"], other["needs"]
        )
    return found


def _changed(before: str, theirs: dict, book: dict) -> list[str]:
    found = merging.changes(book, theirs)
    return [f"{before}{key} is {new!r}, the book's {old!r}" for key, old, new in found]
