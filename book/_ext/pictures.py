"""Pictures made from run records when the page is built, with every number in a list below.

``{forest}`` draws claims that one accuracy is above another, with a picture a paper; or those that it names::

    ```{forest} tet-beats-sdt-snn5 joint-all-beat-alone
    ```

``{gains}`` draws what each row of a table has over one of its rows; of several such rows it takes the first
whose table has been run in a profile that decides.  ``{price}`` sets accuracy against cost (``:cost: time`` or
``energy``), for the first such table::

    ```{gains} one-protocol/sdt tet-figure7/sdt
    ```
    ```{price} one-protocol tet-figure7
    :cost: energy
    ```

Where nothing is there to draw, the page says so.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from records import row, watch
from sphinx.util.docutils import SphinxDirective

from snnbook import files, plots
from snnbook.errors import UserError
from snnbook.experiments import report
from snnbook.experiments.evidence import claims, comparisons, ledger
from snnbook.experiments.evidence.comparisons import Comparison
from snnbook.experiments.evidence.paired import CONFIDENCE
from snnbook.experiments.tables import tables
from snnbook.plots.compared import COSTS, points
from snnbook.plots.style import Picture

PAPERS = {"tet": "TET", "joint-asnn": "Joint A-SNN", "sastc": "SASTC", "snnbook": "This book"}


BY_SEED = "by seed, points"


class PictureDirective(SphinxDirective):
    """What the three have in common: a figure with a caption, words for where there is none."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(tables.folder()))
        self.env.note_dependency(str(ledger.path("claims")))
        try:
            return self.show(self.arguments[0].split() if self.arguments else [])
        except UserError as error:
            raise self.error(f"{self.name}: {error}") from None

    def show(self, names: Sequence[str]) -> list[nodes.Node]:
        raise NotImplementedError

    def watch(self, table: str) -> None:
        """Draw anew when a row of ``table`` is run."""
        for each in tables.load(table).rows:
            for profile in tables.EVIDENCE:
                watch(self.env, f"{table}/{each.id}", profile)

    def figure(self, drawn: Picture, caption: str, alt: str) -> nodes.Node:
        svg = drawn.rendered("svg")
        place = Path(self.env.doctreedir).parent / "drawn" / f"{hashlib.sha256(svg).hexdigest()[:16]}.svg"
        files.write_bytes(place, svg)
        image = nodes.image(uri="/" + os.path.relpath(place, self.env.srcdir), alt=alt)
        words, _ = self.state.inline_text(caption, self.lineno)
        return nodes.figure("", image, nodes.caption(caption, "", *words), classes=["drawn"])

    def forest(self, found: Sequence[Comparison], caption: str) -> list[nodes.Node]:
        alt = f"Paired differences, {len(found)} in all, each a mean with its interval, and a line at zero."
        return [self.figure(plots.forest(found), caption, alt), *self.numbers(found)]

    def numbers(self, found: Sequence[Comparison]) -> list[nodes.Node]:
        """Every seed's difference, behind a heading that keys and fingers open."""
        rows = []
        for each in found:
            seeds = " · ".join(f"{seed}: {value:+.2f}" for seed, value in each.estimate.values.items())
            # The column's name stands in the cell, too, for phones, where a row is a card.
            named = nodes.inline(BY_SEED, BY_SEED, classes=["column"])
            rows.append(
                [nodes.paragraph(each.text(), each.text()), nodes.paragraph("", "", named, nodes.Text(seeds))]
            )
        heads = [nodes.paragraph(head, head) for head in ("difference", BY_SEED)]
        group = nodes.tgroup("", nodes.colspec(colwidth=60), nodes.colspec(colwidth=40), cols=2)
        group += [nodes.thead("", row(heads)), nodes.tbody("", *map(row, rows))]
        opened = '<details class="numbers"><summary>Every seed, in numbers</summary>'
        return [
            nodes.raw("", opened, format="html"),
            nodes.table("", group, classes=["ledger"]),
            nodes.raw("", "</details>", format="html"),
        ]

    def nothing(self, what: str) -> list[nodes.Node]:
        text = f"{what}: not run yet in a profile that decides."
        return [nodes.paragraph("", "", nodes.inline(text, text, classes=["not-run"]))]


