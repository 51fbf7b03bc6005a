"""Paired differences with a label each, as a forest plot shows them: claims of the papers, or a table's rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snnbook.experiments.evidence import claims, judge, learned, paired
from snnbook.experiments.evidence.claims import Claim
from snnbook.experiments.evidence.judge import UNLEARNED
from snnbook.experiments.evidence.paired import Estimate, Term
from snnbook.experiments.runs import record
from snnbook.experiments.tables import tables

KEYS = ("snn.last", "ann.last")


@dataclass(frozen=True)
class Comparison:
    """One line of :func:`snnbook.plots.forest`.

    Attributes:
        label: what is compared: ``TET over SDT``.
        on: what it was found on, and the profile.
        estimate: the difference over seeds, in points of test accuracy.
        word: a verdict's, see :mod:`.judge`; none where nothing is claimed, unless a network did not learn.
        size: the difference in the paper.
    """

    label: str
    on: str
    estimate: Estimate
    word: str = ""
    size: float | None = None

    def text(self) -> str:
        """``TET over SDT: +1.2 ± 0.4 points, holds (digits, ..., 20 seeds, desk profile)``."""
        said = f", {self.word}" if self.word else ""
        return f"{self.label}: {self.estimate.text()} points{said} ({self.on})"


def of_claims(names: Sequence[str] = (), results: Path | None = None) -> list[Comparison]:
    """The claims called ``names`` that have records, by the strongest there are.

    Args:
        names: by default all that say of two accuracies that they differ, see :func:`principal`.
        results: folder of records; the project's by default.

    Raises:
        UserError: no such claim, or a damaged record.
    """
    chosen = [claims.find(name) for name in names] if names else principal()
    verdicts = [judge.best(claim, results) for claim in chosen]
    return [
        Comparison(
            label(v.claim.terms, v.claim.relation) + (" (exploratory)" if v.claim.exploratory else ""),
            _on(v.on(), v.profile),
            v.estimate,
            v.word,
            v.claim.size,
        )
        for v in verdicts
        if v.estimate
    ]


def principal() -> list[Claim]:
    """The claims whose test is one accuracy less another, with a direction."""
    found = [claim for claim in claims.load() if claim.about == "accuracy" and claim.relation in ("<", ">")]
    return [claim for claim in found if _is_difference(claim.terms)]


def of_table(
    table: str, against: str, profile: str, key: str = "snn.last", results: Path | None = None
) -> list[Comparison]:
    """Each row of a table less the row ``against``, where both have records in ``profile``.

    Raises:
        UserError: no such table or row, or a damaged record.
    """
    made = {row.id: record.of(f"{table}/{row.id}", profile, results) for row in tables.load(table).rows}
    tables.load(table).row(against)
    found = []
    for row in tables.load(table).rows:
        both = (made[row.id], made[against])
        if row.id == against or not all(both) or not all(one.has(key) for these in both for one in these):
            continue
        terms = (Term(1.0, f"{table}/{row.id}", key), Term(-1.0, f"{table}/{against}", key))
        if estimate := paired.estimate(terms, profile, results):
            word = UNLEARNED if learned.faults(estimate.records) else ""
            early = f" ({estimate.count})" if estimate.n < estimate.planned else ""
            where = _on(judge.place(estimate.records), profile)
            found.append(Comparison(row.label + early, where, estimate, word))
    return found


def label(terms: Sequence[Term], relation: str = ">") -> str:
    """Of a difference of two accuracies, its rows as their tables call them: ``T = 2: TET over SDT``.

    ``relation``: of a claim; "below" stands in the place of "over" where the first is claimed to be less accurate.
    """
    first, second = (_named(term).split(", ") for term in sorted(terms, key=lambda term: -term.factor))
    shared = [part for part in first if part in second]
    own = [[part for part in parts if part not in shared] for parts in (first, second)]
    if not all(own):  # one is called as the other, and more
        shared, own = [], [first, second]
    over = (" below " if relation == "<" else " over ").join(", ".join(parts) for parts in own)
    return f"{', '.join(shared)}: {over}" if shared else over


def _named(term: Term) -> str:
    run = term.run.partition("+")[0]
    table, name = run.split("/")
    shown = tables.load(table).row(name).label
    trains = tables.find(run)[1].sections.get("method", {}).get("train")
    alone = trains is not None and trains.value == "ann"  # then its name says so
    return f"{shown} (ANN)" if term.key.startswith("ann") and not alone else shown


def _is_difference(terms: Sequence[Term]) -> bool:
    return sorted(term.factor for term in terms) == [-1, 1] and all(term.key in KEYS for term in terms)


def _on(setting: str, profile: str) -> str:
    return f"{setting}, {profile} profile"
