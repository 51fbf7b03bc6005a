"""Numbers with a source: pages cite run records and the papers' tables, never a typed-in figure.

``{record}`` prints a number of our runs, mean ± standard deviation over seeds; pointing at it shows which::

    {record}`joint-table4/snn:snn.last`                    the quick profile, one decimal
    {record}`joint-table4/all:cost.seconds_per_epoch profile=lab digits=2`
    {record}`joint-table4/all:measure.snn.firing_rate scale=100`    0.12 as 12.0

``{paper}`` prints what the paper has in that row: ``{paper}`joint-table4/all:snn```.

A number can be pointed at, reached with the Tab key or touched, and then says its source.

``{results}`` shows a whole table, the paper's numbers beside ours; without an argument all of them, in every
profile that verdicts rest on, or in the one it names::

    ```{results} joint-table4
    :profile: desk
    :columns: network paper ours n
    ```

Without a profile it is the one closest to the paper that has records.  A row without a record reads "not run".
An unknown row, key or option is a warning, and those are errors.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective, SphinxRole

from snnbook.checks import nearest
from snnbook.errors import UserError
from snnbook.experiments import lookup, report
from snnbook.experiments.evidence import learned
from snnbook.experiments.evidence.line import NOT_RUN, UNLEARNED, Line
from snnbook.experiments.evidence.report import STRONGEST, Report
from snnbook.experiments.runs.record import Record, folder
from snnbook.experiments.tables import tables

OPTIONS = {"profile": str, "digits": int, "scale": float}


def parse(text: str) -> tuple[str, dict]:
    """``table/row:key option=value ...`` as the reference and its options.

    Raises:
        UserError: no reference, an unknown option or a value of the wrong kind.
    """
    reference, *words = text.split() or [""]
    options = {"profile": "quick", "digits": 1, "scale": 1.0}
    for word in words:
        name, _, value = word.partition("=")
        if name not in OPTIONS:
            raise UserError(f"unknown option {word!r}; {nearest(name, OPTIONS)}")
        try:
            options[name] = OPTIONS[name](value)
        except ValueError:
            raise UserError(f"option {word!r}: {value!r} is no {OPTIONS[name].__name__}") from None
    return reference, options


class told(nodes.abbreviation):
    """A word with an explanation, which a page shows when one points at it, touches it, or tabs to it."""


def visit_told(writer, node: told) -> None:
    writer.body.append(writer.starttag(node, "abbr", "", title=node["explanation"], tabindex="0"))


def depart_told(writer, _: told) -> None:
    writer.body.append("</abbr>")


def explained(text: str, explanation: str, *classes: str) -> told:
    return told(text, text, explanation=explanation, classes=[*classes])


def provenance(records: Iterable[Record], by_seed: Mapping[int, float] | None = None, digits: int = 2) -> str:
    """Which runs a number comes from, in one line, and what it is for each seed."""
    by_seed = by_seed or {}
    records = list(records)
    runs = list(dict.fromkeys(made.run for made in records))
    named = " and ".join(runs) if len(runs) < 3 else f"{runs[0]} and {len(runs) - 1} more"
    seeds = list(dict.fromkeys(made.seed for made in records))
    shown = ", ".join(
        f"{seed} ({by_seed[seed]:.{digits}f})" if seed in by_seed else str(seed) for seed in seeds
    )
    devices = " and ".join(dict.fromkeys(made.environment["device"] for made in records))
    days = sorted({made.created[:10] for made in records})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    plural = "seeds" if len(seeds) > 1 else "seed"
    return f"{named}, {records[0].profile} profile, {plural} {shown}, on {devices}, {when}"


def number(
    text: str, records: Iterable[Record], key: str = "", digits: int = 2, scale: float = 1.0
) -> nodes.Node:
    """``text`` that shows its provenance; with the ``key`` it goes by, also by seed."""
    by_seed = {made.seed: scale * made.value(key) for made in records} if key else {}
    return explained(text, provenance(records, by_seed, digits), "record")


def unlearned(reference: str, records: Iterable[Record]) -> list[nodes.Node]:
    """Behind an accuracy a mark that its network did not learn, if that is so."""
    if not reference.endswith((".last", ".best")) or not (faults := learned.faults(records)):
        return []
    return [nodes.Text(" ("), explained(UNLEARNED, "; ".join(faults), "unlearned"), nodes.Text(")")]


def not_run() -> nodes.Node:
    return nodes.inline(NOT_RUN, NOT_RUN, classes=["not-run"])


def watch(env, run_id: str, profile: str) -> None:
    """Read the page again when the run's table or one of its records changes, or comes into being."""
    row_id, plus, mode = run_id.partition("+")
    table, row = tables.find(row_id, profile)
    env.note_dependency(str(tables.folder() / f"{table.id}.yaml"))
    for seed in table.seeds_in(profile, row):
        record = folder() / profile / f"{table.id}/{row.id}{plus}{mode}" / f"seed{seed}.json"
        env.note_dependency(str(record))


