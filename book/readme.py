"""Write what README.md says of results from the run records; ``--check`` only says whether that is up to date."""

import argparse
import sys

from snnbook import files
from snnbook.errors import UserError
from snnbook.experiments import balance
from snnbook.experiments.evidence import claims, judge

# What verdicts rest on, each row beside one of them; the book has all tables.
TABLES = {"one-protocol": "sdt", "tet-figure7": "sdt"}
PROFILE = "desk"
# What each method is for, over the SNN alone, as on the book's first page; and two methods over another.
QUESTIONS = {
    "TET": "protocol-tet-helps",
    "TET on a hundred classes": "tet-beats-sdt-cifar100-t2",
    "TET without its regularizer, at four time steps": "tet-beats-sdt-cifar100-t4",
    "TET without its regularizer, on digits": "tet-beats-sdt-snn5",
    "A trained teacher (distillation)": "joint-distillation-helps",
    "Joint A-SNN": "joint-all-beat-alone",
    "Joint A-SNN without its early exits": "joint-without-exits-beats-alone",
    "SASTC": "protocol-sastc-beats-alone",
    "SASTC over plain distillation": "protocol-sastc-beats-kd",
}
START, END = "<!-- results: written by book/readme.py -->", "<!-- end of results -->"


def sentences() -> str:
    """A line for each question: what a method adds to the accuracy of the spiking network, found on what."""
    asked = {question: judge.best(claims.find(name)) for question, name in QUESTIONS.items()}
    lines = "\n".join(f"- {question}: {verdict.text()}." for question, verdict in asked.items())
    return f"Is it more accurate than the SNN alone, or than what is named?\n\n{lines}"


def tables() -> str:
    """One after another, under their titles."""
    return "\n\n".join(table(name, against) for name, against in TABLES.items())


def table(name: str, against: str) -> str:
    """What each row has over the row ``against``, at what price, and its command."""
    found = balance(name, against, PROFILE)
    heads, *_ = found.cells()
    lines = [f"| {' | '.join([*heads, 'command'])} |", f"|---|{'---:|' * (len(heads) - 1)}---|"]
    for row in found.rows:
        command = f"`snnbook run {row.line.run} --profile {PROFILE} --data data`"
        lines.append(f"| {' | '.join([row.line.label, *found.shown(row), command])} |")
    return "\n".join([f"### {found.title}", "", *lines, "", found.caption()])


def updated(text: str) -> str:
    """README's ``text`` with the tables between its two marks as they should be now.

    Raises:
        UserError: the marks are not there once each, one after the other.
    """
    before, _, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not end or text.count(START) != 1 or text.count(END) != 1:
        raise UserError(
            f"README.md: expected the line {START!r} once and below it, once, {END!r}; put them back"
        )
    return f"{before}{START}\n\n{sentences()}\n\n{tables()}\n\n{END}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing, fail if the table is old")
    check = parser.parse_args().check
    path = files.root() / "README.md"
    old = path.read_text(encoding="utf-8")
    try:
        new = updated(old)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    if new != old and check:
        print(
            "README.md: its result tables are old; run: python book/readme.py",
            file=sys.stderr,
        )
        return 1
    if new != old:
        files.write_text(path, new)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
