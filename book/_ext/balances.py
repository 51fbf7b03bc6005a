"""What each row of a table has over one of them, and at what price, as a table made when the page is built.

``{balance}`` weighs the rows of a table against the one it names, in the profile closest to the papers in which
that one has been run::

    ```{balance} one-protocol/sdt
    ```
"""

from docutils import nodes
from ledgers import LedgerDirective, sourced
from records import number

from snnbook.experiments.evidence.balance import Balance, Weighed, balance
from snnbook.experiments.evidence.paired import Term
from snnbook.experiments.tables import tables


class BalanceDirective(LedgerDirective):
    """Accuracy, gain, time and energy of each row."""

    required_arguments = 1

    def show(self) -> list[nodes.Node]:
        table, _, against = self.arguments[0].partition("/")
        self.env.note_dependency(str(tables.folder()))
        for row in tables.load(table).rows:
            for profile in tables.EVIDENCE:
                self.watch([Term(1.0, f"{table}/{row.id}", "")], profile)
        for profile in reversed(tables.EVIDENCE):
            found = balance(table, against, profile)
            if found.rows:
                return self.weighed(found)
        text = f"{tables.load(table).title}: not run yet in a profile that decides."
        return [nodes.paragraph("", "", nodes.inline(text, text, classes=["not-run"]))]

    def weighed(self, found: Balance) -> list[nodes.Node]:
        heads, *_ = found.cells()
        widths = (34, *[66 // (len(heads) - 1)] * (len(heads) - 1))
        caption = found.caption()
        return [
            self.grid(heads, (self.row(found, row) for row in found.rows), widths),
            nodes.paragraph(caption, caption, classes=["results-caption"]),
        ]

    def row(self, found: Balance, row: Weighed) -> list[nodes.Node]:
        cells = [nodes.paragraph(text, text) for text in (row.line.label, *found.shown(row))]
        key = f"{row.line.network}.last"
        cells[2] = nodes.paragraph("", "", number(cells[2].astext(), row.line.records(), key))
        if row.gain:
            cells[3] = nodes.paragraph("", "", sourced(cells[3].astext(), row.gain, ""))
        return cells


def setup(app) -> dict:
    app.add_directive("balance", BalanceDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