class RecordRole(SphinxRole):
    """A number of our runs."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            reference, options = parse(self.text)
            found = lookup(reference, options["profile"])
            watch(self.env, reference.partition(":")[0], options["profile"])
        except UserError as error:
            return refuse(self, f"record: {error}")
        if found is None:
            return [not_run()], []
        spread = None if found.std is None else found.std * options["scale"]
        shown = replace(found, mean=found.mean * options["scale"], std=spread)
        key, digits = reference.partition(":")[2], options["digits"]
        text = number(shown.text(digits), found.records, key, digits, options["scale"])
        return [text, *unlearned(reference, found.records)], []


class PaperRole(SphinxRole):
    """A number of the paper's table."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            reference, options = parse(self.text)
            run_id, _, key = reference.partition(":")
            name, _, row_id = run_id.partition("/")
            tables.find(run_id)
            table = tables.load(name)  # the row as this table shows it, even if another trains it
            row = table.row(row_id)
            value = getattr(row.paper, key, None) if key else None
            if not isinstance(value, int | float):
                known = [name for name, held in vars(row.paper).items() if held is not None]
                raise UserError(f"the paper's row {run_id} has no {key!r}; {nearest(key, known)}")
            self.env.note_dependency(str(tables.folder() / f"{table.id}.yaml"))
        except UserError as error:
            return refuse(self, f"paper: {error}")
        text = f"{value * options['scale']:g}"
        return [explained(text, table.source, "paper")], []


def refuse(role: SphinxRole, message: str) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """A warning with its place, which fails the build; the text stands on the page meanwhile."""
    told = role.inliner.reporter.warning(message, line=role.lineno)
    return [role.inliner.problematic(role.rawtext, role.rawtext, told)], [told]


