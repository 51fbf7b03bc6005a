"""Write what README.md says of results from the run records; ``--check`` only says whether that is up to date."""

import argparse
import sys

from snnbook import files
from snnbook.errors import UserError
from snnbook.experiments import report
from snnbook.experiments.evidence import claims, judge

# What verdicts rest on; the book has all tables.
TABLES = {"one-protocol": "desk", "tet-figure7": "desk"}
# What each paper's method is for: the first of its claims that has been run speaks, as on the book's first page.
QUESTIONS = {
    "TET over one loss on the mean readout": ("protocol-tet-helps",),
    "The same on a hundred classes": ("tet-beats-sdt-cifar100-t2",),
    "The same at four time steps": ("tet-beats-sdt-cifar100-t4",),
    "The same on digits": ("tet-beats-sdt-snn5",),
    "Joint A-SNN over the SNN alone": ("joint-all-beat-alone",),
    "Joint A-SNN without its early exits over the whole method": ("joint-without-exits-snn",),
    "Joint A-SNN with its public code's adaptors at these exits over the whole method": (
        "joint-adaptors-help",
    ),
    "SASTC over plain distillation, under one protocol": (
        "cifar100-sastc-beats-kd",
        "protocol-sastc-beats-kd",
    ),
}
START, END = "<!-- results: written by book/readme.py -->", "<!-- end of results -->"


def sentences() -> str:
    """A line for each paper: what its method adds to the accuracy of the spiking network, found on what."""
    asked = {question: [claims.find(name) for name in names] for question, names in QUESTIONS.items()}
    return "\n".join(f"- {question}: {judge.first_run(chosen).text()}." for question, chosen in asked.items())


def tables() -> str:
    """One after another, under their titles."""
    return "\n\n".join(table(name, profile) for name, profile in TABLES.items())


def table(name: str, profile: str) -> str:
    """The paper's numbers, ours, and the command of each row that has been run."""
    found = report(name, profile, columns="paper ours")
    timed = any(line.minutes for line in found.lines)
    if timed:
        found = report(name, profile, columns="paper ours minutes")
    heads = ("row", "network", "paper", f"ours, {profile}", *["minutes"] * timed, "command")
    lines = [f"| {' | '.join(heads)} |", f"|---|---|{'---:|' * (2 + timed)}---|"]
    options = "" if profile == "quick" else f" --profile {profile} --data data"
    for line in found.lines:
        if line.waits or not line.ours:
            continue
        ours = f"{line.ours.text()} (n = {line.ours.n})"
        paper = "n/a" if line.paper is None else f"{line.paper:g}"
        minutes = ["n/a" if line.minutes is None else f"{line.minutes:.0f}"] * timed
        cells = (
            line.label,
            line.network.upper(),
            paper,
            ours,
            *minutes,
            f"`snnbook run {line.run}{options}`",
        )
        lines.append(f"| {' | '.join(cells)} |")
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
