"""Main effects of settings that a table's rows change together, a factorial design at two levels.

A row is at the second level of each factor that it writes, at the first of all others.  The main effect of a
factor is the mean over the rows at its second level less the mean over the rest, seed by seed: every row counts
for every factor.  In half of all combinations of four factors (a fractional factorial, 2^(4-1)) a main effect has
in it, with one sign or the other, the interaction of the three other factors, which one takes for small.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from snnbook.errors import UserError
from snnbook.experiments.evidence import paired
from snnbook.experiments.evidence.paired import Estimate, Term
from snnbook.experiments.tables import settings, tables
from snnbook.experiments.tables.tables import Row


def main_effects(
    table: str,
    factors: Sequence[str],
    key: str = "snn.last",
    profile: str = "desk",
    results: Path | None = None,
) -> dict[str, Estimate | None]:
    """The main effect of each factor on a number of the records; None until all rows have a record.

    Args:
        table: its id.
        factors: names of settings, such as ``decay``; the design is the rows that write these and nothing else.
        key: the number, as for :func:`snnbook.experiments.lookup`.
        profile: whose records.
        results: folder of records; the project's by default.

    Raises:
        UserError: no such table; or its rows do not tell the factors apart.
    """
    return {
        factor: paired.estimate(terms, profile, results)
        for factor, terms in contrasts(table, factors, key).items()
    }


def contrasts(table: str, factors: Sequence[str], key: str = "snn.last") -> dict[str, tuple[Term, ...]]:
    """The main effect of each factor as an expression over the rows of the design; errors as above."""
    levels = design(table, factors)
    for i, one in enumerate(factors):
        for other in (None, *factors[:i]):
            if not levels or sum(
                _sign(row, one) * (_sign(row, other) if other else 1) for row in levels.values()
            ):
                raise UserError(
                    f"the rows of {table} do not tell {one} from {other or 'the rest'}; expected as many rows "
                    "with a factor as without, and so for each two factors together"
                )
    share = 2 / len(levels)
    return {
        factor: tuple(
            Term(share * _sign(row, factor), f"{table}/{name}", key) for name, row in levels.items()
        )
        for factor in factors
    }


def design(table: str, factors: Sequence[str]) -> dict[str, frozenset[str]]:
    """Which of the factors each row of the design has at the second level."""
    rows = [row for row in tables.load(table).rows if not (row.same or row.instead)]
    written = {row.id: frozenset(_written(row)) for row in rows}
    return {name: found for name, found in written.items() if found <= {*factors}}


def _sign(row: frozenset[str], factor: str) -> int:
    return 1 if factor in row else -1


def _written(row: Row) -> Iterator[str]:
    """Names of the settings that a row writes; of ``options`` and ``neuron_options``, of those in them."""
    for section in settings.plain(row.sections).values():
        for key, value in section.items():
            yield from value if key in ("options", "neuron_options") else (key,)
