"""Tables of verdicts, of open details and of spreads, all worked out from records when the page is built.

``{claims}`` shows every claim of the papers with its verdict in each profile, and ``{verdict}`` one within a
sentence; ``{fidelity}`` shows every detail they leave open or contradict with the measured effect of the
alternative.  ``{spread}`` shows how far apart runs are: with the argument ``seeds`` over seeds, with
``conditions`` with the same seeds on other devices, threads or precisions.
"""

from collections.abc import Iterable, Sequence

from docutils import nodes
from docutils.parsers.rst import directives
from records import explained, not_run, number, provenance, refuse, row, told, watch
from sphinx.util.docutils import SphinxDirective, SphinxRole

from snnbook.checks import nearest
from snnbook.errors import UserError
from snnbook.experiments.evidence import claims, fidelity, judge, ledger, spread, verdicts
from snnbook.experiments.evidence.fidelity import Detail
from snnbook.experiments.evidence.judge import NOT_RUN, UNSEEN, Verdict
from snnbook.experiments.evidence.paired import Estimate, Term
from snnbook.experiments.runs.record import folder
from snnbook.experiments.tables import tables

PAPERS = {"tet": "TET", "joint-asnn": "Joint A-SNN", "sastc": "SASTC", "snnbook": "This book's own"}
EXPLORATORY = "written down when the records that it was first judged by had been seen, which promises less"
ABOUT = {  # what claims are of, in the order of the counts
    "accuracy": "accuracy",
    "mechanism": "why a method works",
    "cost": "cost",
    "arithmetic": "arithmetic, which follows from settings and which no training could refute",
}


class LedgerDirective(SphinxDirective):
    """What the three have in common: sections for the papers, tables of paragraphs."""

    def run(self) -> list[nodes.Node]:
        try:
            return self.show()
        except UserError as error:
            raise self.error(f"{self.name}: {error}") from None

    def show(self) -> list[nodes.Node]:
        raise NotImplementedError

    def watch(self, terms: Iterable[Term], profile: str) -> None:
        for term in terms:
            watch(self.env, term.run, profile)

    def sections(self, entries: Sequence, table) -> list[nodes.Node]:
        """A section for each paper with ``table`` of its entries."""
        found = []
        for paper, title in PAPERS.items():
            name = f"{self.name}-{paper}"
            chosen = [entry for entry in entries if entry.paper == paper]
            if not chosen:
                continue
            found.append(
                nodes.section("", nodes.title(title, title), table(chosen), ids=[name], names=[name])
            )
        return found

    def grid(
        self, heads: Sequence[str], rows: Iterable[Sequence[nodes.Node]], widths: Sequence[int]
    ) -> nodes.Node:
        group = nodes.tgroup("", cols=len(heads))
        group += [nodes.colspec(colwidth=width) for width in widths]
        group += nodes.thead("", row(nodes.paragraph(head, head) for head in heads))
        group += nodes.tbody("", *(row([first, *map(self.named, heads[1:], more)]) for first, *more in rows))
        return nodes.table("", group, classes=["ledger", "colwidths-given"])

    def named(self, head: str, cell: nodes.Node) -> nodes.Node:
        """A cell behind its column's name, which stands there where a row is a card, on phones."""
        cell.insert(0, nodes.inline(head, head, classes=["column"]))
        return cell

    def prose(self, text: str, *more: nodes.Node) -> nodes.Node:
        """A cell of text, which may have `code` in it, and what stands below."""
        inline, _ = self.state.inline_text(text, self.lineno)
        return nodes.paragraph("", "", *inline, *more)


