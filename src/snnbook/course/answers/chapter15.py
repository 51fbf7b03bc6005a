"""Checks of chapter 15: every table, and what it says."""

from snnbook.course.comparing import Wrong, call, kind, parts, same, tensor
from snnbook.errors import UserError
from snnbook.experiments import report
from snnbook.experiments.evidence import claims, judge


def best_or_last(answer):
    for name, profile in (("joint-table4", "quick"), ("tet-figure7", "desk")):
        reports = [report(name, profile=profile, which=which) for which in ("last", "best")]
        ours = [[line.ours.mean for line in made.lines if line.ours] for made in reports]
        right = [high - low for low, high in zip(*ours, strict=True)]
        found = parts(call(answer, *reports), None, "what your function returns")
        if len(found) != len(right):
            raise Wrong(f"for {name} you have {len(found)} numbers, and {len(right)} lines have one of ours")
        same(tensor(found), right, within=0.01, what=f"the rise in {name}")


def a_sentence_of_your_own(answer):
    if not isinstance(answer, claims.Claim):
        raise Wrong(f"the answer is {kind(answer)}; expected a claims.Claim")
    if answer.id in {claim.id for claim in claims.load()}:
        raise Wrong("that claim is in the ledger already; make one of your own")
    if not answer.test:
        raise Wrong("the claim has no test; expected an expression, a relation and a number")
    if len(answer.says.split()) < 4:
        raise Wrong("says is too short to be a sentence")
    try:
        judge.judge(answer, "desk")
    except UserError as error:
        raise Wrong(f"it cannot be judged: {error}") from None


CHECKS = {"15.1": best_or_last, "15.2": a_sentence_of_your_own}
