"""What the papers claim, each a test over run records with a verdict: ``experiments/ledgers/claims.yaml``.

A test is an expression of :mod:`snnbook.experiments.evidence.paired`, a relation and a number::

    joint-table4/all:snn.last - joint-table4/snn:snn.last > 0
    tet-table2/tet-k1:snn.last - tet-table2/sdt-k1:snn.last within 1

``>`` and ``<`` ask for a direction; ``within`` asks whether the expression is that near to zero.  A claim holds if
the 95 % interval of the expression's mean over seeds lies where the test says, does not hold if it lies wholly
elsewhere, and is undecided otherwise.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from snnbook.checks import shown
from snnbook.errors import UserError
from snnbook.experiments.evidence import grid, ledger, paired
from snnbook.experiments.evidence.paired import Estimate, Term
from snnbook.experiments.tables import config

HOLDS, FAILS, UNDECIDED, NOT_RUN = WORDS = ("holds", "does not hold", "undecided", "not run")
RELATIONS = (">", "<", "within")
COLUMNS = ("claim", "paper", "ours", "n", "unit", "verdict", "why", "source")


@dataclass(frozen=True)
class Claim:
    """One entry of the ledger.

    Attributes:
        id, paper: its name, and whose it is.
        says: the claim, in our words.
        source: where in the paper.
        test: an expression, a relation and a number.
        size: the expression's value in the paper; by default worked out from the numbers of its tables.
        unit, digits: of the expression, and how many decimals are shown.
        note: shown below the claim.
        waits: instead of a test, why there is none.

    Raises:
        UserError: a test that cannot be read or names no known run, or neither test nor ``waits``.
    """

    id: str
    paper: str
    says: str
    source: str
    test: str = ""
    size: float | None = None
    unit: str = "points"
    digits: int = 1
    note: str = ""
    waits: str = ""
    terms: tuple[Term, ...] = field(init=False, default=())
    relation: str = field(init=False, default="")
    margin: float = field(init=False, default=0.0)

    def __post_init__(self):
        if bool(self.test) == bool(self.waits):
            raise UserError(
                f"claim {self.id!r} has {'both' if self.test else 'neither'} test and waits; expected one"
            )
        terms, relation, margin = _read(self.test) if self.test else ((), "", 0.0)
        size = paired.in_paper(terms) if self.size is None and terms else self.size
        for name, value in dict(terms=terms, relation=relation, margin=margin, size=size).items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Verdict:
    """What the records of one profile say of a claim.  ``why``: for "undecided" and "not run" the reason."""

    claim: Claim
    profile: str
    word: str
    estimate: Estimate | None
    why: str = ""

    def ours(self) -> str:
        """The expression's mean over seeds and half its interval, or "not run"."""
        return self.estimate.text(self.claim.digits) if self.estimate else NOT_RUN


def load() -> list[Claim]:
    """All claims, in the order they are written; errors as of :func:`.ledger.load`."""
    return ledger.load("claims", Claim)


def find(name: str) -> Claim:
    """The claim ``name``.

    Raises:
        UserError: there is none; the message names the nearest.
    """
    known = {claim.id: claim for claim in load()}
    if name not in known:
        raise UserError(f"no claim {shown(name)}; {config.nearest(name, known, 'snnbook claims')}")
    return known[name]


def judge(claim: Claim, profile: str = "quick", results: Path | None = None) -> Verdict:
    """The verdict of a profile's records on ``claim``.

    Args:
        claim: one of :func:`load`.
        profile: whose records.
        results: folder of records; the project's by default.

    Raises:
        UserError: no such profile, a damaged record, or one without the number that the test asks for.
    """
    if claim.waits:
        return Verdict(claim, profile, NOT_RUN, None, claim.waits)
    estimate = paired.estimate(claim.terms, profile, results)
    if estimate is None:
        return Verdict(claim, profile, NOT_RUN, None, paired.missing(claim.terms, profile, results))
    if estimate.half is None:
        return Verdict(claim, profile, UNDECIDED, estimate, "one seed has no interval")
    low, high = estimate.mean - estimate.half, estimate.mean + estimate.half
    said = word(low, high, claim.relation, claim.margin)
    why = "the interval reaches both sides" if said == UNDECIDED else ""
    return Verdict(claim, profile, said, estimate, why)


def word(low: float, high: float, relation: str, margin: float) -> str:
    """What an interval from ``low`` to ``high`` says of a test."""
    if relation == "<":
        low, high, margin = -high, -low, -margin
    if relation == "within":
        inside, outside = -margin < low and high < margin, high < -margin or low > margin
    else:
        inside, outside = low > margin, high < margin
    return HOLDS if inside else FAILS if outside else UNDECIDED


def judged(profile: str = "quick", names: Sequence[str] = (), results: Path | None = None) -> list[Verdict]:
    """Verdicts on the claims called ``names``, by default on all."""
    chosen = [find(name) for name in names] if names else load()
    return [judge(claim, profile, results) for claim in chosen]


def counts(verdicts: Sequence[Verdict]) -> str:
    """``12 hold, 3 do not hold, 20 are undecided, 9 are not run``."""
    number = {word: sum(verdict.word == word for verdict in verdicts) for word in WORDS}
    return (
        f"{number[HOLDS]} hold, {number[FAILS]} do not hold, {number[UNDECIDED]} are undecided, "
        f"{number[NOT_RUN]} are not run"
    )


def cells(verdicts: Sequence[Verdict]) -> list[list[str]]:
    """Headings and a row for each verdict, nothing rounded away that the ledger shows."""
    rows = [
        [
            verdict.claim.id,
            size(verdict.claim),
            verdict.ours(),
            str(verdict.estimate.n if verdict.estimate else 0),
            verdict.claim.unit,
            verdict.word,
            verdict.why or "n/a",
            verdict.claim.source,
        ]
        for verdict in verdicts
    ]
    return [list(COLUMNS), *rows]


def size(claim: Claim) -> str:
    """The expression's value in the paper, or "n/a"."""
    return "n/a" if claim.size is None else f"{claim.size:+.{max(claim.digits, 2)}f}"


def text(verdicts: Sequence[Verdict]) -> str:
    """For the terminal: a paragraph a claim, and the count."""
    blocks = []
    for verdict in verdicts:
        claim, n = verdict.claim, verdict.estimate.n if verdict.estimate else 0
        head = f"{verdict.word}: {claim.id} ({claim.source})"
        test = f"  {' '.join(claim.test.split())}" if claim.test else "  (no test)"
        found = (
            f"  ours {verdict.ours()} {claim.unit}, n = {n}; paper {size(claim)}" if n else f"  {verdict.why}"
        )
        blocks.append("\n".join([head, f"  {claim.says}", test, found]))
    return "\n\n".join([*blocks, counts(verdicts)])


def markdown(verdicts: Sequence[Verdict]) -> str:
    return grid.markdown(cells(verdicts))


def _read(test: str) -> tuple[tuple[Term, ...], str, float]:
    found = re.fullmatch(r"(.+)\s(>|<|within)\s+(-?\d*\.?\d+)", " ".join(test.split()))
    if not found:
        raise UserError(
            f"test {test!r} cannot be read; expected numbers of records, {', '.join(RELATIONS)}, and a number"
        )
    expression, relation, margin = found.groups()
    return paired.parse(expression), relation, float(margin)