class ClaimsDirective(LedgerDirective):
    """Every claim, its size in the paper, and the verdict of each profile."""

    def show(self) -> list[nodes.Node]:
        self.env.note_dependency(str(ledger.path("claims")))
        entries = claims.load()
        self.verdicts = {
            (claim.id, profile): judge.judge(claim, profile)
            for claim in entries
            for profile in tables.EVIDENCE
        }
        for claim in entries:
            for profile in tables.EVIDENCE:
                self.watch(claim.terms_in(profile), profile)
        run = {profile for (_, profile), found in self.verdicts.items() if found.word != NOT_RUN}
        self.profiles = [profile for profile in tables.EVIDENCE if profile in run]
        return [self.summary(), *self.sections(entries, self.table)]

    def summary(self) -> nodes.Node:
        """By profile and by what claims are about: how many verdicts of each word, and how many by chance."""
        items = []
        for profile in tables.EVIDENCE:
            found = [verdict for (_, kept), verdict in self.verdicts.items() if kept == profile]
            if profile not in self.profiles:
                items.append(nodes.list_item("", nodes.paragraph("", f"{profile} profile: nothing run yet.")))
                continue
            lines = []
            theirs = [verdict for verdict in found if verdict.claim.paper != claims.OWN]
            groups = {
                words: [verdict for verdict in theirs if verdict.claim.about == about]
                for about, words in ABOUT.items()
            }
            groups["this book's own questions, of any kind"] = [
                v for v in found if v.claim.paper == claims.OWN
            ]
            for words, some in groups.items():
                if some:
                    lines.append(
                        nodes.list_item("", nodes.paragraph("", f"{words}: {verdicts.counts(some)}."))
                    )
            head = nodes.paragraph("", f"{profile} profile; {verdicts.by_chance(found)}:")
            items.append(nodes.list_item("", head, nodes.bullet_list("", *lines)))
        return nodes.bullet_list("", *items)

    def table(self, entries: Sequence[claims.Claim]) -> nodes.Node:
        heads = ("claim", "in the paper", *(f"{profile} profile" for profile in self.profiles))
        return self.grid(heads, map(self.row, entries), (50, 14, *[18] * len(self.profiles)))

    def row(self, claim: claims.Claim) -> list[nodes.Node]:
        about = f"{claim.source}. {'Exploratory. ' if claim.exploratory else ''}{claim.note}".strip()
        parts = (
            nodes.literal(claim.id, claim.id, classes=["run-id"]),
            nodes.inline(about, about, classes=["note"]),
        )
        size = claims.size(claim) + ("" if claim.size is None else f" {claim.unit}")
        said = [self.said(self.verdicts[claim.id, profile]) for profile in self.profiles]
        return [self.prose(claim.says, *parts), nodes.paragraph(size, size), *said]

    def said(self, verdict: Verdict) -> nodes.Node:
        if verdict.word == NOT_RUN:
            why = told("", "", not_run(), explanation=verdict.why)
            return nodes.paragraph("", "", why)
        test = verdict.claim.test_in(verdict.profile)
        text = f"{verdict.ours()} {verdict.claim.unit}"
        found = sourced(text, verdict.estimate, f"{test}; " if len(test) < 300 else "")
        notes = [nodes.inline("", "", found), nodes.inline("", verdict.on())]
        if verdict.inside is not None:
            where = "inside" if verdict.inside else "outside"
            notes.append(nodes.inline("", f"the paper's size lies {where} the interval"))
        power = "" if verdict.word == UNSEEN else _power(verdict)  # of which its reason speaks
        notes += [nodes.inline("", why) for why in (power, verdict.why) if why]
        for note in notes:
            note["classes"] = ["note"]
        return nodes.paragraph("", "", said(verdict), *notes)