class ForestDirective(PictureDirective):
    """Claims of one accuracy above another."""

    def show(self, names: Sequence[str]) -> list[nodes.Node]:
        chosen = [claims.find(name) for name in names] or comparisons.principal()
        for table in dict.fromkeys(term.run.partition("/")[0] for claim in chosen for term in claim.terms):
            self.watch(table)
        if names:
            found = comparisons.of_claims(names)
            return self.forest(found, self.caption("")) if found else self.nothing("These claims")
        shown, rest = [], []
        for paper, title in PAPERS.items():
            own = [claim.id for claim in chosen if claim.paper == paper]
            found = comparisons.of_claims(own)
            if found:
                shown += self.forest(found, self.caption(f"{title}. "))
            if len(found) < len(own):
                rest.append(f"{title} {len(own) - len(found)}")
        text = f"Claims of this kind that are not run yet in a profile that decides: {', '.join(rest)}."
        return [*shown, *([nodes.paragraph(text, text, classes=["results-caption"])] if rest else [])]

    def caption(self, whose: str) -> str:
        return (
            f"{whose}Test accuracy of the first less that of the second, seed by seed: mean, 95 % interval and, "
            "as dots, every seed. What it was found on stands with each name; an open diamond is the paper's "
            "difference, on its data."
        )


class GainsDirective(PictureDirective):
    """What each row of a table has over one of them."""

    def show(self, names: Sequence[str]) -> list[nodes.Node]:
        for name in names:
            table, _, against = name.partition("/")
            self.watch(table)
            for profile in reversed(tables.EVIDENCE):
                if found := comparisons.of_table(table, against, profile):
                    return self.forest(found, self.caption(table, against, found))
        return self.nothing("Differences under one protocol")

    def caption(self, name: str, against: str, found: Sequence[Comparison]) -> str:
        table, count = tables.load(name), sum(one.estimate.half is not None for one in found)
        return (
            f"{table.title}: test accuracy of each row less that of *{table.row(against).label}*, seed by seed. "
            "Mean, 95 % interval and, as dots, every seed. If no row differed from that one, "
            f"{(1 - CONFIDENCE) * count:.1f} of the {count} intervals would leave zero out all the same."
        )


class PriceDirective(PictureDirective):
    """Accuracy against cost."""

    option_spec = {"cost": lambda value: directives.choice(value, tuple(COSTS))}  # noqa: RUF012

    def show(self, names: Sequence[str]) -> list[nodes.Node]:
        cost = self.options.get("cost", "time")
        for name in names:
            self.watch(name)
            for profile in reversed(tables.EVIDENCE):
                found = report(name, profile)
                if points(found, cost):
                    return [self.figure(plots.price(found, cost), *self.words(found, cost))]
        return self.nothing(f"Accuracy against {cost}")

    def words(self, found, cost: str) -> tuple[str, str]:
        spent = {
            "time": f"the time of its training steps, timed in turn on {found.timed_on}",
            "energy": "the energy of one inference",
        }[cost]
        on = dict.fromkeys(
            made.data["name"] for line in found.lines if line.ours for made in line.ours.records
        )
        caption = (
            f"{found.title}: test accuracy (mean and standard deviation over seeds) against {spent}; "
            f"{' and '.join(on)}, {found.profile} profile. A square is an ANN.{_unlike(found)}"
        )
        return (
            caption,
            "A dot for each row of the table, which has the numbers: the higher, the more accurate.",
        )


def _unlike(found) -> str:
    """A sentence for rows of unlike numbers of seeds, whose means are not paired."""
    counts = {line.ours.n for line in found.lines if line.ours}
    if len(counts) < 2:
        return ""
    return (
        f" Rows have {min(counts)} to {max(counts)} seeds, a single one no bar; "
        "differences seed by seed are another figure's."
    )


def setup(app) -> dict:
    app.add_directive("forest", ForestDirective)
    app.add_directive("gains", GainsDirective)
    app.add_directive("price", PriceDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