class ResultsDirective(SphinxDirective):
    """A table, the paper's numbers beside ours; without an argument all tables, a section each."""

    optional_arguments = 1
    option_spec = {  # noqa: RUF012  (docutils wants a plain dict)
        "profile": directives.unchanged,
        "recipe": directives.unchanged,
        "which": directives.unchanged,
        "columns": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        try:
            if self.arguments:
                return self.table(self.arguments[0], **self.options)
            # A folder counts as changed at every build, so a table that is new to it is found.
            self.env.note_dependency(str(tables.folder()))
            return [self.section(name, self.options.get("profile")) for name in tables.names()]
        except UserError as error:
            raise self.error(f"results: {error}") from None

    def section(self, name: str, profile: str | None) -> nodes.Node:
        """One table, in ``profile`` or in all that have evidence; without any, the paper's numbers alone."""
        title, label = tables.load(name).title, name if profile is None else f"{profile}-{name}"
        profiles = tables.EVIDENCE if profile is None else (profile,)
        reports = {each: report(name, each) for each in profiles}
        made = [each for each, found in reports.items() if any(line.ours for line in found.lines)]
        shown = [node for each in made for node in self.table(name, each)]
        if not made and profile is None and all(line.paper is None for line in reports[profiles[-1]].lines):
            shown = [nodes.paragraph("", "", not_run())]
        elif not made:
            shown = self.table(name, profiles[-1], columns="" if profile else "network paper ours")
        return nodes.section("", nodes.title(title, title), *shown, ids=[label], names=[label])

    def table(self, name: str, profile: str = "", **options) -> list[nodes.Node]:
        found = report(name, profile or STRONGEST, **options)
        profile = found.profile
        self.env.note_dependency(str(tables.folder() / f"{name}.yaml"))
        for line in found.lines:
            for run_id in filter(None, (line.run, line.baseline_run)):
                watch(self.env, run_id, profile)
        columns = found.columns()
        if not found.chosen and len({line.device for line in found.lines if line.ours}) < 2:
            del columns["device"]  # which the caption names
        caption = nodes.paragraph(found.caption(), found.caption(), classes=["results-caption"])
        return [self.label(profile), self.grid(found, columns), caption]

    def grid(self, found: Report, columns: dict) -> nodes.Node:
        """Rows that can be run; behind them those that wait, below what they wait for: listed, not dropped."""
        body, waiting = [], {}
        for line in found.lines:
            if line.waits:
                waiting.setdefault(line.waits, []).append(line)
                continue
            body.append(
                row(self.cell(line, title, show(line), found.which) for title, show in columns.items())
            )
            body[-1]["classes"] += ["unlearned"] * bool(line.unlearned) + ["idle"] * (not line.ours)
        few = {title: show for title, show in columns.items() if title in ("row", "network", "paper")}
        for reason, those in waiting.items():
            count = "one row waits" if len(those) == 1 else f"{len(those)} rows wait"
            text = f"{count}: {reason}"
            entry = nodes.entry("", nodes.paragraph(text, text), morecols=len(columns) - 1)
            body.append(nodes.row("", entry, classes=["waits", "reason"]))
            for line in those:
                cells = [self.field(title, nodes.Text(show(line))) for title, show in few.items()]
                body.append(row([*cells, *(nodes.paragraph() for _ in range(len(columns) - len(few)))]))
                body[-1]["classes"] += ["waits"]
        head = row(nodes.paragraph(title, title) for title in columns)
        group = nodes.tgroup("", cols=len(columns))
        group += [nodes.colspec(colwidth=1) for _ in columns]
        group += [nodes.thead("", head), nodes.tbody("", *body)]
        return nodes.table("", group, classes=["results"])

    def cell(self, line: Line, title: str, text: str, which: str) -> nodes.Node:
        """One entry: the row's name with its run id, a number with its provenance, or plain text."""
        if title == "row":
            label = line.label.replace(" = ", "\xa0=\xa0")  # "T = 4" stays on one line
            parts = [nodes.Text(label), nodes.literal(line.run, line.run, classes=["run-id"])]
            if line.note:
                parts.append(nodes.inline(line.note, line.note, classes=["note"]))
            return nodes.paragraph("", "", *parts)
        accuracy = f"{line.network}.{which}"
        source, key = {
            "ours": (line.ours, accuracy),
            "snnTorch": (line.baseline, accuracy),
            "seconds": (line.seconds, "cost.seconds"),
            "s/epoch": (line.seconds_per_epoch, "cost.seconds_per_epoch"),
            "µJ": (line.energy, f"measure.{line.network}.energy_uj"),
            "STM": (line.stm, "measure.snn.mismatch.score"),
        }.get(title, (None, ""))
        if text == NOT_RUN:
            return self.field(title, not_run())
        return self.field(title, number(text, source.records, key) if source else nodes.Text(text))

    def field(self, title: str, shown: nodes.Node) -> nodes.Node:
        """An entry's content behind its column's name, which stands there where a row is a card, on phones."""
        name = [] if title == "row" else [nodes.inline(title, title, classes=["column"])]
        always = title in ("row", "network", "paper", "ours")
        void = not always and shown.astext() in (NOT_RUN, "n/a", "0")  # a card leaves it out
        classes = ["ours"] * (title == "ours") + ["void"] * void
        return nodes.paragraph("", "", *name, shown, classes=classes)

    def label(self, profile: str) -> nodes.Node:
        warnings = {"paper": "", tables.REHEARSAL: ": a rehearsal, which decides nothing"}
        text = f"{profile} profile" + warnings.get(profile, ": not the paper's numbers")
        return nodes.paragraph("", "", nodes.inline(text, text), classes=["profile-label", profile])


def row(cells: Iterable[nodes.Node]) -> nodes.Node:
    return nodes.row("", *(nodes.entry("", cell) for cell in cells))


def setup(app) -> dict:
    app.add_node(told, html=(visit_told, depart_told))
    app.add_role("record", RecordRole())
    app.add_role("paper", PaperRole())
    app.add_directive("results", ResultsDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
