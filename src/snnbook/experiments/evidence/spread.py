"""How far apart runs of one row are: over seeds, and with the same seeds under other conditions.

Runs under other conditions (more threads, another device, another precision) lie in ``results/others``, a folder
for each condition, laid out as any results folder.
"""

from dataclasses import dataclass
from pathlib import Path
from statistics import median

from snnbook.experiments.evidence import paired
from snnbook.experiments.evidence.beside import Reproduction
from snnbook.experiments.evidence.paired import Estimate
from snnbook.experiments.evidence.receipt import receipt
from snnbook.experiments.evidence.report import NETWORKS
from snnbook.experiments.runs import record
from snnbook.experiments.runs.record import Statistic
from snnbook.experiments.tables import settings as merging
from snnbook.experiments.tables import tables

ASPECTS = ("device", "instructions", "threads", "precision", "torch", "python", "platform")
FEWEST = 3  # seeds of a row whose spread counts


@dataclass(frozen=True)
class SeedSpread:
    """Standard deviations over seeds of the rows of one table, in points of accuracy."""

    table: str
    network: str
    rows: dict[str, Statistic]

    @property
    def median(self) -> float:
        return median(found.std for found in self.rows.values())

    @property
    def least(self) -> str:
        """The row whose seeds agree most."""
        return min(self.rows, key=lambda run: self.rows[run].std)

    @property
    def largest(self) -> str:
        """The row whose seeds agree least."""
        return max(self.rows, key=lambda run: self.rows[run].std)


def seeds(profile: str = "desk", results: Path | None = None) -> list[SeedSpread]:
    """By table and network, over the rows it trains that have at least three seeds."""
    found = []
    for name in tables.names():
        table = tables.load(name)
        for network in NETWORKS:
            rows = {}
            for row in table.rows:
                run = f"{table.id}/{row.id}"
                made = [] if row.same else record.of(run, profile, results)
                if len(made) >= FEWEST and all(network in one.metrics for one in made):
                    rows[run] = record.statistic(made, f"{network}.last")
            if rows:
                found.append(SeedSpread(table.id, network, rows))
    return found


@dataclass(frozen=True)
class Condition:
    """One run under another condition, beside the book's runs of the same seeds.

    Attributes:
        name: of its folder.
        differs: what is different, ``aspect: the book's, here``; by aspect or setting.
        reproduction: the two.
        estimate: the difference by seed, here less the book's; None if they share none.
    """

    name: str
    differs: dict[str, tuple[str, str]]
    reproduction: Reproduction
    estimate: Estimate | None

    @property
    def identical(self) -> bool:
        """Whether every shared seed went the same way, digit for digit."""
        return bool(self.reproduction.shared) and all(a.curve == b.curve for a, b in self.reproduction.shared)


def conditions(results: Path | None = None) -> list[Condition]:
    """All that lie in ``results/others``, compared with the records in ``results`` (the project's by default)."""
    book = Path(results or record.folder())
    folders = sorted(path for path in (book / "others").glob("*") if path.is_dir())
    found = []
    for folder in folders:
        for reproduction in receipt(folder, book=book).reproductions:
            if reproduction.book:
                found.append(
                    Condition(folder.name, _differs(reproduction), reproduction, _estimate(reproduction))
                )
    return found


def _estimate(reproduction: Reproduction) -> Estimate | None:
    key, shared = reproduction.key, reproduction.shared
    values = {here.seed: here.value(key) - there.value(key) for here, there in shared}
    return paired.Estimate(values, tuple(one for pair in shared for one in pair)) if values else None


def _differs(reproduction: Reproduction) -> dict[str, tuple[str, str]]:
    here, book = (reproduction.shared or [(reproduction.theirs[0], reproduction.book[0])])[0]
    pairs = {name: (book.environment.get(name), here.environment.get(name)) for name in ASPECTS}
    if here.asked != book.asked:
        changed = {key: (old, new) for key, old, new in merging.changes(book.config, here.config)}
        pairs |= {key: pair for key, pair in changed.items() if key.rpartition(".")[2] not in ASPECTS}
    found = {name: tuple(map(_said, pair)) for name, pair in pairs.items() if pair[0] != pair[1]}
    if not found and any(a.curve != b.curve for a, b in reproduction.shared):
        found["code"] = (str(book.code["commit"]), str(here.code["commit"]))  # all else is equal
    return found


def _said(value: object) -> str:
    return "not recorded" if value is None else str(value)
