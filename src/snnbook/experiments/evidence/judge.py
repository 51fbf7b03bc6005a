"""Verdicts: the one place that says whether what a paper claims holds.

A claim holds if the 95 % interval of its expression's mean over seeds lies where its test says, does not hold if
it lies wholly elsewhere, and is undecided otherwise; where the interval has the paper's size in it, and the seeds
could not have told a difference of that size from none, it cannot be decided here.  There is no
verdict where a network did not learn, and none from the rehearsal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snnbook.errors import UserError
from snnbook.experiments.evidence import claims, learned, paired, prices
from snnbook.experiments.evidence.claims import Claim
from snnbook.experiments.evidence.line import NOT_RUN, UNLEARNED, joined
from snnbook.experiments.evidence.paired import Estimate
from snnbook.experiments.runs.record import Record
from snnbook.experiments.tables import tables

HOLDS, FAILS, UNDECIDED, UNSEEN = "holds", "does not hold", "undecided", "cannot be decided here"
WORDS = (HOLDS, FAILS, UNDECIDED, UNSEEN, UNLEARNED, NOT_RUN)

ROUNDING = 1e-9  # of equal differences
SECONDS = ("cost.seconds", "cost.total_seconds", "cost.images_per_second")  # which a machine has a part in


def timed(claim: Claim) -> bool:
    """Whether a claim is of seconds, whose size is one machine's own: the paper's says nothing of ours."""
    return any(term.key.startswith(SECONDS) for term in claim.terms)


@dataclass(frozen=True)
class Verdict:
    """What the records of one profile say of a claim.

    Attributes:
        claim, profile: whose it is.
        word: one of :data:`WORDS`.
        estimate: the claim's expression over seeds; None where it is not run.
        why: the reason, unless it holds or does not.
    """

    claim: Claim
    profile: str
    word: str
    estimate: Estimate | None
    why: str = ""

    @property
    def n(self) -> int:
        """Seeds it rests on."""
        return self.estimate.n if self.estimate else 0

    @property
    def inside(self) -> bool | None:
        """Whether the paper's size lies within the interval; None where either is missing, and for seconds."""
        if (
            self.claim.size is None
            or self.estimate is None
            or self.estimate.half is None
            or timed(self.claim)
        ):
            return None
        return abs(self.claim.size - self.estimate.mean) <= self.estimate.half

    @property
    def marked(self) -> str:
        """The word, and whether the claim is exploratory."""
        return f"{self.word}, exploratory" if self.claim.exploratory else self.word

    def ours(self) -> str:
        """The expression's mean over seeds and half its interval, or "not run"."""
        return self.estimate.text(self.claim.digits) if self.estimate else NOT_RUN

    def on(self) -> str:
        """What it was found on: ``digits, snn5 of width 4, T = 4, 20 seeds``; empty where nothing was run."""
        return setting(self.estimate) if self.estimate else ""

    def text(self) -> str:
        """``holds on digits, snn5 of width 4, T = 4, 20 seeds: +2.4 ± 0.9 points``, as prose says it."""
        if self.estimate is None:
            return f"{self.word} ({self.why})"
        return f"{self.marked} on {self.on()}: {self.ours()} {self.claim.unit}"


def judge(claim: Claim, profile: str = "desk", results: Path | None = None) -> Verdict:
    """The verdict of a profile's records on ``claim``.

    Args:
        claim: one of :func:`.claims.load`.
        profile: whose records: ``"desk"``, ``"lab"`` or ``"paper"``.
        results: folder of records; the project's by default.

    Raises:
        UserError: the rehearsal or no profile, a damaged record, or one without the number that the test asks for.
    """
    if profile == tables.REHEARSAL:
        raise UserError(
            f"profile {profile!r} is a rehearsal and gives no verdicts; expected {' or '.join(tables.EVIDENCE)}"
        )
    if claim.waits:
        return Verdict(claim, profile, NOT_RUN, None, claim.waits)
    terms = claim.terms_in(profile)
    estimate = (prices if timed(claim) else paired).estimate(terms, profile, results)
    if estimate is None:
        why = paired.missing(terms, profile, results)
        return Verdict(
            claim,
            profile,
            NOT_RUN,
            None,
            why or "no steps of its rows were timed; snnbook bench rows does it",
        )
    faults = learned.faults(estimate.records)
    if faults and claim.about != "arithmetic":  # which no training can change
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        return Verdict(claim, profile, UNLEARNED, estimate, faults[0] + more)
    if estimate.half is None:
        return Verdict(claim, profile, UNDECIDED, estimate, "one seed has no interval")
    if estimate.half < ROUNDING and claim.about != "arithmetic":  # accuracies are counts, and meet by chance
        why = "all seeds differ equally, so their spread is not known"
        return Verdict(claim, profile, UNDECIDED, estimate, why)
    low, high = estimate.mean - estimate.half, estimate.mean + estimate.half
    said = word(low, high, claim.relation, claim.margin)
    said, why = _doubt(claim, estimate) if said == UNDECIDED else (said, "")
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


def best(claim: Claim, results: Path | None = None) -> Verdict:
    """The verdict of the profile that comes closest to the papers and has records; desk's where none has."""
    found = [judge(claim, profile, results) for profile in tables.EVIDENCE]
    return next((verdict for verdict in reversed(found) if verdict.word != NOT_RUN), found[0])


def judged(profile: str = "desk", names: Sequence[str] = (), results: Path | None = None) -> list[Verdict]:
    """Verdicts on the claims called ``names``, by default on all."""
    chosen = [claims.find(name) for name in names] if names else claims.load()
    return [judge(claim, profile, results) for claim in chosen]


def setting(estimate: Estimate) -> str:
    """What an estimate was made on: ``digits, snn5 of width 4, T = 4, 20 seeds``."""
    return f"{place(estimate.records)}, {estimate.count}"


def place(records: Sequence[Record]) -> str:
    """Data, networks and time steps of records: ``digits, snn5 of width 4, T = 4``."""
    data, networks = joined(made.data["name"] for made in records), joined(map(_network, records))
    steps = joined(str(made.config["network"]["time_steps"]) for made in records)
    return f"{data}, {networks}, T = {steps}"


def _doubt(claim: Claim, estimate: Estimate) -> tuple[str, str]:
    """The word for an interval that decides nothing, and why: it may be too wide for what the paper found."""
    sees, size = estimate.sees, None if timed(claim) else claim.size
    if claim.relation == "within":
        return UNDECIDED, "the interval reaches both sides of the margin"
    if size is not None and abs(size - estimate.mean) > estimate.half:
        return UNDECIDED, "the interval reaches both sides, and leaves the paper's size out"
    if size is not None and sees is not None and abs(size - claim.margin) < sees:
        paper = abs(size - claim.margin)
        seen, paper = (f"{number:.{claim.digits}f}" for number in (sees, paper))
        return UNSEEN, f"these seeds see differences from {seen} up, the paper's is {paper}"
    return UNDECIDED, "the interval reaches both sides"


def _network(made: Record) -> str:
    network = made.config["network"]
    return network["name"] + (f" of width {network['width']}" if network["width"] else "")
