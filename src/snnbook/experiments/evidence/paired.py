"""Differences between runs, taken seed by seed, and how sure their mean is.

An expression is a sum of numbers of records, each written ``<table>/<row>:<key>`` as for
:func:`snnbook.experiments.lookup`, with signs between blanks and factors before an asterisk::

    joint-table4/all:snn.last - joint-table4/snn:snn.last
    joint-table5/all:measure.ann.energy_uj - 12.5 * joint-table5/all:measure.snn.energy_uj

Runs of one seed share the order of images, so an expression is worked out within each seed that all its runs have.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property
from math import fsum
from pathlib import Path
from statistics import mean, stdev

from snnbook.errors import UserError
from snnbook.experiments.runs import record
from snnbook.experiments.runs.record import Record
from snnbook.experiments.tables import tables
from snnbook.experiments.tables.tables import PaperNumbers

CONFIDENCE = 0.95
POWER = 0.8  # how often a difference that is there should be seen
MOST_DIGITS = 4  # of a difference that is shown
MOMENTS = "measure.snn.scalability.moments."


@dataclass(frozen=True)
class Term:
    """``factor`` times the number ``key`` of ``run``."""

    factor: float
    run: str
    key: str


@dataclass(frozen=True)
class Estimate:
    """The mean of an expression over seeds.

    Attributes:
        values: by seed.
        records: what they come from.
        over: what the values are by, if not by seed.
        planned: how many seeds all its runs are to have; 0 where no table says.
    """

    values: dict[int, float]
    records: tuple[Record, ...] = field(repr=False)
    over: str = "seed"
    planned: int = 0

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def count(self) -> str:
        """``3 seeds``, or ``3 of 5 planned seeds``: a look before the end finds by chance more often."""
        if self.n < self.planned:
            return f"{self.n} of {self.planned} planned {self.over}s"
        return f"{self.n} {self.over}{'s' * (self.n != 1)}"

    @property
    def mean(self) -> float:
        return mean(self.values.values())

    @cached_property
    def half(self) -> float | None:
        """Half the width of the 95 % interval of the mean, by Student's t; None for one seed."""
        if self.n < 2:
            return None
        return student(self.n - 1) * stdev(self.values.values()) / self.n**0.5

    @property
    def decided(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.half is not None and abs(self.mean) > self.half

    @cached_property
    def sees(self) -> float | None:
        """The true difference that as many seeds, spread as these are, would tell from zero four times of five."""
        if self.n < 2:
            return None
        return reach(self.n) * stdev(self.values.values()) / self.n**0.5

    def text(self, digits: int = 1) -> str:
        """``+1.2 ± 0.4``: mean and half the interval; what rounds to zero has no sign of its own.

        Where rounding would hide on which side of zero an interval ends, there are more digits.
        """
        half = 0.0 if self.half is None else self.half
        while (
            digits < MOST_DIGITS
            and half
            and self.decided != (round(abs(self.mean), digits) > round(half, digits))
        ):
            digits += 1
        spread = "" if self.half is None else f" ± {self.half:.{digits}f}"
        return f"{round(self.mean, digits) + 0.0:+.{digits}f}{spread}"


def student(degrees: int, confidence: float = CONFIDENCE) -> float:
    """How many standard errors a 95 % interval, or another, reaches to each side, by Student's t."""
    from scipy.special import stdtrit  # not needed to print help

    return float(stdtrit(degrees, (1 + confidence) / 2))


def reach(n: int) -> float:
    """How many standard errors of ``n`` seeds a difference has to be for its interval to leave zero out at POWER.

    With a true difference Student's t is noncentral; this is where its share beyond the interval is POWER.
    """
    from scipy.special import nctdtrinc  # not needed to print help

    return float(nctdtrinc(n - 1, 1 - POWER, student(n - 1)))


def parse(text: str) -> tuple[Term, ...]:
    """The terms of an expression.

    Raises:
        UserError: it is no such expression, or names a run that no table has, or a moment that its paper has not.
    """
    first, *rest = re.split(r"\s([+-])\s", " ".join(text.split()))
    terms = []
    for sign, piece in [("+", first), *zip(rest[::2], rest[1::2], strict=True)]:
        found = re.fullmatch(r"(?:(\d*\.?\d+) \* )?([^\s:]+/[^\s:]+):(\S+)", piece.strip())
        if not found:
            raise UserError(
                f"{piece.strip()!r} is no number of a record; expected table/row:key, after a factor and "
                "an asterisk or none, for instance '0.5 * joint-table4/snn:snn.last'"
            )
        factor, run, key = found.groups()
        tables.find(run.partition("+")[0])
        terms.append(Term(float(f"{sign}{factor or 1}"), run, key))
        _printed(terms[-1])
    return tuple(terms)


def estimate(terms: tuple[Term, ...], profile: str, results: Path | None = None) -> Estimate | None:
    """The expression over the seeds that all its runs have; None where a run has no record.

    Raises:
        UserError: a record is damaged or has no such number.
    """
    by_term = [{made.seed: made for made in record.of(term.run, profile, results)} for term in terms]
    seeds = sorted(set.intersection(*(set(found) for found in by_term)))
    if not seeds:
        return None
    pairs = list(zip(terms, by_term, strict=True))
    values = {s: fsum(term.factor * found[s].value(term.key) for term, found in pairs) for s in seeds}
    used = {(term.run, seed): found[seed] for term, found in pairs for seed in seeds}
    return Estimate(values, tuple(used.values()), planned=_planned(terms, profile))


def _planned(terms: tuple[Term, ...], profile: str) -> int:
    """How many seeds the tables ask for of all an expression's runs; none of runs with changed settings."""
    if any("+" in term.run for term in terms):
        return 0
    rows = [tables.find(term.run, profile) for term in terms]
    return len(set.intersection(*(set(table.seeds_in(profile, row)) for table, row in rows)))


def missing(terms: tuple[Term, ...], profile: str, results: Path | None = None) -> str:
    """Why an expression has no estimate: what its first run without a record waits for, or which that is.

    Empty where all runs have records of a seed.
    """
    for term in terms:
        if record.of(term.run, profile, results):
            continue
        table, row = tables.find(term.run.partition("+")[0], profile)
        if profile in row.waits:
            return row.waits[profile]
        if profile not in table.profiles:
            return f"table {table.id} has no {profile} profile"
        return f"no record of {term.run}"
    seeds = [{made.seed for made in record.of(term.run, profile, results)} for term in terms]
    return "" if set.intersection(*seeds) else "its runs have no seed in common"


def in_paper(terms: tuple[Term, ...]) -> float | None:
    """The expression from the numbers that the papers print; None where one of them is missing."""
    found = [_printed(term) for term in terms]
    return None if None in found else fsum(t.factor * x for t, x in zip(terms, found, strict=True))


def _printed(term: Term) -> float | None:
    name, _, row = term.run.partition("/")
    if "+" in row:
        return None
    printed: PaperNumbers = tables.load(name).row(row).paper
    if term.key in ("snn.last", "ann.last"):
        return getattr(printed, term.key.partition(".")[0])
    if term.key == "cost.seconds_per_epoch":
        return printed.seconds_per_epoch
    if term.key == "measure.snn.mismatch.score":
        return printed.stm
    if term.key.startswith(MOMENTS) and printed.moments:
        step = term.key.removeprefix(MOMENTS)
        known = {str(number): value for number, value in enumerate(printed.moments, 1)}
        if step not in known:
            raise UserError(
                f"{term.run}:{term.key}: the paper prints moments 1 to {len(known)}; expected one of them"
            )
        return known[step]
    return None
