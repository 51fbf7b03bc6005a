"""What the papers leave open or contradict, what was chosen here, and what the alternative does to the numbers.

The entries are those of ``experiments/ledgers/fidelity.yaml``.  An alternative is another row, or a row with
changed settings; its effect is its number less ours, seed by seed, see :mod:`snnbook.experiments.evidence.paired`.
"""

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from snnbook.checks import nearest
from snnbook.errors import UserError
from snnbook.experiments.evidence import ledger, paired
from snnbook.experiments.evidence.paired import Estimate, Term
from snnbook.experiments.runs import record
from snnbook.experiments.runs.job import resolve
from snnbook.experiments.tables import tables

KINDS = ("unspecified", "contradiction")
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Detail:
    """One entry of the ledger.

    Attributes:
        id, paper: its name, and the paper it is about.
        detail: what it is.
        kind: ``unspecified`` (the paper does not say) or ``contradiction`` (with its code, or with itself).
        text, code: what the paper says, and what its public code does.
        choice: what is done here.
        where: the setting or the function that does it.
        ours: the row an alternative is measured on; empty if none is.
        other: the run with the alternative, if it is a row of its own.
        set: the settings that make it, ``section.key=value`` each, if it is not.
        other_key: the number that is the alternative, if the same run holds both.
        key: the number compared.
        unit, digits: of it, and how many decimals are shown.

    Raises:
        UserError: an unknown kind or run, or not exactly one alternative to ``ours``.
    """

    id: str
    paper: str
    detail: str
    kind: str
    text: str
    code: str
    choice: str
    where: str
    ours: str = ""
    other: str = ""
    set: tuple[str, ...] = ()
    other_key: str = ""
    key: str = "snn.last"
    unit: str = "points"
    digits: int = 1
    terms: tuple[Term, ...] = field(init=False, default=())

    def __post_init__(self):
        if self.kind not in KINDS:
            raise UserError(f"kind is {self.kind!r}; {nearest(self.kind, KINDS)}")
        alternatives = [given for given in (self.other, self.set, self.other_key) if given]
        if len(alternatives) != bool(self.ours):
            raise UserError(
                f"detail {self.id!r}: expected 'ours' with one of 'other', 'set' and 'other_key', or none of them"
            )
        if self.ours:
            run = self.other or resolve(self.ours, overrides=self.set).id
            alternative = f"{run}:{self.other_key or self.key}"
            object.__setattr__(self, "terms", paired.parse(f"{alternative} - {self.ours}:{self.key}"))

    def command(self) -> str:
        """What measures the alternative."""
        changed = [word for text in self.set for word in ("--set", text)]
        return shlex.join(["snnbook", "run", self.other or self.ours, *changed])


def load() -> list[Detail]:
    """All details, in the order they are written; errors as of :func:`.ledger.load`."""
    return ledger.load("fidelity", Detail)


def effect(detail: Detail, profile: str = "desk", results: Path | None = None) -> Estimate | None:
    """The alternative's number less ours over seeds; None where it was not run or counted, or there is none.

    Raises:
        UserError: no such profile, or a damaged record.
    """
    older = any(
        record.predates(made, term.key)
        for term in detail.terms
        for made in record.of(term.run, profile, results)
    )
    return paired.estimate(detail.terms, profile, results) if detail.terms and not older else None


def strongest(detail: Detail, results: Path | None = None) -> Estimate | None:
    """:func:`effect` in the profile that comes closest to the papers and has records, the rehearsal last."""
    found = (effect(detail, profile, results) for profile in reversed(tables.PROFILES))
    return next(filter(None, found), None)
