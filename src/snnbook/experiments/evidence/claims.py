"""What the papers claim, each a test over run records: ``experiments/ledgers/claims.yaml``.

A test is an expression of :mod:`snnbook.experiments.evidence.paired`, a relation and a number::

    joint-table4/all:snn.last - joint-table4/snn:snn.last > 0
    tet-table2/tet-k1:snn.last - tet-table2/sdt-k1:snn.last within 1

``>`` and ``<`` ask for a direction; ``within`` asks whether the expression is that near to zero.  Whether a claim
holds is said by :mod:`snnbook.experiments.evidence.judge` and by nothing else.
"""

import re
from dataclasses import dataclass, field

from snnbook.checks import nearest, shown
from snnbook.errors import UserError
from snnbook.experiments.evidence import ledger, paired
from snnbook.experiments.evidence.paired import Term
from snnbook.experiments.tables import tables

RELATIONS = (">", "<", "within")
KINDS = ("accuracy", "cost", "arithmetic", "mechanism")


OWN = "snnbook"  # whose the claims are that no paper makes


@dataclass(frozen=True)
class Claim:
    """One entry of the ledger.

    Attributes:
        id, paper: its name, and whose it is.
        says: the claim, in our words.
        source: where in the paper.
        about: what the claim is of: ``accuracy``; ``cost`` (time, memory, energy measured on a network);
            ``arithmetic`` (follows from settings alone, no training can refute it); or ``mechanism`` (why the
            method works: landscapes, mismatch, moments).
        test: an expression, a relation and a number.
        desk: the run that stands for the test's only one in the desk profile, where both are one thing.
        size: the expression's value in the paper; by default worked out from the numbers of its tables.
        unit, digits: of the expression, and how many decimals are shown.
        exploratory: it was written down when the records that it was first judged by had been seen.
        note: shown below the claim.
        waits: instead of a test, why there is none.

    Raises:
        UserError: an unknown ``about``, a test that cannot be read or names no known run, or neither test nor
            ``waits``.
    """

    id: str
    paper: str
    says: str
    source: str
    about: str = "accuracy"
    test: str = ""
    desk: str = ""
    size: float | None = None
    unit: str = "points"
    digits: int = 1
    exploratory: bool = False
    note: str = ""
    waits: str = ""
    terms: tuple[Term, ...] = field(init=False, default=())
    relation: str = field(init=False, default="")
    margin: float = field(init=False, default=0.0)

    def __post_init__(self):
        if self.about not in KINDS:
            raise UserError(f"about is {self.about!r}; {nearest(self.about, KINDS)}")
        if bool(self.test) == bool(self.waits):
            raise UserError(
                f"claim {self.id!r} has {'both' if self.test else 'neither'} test and waits; expected one"
            )
        terms, relation, margin = _read(self.test) if self.test else ((), "", 0.0)
        if self.desk and tables.find(self.desk) and len({term.run for term in terms}) != 1:
            raise UserError(f"claim {self.id!r} has desk: {self.desk}, one run; expected a test of one run")
        size = paired.in_paper(terms) if self.size is None and terms else self.size
        for name, value in dict(terms=terms, relation=relation, margin=margin, size=size).items():
            object.__setattr__(self, name, value)

    def test_in(self, profile: str) -> str:
        """The test with the run that a profile has for it."""
        test = " ".join(self.test.split())
        return (
            test.replace(f"{self.terms[0].run}:", f"{self.desk}:")
            if self.desk and profile == "desk"
            else test
        )

    def terms_in(self, profile: str) -> tuple[Term, ...]:
        """The expression's terms in a profile."""
        return _read(self.test_in(profile))[0] if self.test else ()


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
        raise UserError(f"no claim {shown(name)}; {nearest(name, known, 'snnbook claims')}")
    return known[name]


def size(claim: Claim) -> str:
    """The expression's value in the paper, or "n/a"."""
    return "n/a" if claim.size is None else f"{claim.size:+.{max(claim.digits, 2)}f}"


def _read(test: str) -> tuple[tuple[Term, ...], str, float]:
    found = re.fullmatch(r"(.+)\s(>|<|within)\s+(-?\d*\.?\d+)", " ".join(test.split()))
    if not found:
        raise UserError(
            f"test {test!r} cannot be read; expected numbers of records, {', '.join(RELATIONS)}, and a number"
        )
    expression, relation, margin = found.groups()
    return paired.parse(expression), relation, float(margin)