class VerdictRole(SphinxRole):
    """The verdict on one claim, from the strongest records there are, in a sentence."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            claim = claims.find(self.text)
            found = judge.best(claim)
            self.env.note_dependency(str(ledger.path("claims")))
            for profile in tables.EVIDENCE:
                for term in claim.terms_in(profile):
                    watch(self.env, term.run, profile)
        except UserError as error:
            return refuse(self, f"verdict: {error}")
        if found.estimate is None:
            return [told("", "", not_run(), explanation=found.why)], []
        number = sourced(f"{found.ours()} {found.claim.unit}", found.estimate, "")
        looked = (
            [nodes.Text(", "), explained("exploratory", EXPLORATORY, "record")]
            if found.claim.exploratory
            else []
        )
        return [said(found), nodes.Text(f" (on {found.on()}: "), number, *looked, nodes.Text(")")], []


class FidelityDirective(LedgerDirective):
    """Every detail that a paper leaves open or contradicts."""

    def show(self) -> list[nodes.Node]:
        self.env.note_dependency(str(ledger.path("fidelity")))
        return self.sections(fidelity.load(), self.table)

    def table(self, entries: Sequence[Detail]) -> nodes.Node:
        heads = ("detail", "the paper's text", "its public code", "here", "the alternative")
        return self.grid(heads, map(self.row, entries), (18, 21, 23, 20, 18))

    def row(self, detail: Detail) -> list[nodes.Node]:
        where = nodes.inline(detail.where, detail.where, classes=["note"])
        return [
            self.prose(detail.detail, nodes.inline(detail.kind, detail.kind, classes=["note"])),
            self.prose(detail.text),
            self.prose(detail.code),
            self.prose(detail.choice, where),
            self.effect(detail),
        ]

    def effect(self, detail: Detail) -> nodes.Node:
        if not detail.terms:
            return nodes.paragraph("", "", nodes.inline("", fidelity.NOT_MEASURED, classes=["not-run"]))
        for profile in tables.PROFILES:
            self.watch(detail.terms, profile)
        found = fidelity.strongest(detail)
        shown = not_run()
        if found:
            text = f"{found.text(detail.digits)} {detail.unit}, n = {found.n}"
            if found.records[0].profile == tables.REHEARSAL:
                text += " (a rehearsal)"
            shown = sourced(text, found, f"{detail.terms[0].run} less {detail.ours}; ")
        changed = ", ".join(detail.set) or detail.other or detail.other_key
        label = nodes.literal(changed, changed, classes=["run-id"])
        return nodes.paragraph("", "", shown, label)


class SpreadDirective(LedgerDirective):
    """How far apart runs are."""

    required_arguments = 1
    option_spec = {"profile": directives.unchanged}  # noqa: RUF012  (docutils wants a plain dict)

    def show(self) -> list[nodes.Node]:
        kinds = {"seeds": self.seeds, "conditions": self.conditions}
        kind = self.arguments[0]
        if kind not in kinds:
            raise UserError(f"no spread {kind!r}; {nearest(kind, kinds)}")
        return kinds[kind]()

    def seeds(self) -> list[nodes.Node]:
        profile = self.options.get("profile", "desk")
        found = spread.seeds(profile)
        self.env.note_dependency(str(tables.folder()))
        for each in found:
            for run in each.rows:
                watch(self.env, run, profile)
        if not found:
            return [nodes.paragraph("", "", not_run())]
        heads = ("table", "network", "rows", "median std", "least std", "largest std")
        return [self.grid(heads, map(self.of_seeds, found), (28, 12, 8, 14, 14, 14))]

    def of_seeds(self, each: spread.SeedSpread) -> list[nodes.Node]:
        least, largest = (each.rows[run] for run in (each.least, each.largest))
        texts = (each.table, each.network.upper(), str(len(each.rows)), f"{each.median:.1f}")
        ends = [number(f"{end.std:.1f}", end.records) for end in (least, largest)]
        return [nodes.paragraph(text, text) for text in texts] + [
            nodes.paragraph("", "", end) for end in ends
        ]

    def conditions(self) -> list[nodes.Node]:
        found = spread.conditions()
        others = folder() / "others"
        for path in sorted(others.rglob("seed*.json")):
            self.env.note_dependency(str(path))
        self.env.note_dependency(str(others))
        for each in found:
            watch(self.env, each.reproduction.run, each.reproduction.profile)
        heads = ("what differs", "run", "n", "difference", "largest, same seed", "the book's std")
        content = [self.grid(heads, map(self.of_condition, found), (24, 26, 6, 16, 14, 14))] if found else []
        measured = {aspect for each in found for aspect in each.differs}
        missing = [aspect for aspect in spread.ASPECTS[:5] if aspect not in measured]
        text = f"Not measured yet: a difference in {', '.join(missing)}."
        return [*content, *([nodes.paragraph(text, text, classes=["results-caption"])] if missing else [])]

    def of_condition(self, each: spread.Condition) -> list[nodes.Node]:
        differs = [f"{name}: {here} instead of {book}" for name, (book, here) in each.differs.items()]
        reproduction, estimate = each.reproduction, each.estimate
        spoken = "; ".join(differs) or "nothing, run again"
        if each.identical:
            spoken += " (the same, digit for digit)"
        by_seed = sourced(estimate.text(), estimate, "") if estimate else not_run()
        std = spread.record.statistic(reproduction.book, reproduction.key).std
        book = "n/a" if std is None else f"{std:.1f}"
        apart = "n/a" if reproduction.apart is None else f"{reproduction.apart:.1f}"
        texts = (spoken, f"{reproduction.run}, {reproduction.profile}", str(estimate.n if estimate else 0))
        cells = [nodes.paragraph(text, text) for text in texts]
        return [
            *cells,
            nodes.paragraph("", "", by_seed),
            nodes.paragraph(apart, apart),
            nodes.paragraph(book, book),
        ]


def said(verdict: Verdict) -> nodes.Node:
    """The word of a verdict, in its colour."""
    return nodes.inline(verdict.word, verdict.word, classes=["verdict", verdict.word.replace(" ", "-")])


def _power(verdict: Verdict) -> str:
    seen = verdicts.sees(verdict)
    return "" if seen == "n/a" else f"these {verdict.estimate.over}s see differences from {seen} up"


def sourced(text: str, estimate: Estimate, before: str) -> nodes.Node:
    """A number with the runs it comes from, as :func:`records.number`, after what was worked out."""
    return explained(text, before + provenance(estimate.records, estimate.values), "record")


def setup(app) -> dict:
    app.add_directive("claims", ClaimsDirective)
    app.add_role("verdict", VerdictRole())
    app.add_directive("fidelity", FidelityDirective)
    app.add_directive("spread", SpreadDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
