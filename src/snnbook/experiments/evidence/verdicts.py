"""Verdicts as they are shown: in a notebook, in a terminal, as Markdown; and how many to expect by chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snnbook.experiments.evidence import claims, grid, judge, paired
from snnbook.experiments.evidence.judge import FAILS, HOLDS, NOT_RUN, UNDECIDED, UNLEARNED, UNSEEN, Verdict
from snnbook.experiments.evidence.line import joined

COLUMNS = ("claim", "paper", "ours", "on", "profile", "sees", "unit", "verdict", "why", "source")


@dataclass(frozen=True)
class Verdicts:
    """Some claims and what records say of them.  Shown by a notebook as a table of sentences."""

    entries: tuple[Verdict, ...]

    def cells(self) -> list[list[str]]:
        """Headings and a row for each: the sentence, the paper's size, ours, on what, and the verdict."""
        rows = [
            [
                verdict.claim.says,
                _with_unit(claims.size(verdict.claim), verdict),
                _with_unit(verdict.ours(), verdict) if verdict.estimate else verdict.why,
                verdict.on() or "n/a",
                f"{verdict.marked}: {verdict.why}" if verdict.why and verdict.estimate else verdict.marked,
            ]
            for verdict in self.entries
        ]
        return [["the claim, asked of our runs", "in the paper", "ours", "on", "verdict"], *rows]

    def _repr_html_(self) -> str:
        return grid.html(self.cells(), left=5)

    def __repr__(self) -> str:
        return text(self.entries)


def verdicts(*names: str, results: Path | None = None) -> Verdicts:
    """What the strongest records there are say of the claims called ``names``.

    Args:
        names: of claims, see ``snnbook claims``.
        results: folder of records; the project's by default.

    Returns:
        a table that a notebook shows; for each claim the verdict of the paper profile, or else of lab, or else of
        desk.  The rehearsal, the quick profile, gives none.

    Raises:
        UserError: no such claim, or a damaged record.
    """
    return Verdicts(tuple(judge.best(claims.find(name), results) for name in names))


def counts(found: Sequence[Verdict]) -> str:
    """How many verdicts have each word: ``12 hold, 3 do not hold, 20 are undecided, ..., 9 are not run``."""
    number = {word: sum(verdict.word == word for verdict in found) for word in judge.WORDS}
    return (
        f"{number[HOLDS]} hold, {number[FAILS]} do not hold, {number[UNDECIDED]} are undecided, "
        f"{number[UNSEEN]} cannot be decided here, "
        f"{number[UNLEARNED]} are of networks that did not learn, {number[NOT_RUN]} are not run"
    )


def by_chance(found: Sequence[Verdict]) -> str:
    """How many words to expect where nothing is true: ``of 20 tests with an interval, 1.0 would be ...``."""
    tested = [verdict for verdict in found if _by_chance(verdict)]
    asked_before = sum(not verdict.claim.exploratory for verdict in tested)
    wrong, looked = (1 - paired.CONFIDENCE) * asked_before, len(tested) - asked_before
    early = sum(verdict.estimate.n < verdict.estimate.planned for verdict in tested)
    more = f"; {looked} more are exploratory, of which chance decides more" if looked else ""
    more += f"; {early} are looked at before all their planned seeds are run" if early else ""
    return (
        f"of {asked_before} tests with an interval, {wrong:.1f} would be decided by chance alone "
        f"if no claim had anything to it{more}"
    )


def _by_chance(verdict: Verdict) -> bool:
    """Whether chance decides a test one time in twenty: one of a direction, on runs that scatter."""
    judged = verdict.word in (HOLDS, FAILS, UNDECIDED, UNSEEN) and verdict.estimate.half is not None
    return judged and verdict.claim.relation != "within" and verdict.claim.about != "arithmetic"


def counted(found: Sequence[Verdict]) -> list[str]:
    """The counts of the papers' claims and, apart from them, of the book's own questions; a line each."""
    groups = {"the papers' claims": False, "this book's own questions": True}
    sorted_out = {
        words: [verdict for verdict in found if (verdict.claim.paper == claims.OWN) == own]
        for words, own in groups.items()
    }
    return [f"{words}: {counts(some)}" for words, some in sorted_out.items() if some]


def cells(found: Sequence[Verdict]) -> list[list[str]]:
    """Headings and a row for each verdict, nothing rounded away that the ledger shows."""
    rows = [
        [
            verdict.claim.id,
            claims.size(verdict.claim),
            verdict.ours(),
            verdict.on() or "n/a",
            verdict.profile,
            sees(verdict),
            verdict.claim.unit,
            verdict.word,
            verdict.why or "n/a",
            verdict.claim.source,
        ]
        for verdict in found
    ]
    return [list(COLUMNS), *rows]


def sees(verdict: Verdict) -> str:
    """The smallest difference that its seeds would have seen four times of five, or "n/a"."""
    seen = verdict.estimate.sees if verdict.estimate else None
    return "n/a" if seen is None else f"{seen:.{verdict.claim.digits}f}"


def text(found: Sequence[Verdict]) -> str:
    """For the terminal: whose records, a paragraph a claim, and the count."""
    blocks = [judged_by(found)]
    for verdict in found:
        claim = verdict.claim
        lines = [f"{verdict.marked}: {claim.id} ({claim.source})", f"  {claim.says}"]
        lines.append(f"  {claim.test_in(verdict.profile)}" if claim.test else "  (no test)")
        if verdict.estimate:
            where = (
                ""
                if verdict.inside is None
                else f", {'inside' if verdict.inside else 'outside'} the interval"
            )
            lines.append(f"  ours {verdict.ours()} {claim.unit} on {verdict.on()} ({verdict.profile})")
            seen = f"these {verdict.estimate.over}s see {sees(verdict)}"
            lines.append(f"  paper {claims.size(claim)}{where}; {seen}")
        if verdict.why:
            lines.append(f"  {verdict.why}")
        blocks.append("\n".join(lines))
    return "\n\n".join([*blocks, *counted(found), by_chance(found)])


def judged_by(found: Sequence[Verdict]) -> str:
    """``Judged by records of the desk profile, on cifar10 and digits.``"""
    if not found:
        return "There are no claims beside these tables."
    profiles = joined(verdict.profile for verdict in found)
    records = [made for verdict in found if verdict.estimate for made in verdict.estimate.records]
    data = " and ".join(sorted({made.data["name"] for made in records}))
    where = f"on {data}" if data else "of which none says anything of these claims yet"
    return f"Judged by records of the {profiles} profile, {where}."


def markdown(found: Sequence[Verdict]) -> str:
    return grid.markdown(cells(found))


def _with_unit(number: str, verdict: Verdict) -> str:
    return number if number == "n/a" else f"{number} {verdict.claim.unit}"
