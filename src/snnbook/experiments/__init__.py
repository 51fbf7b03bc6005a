"""The papers' tables, rerun: ``run`` computes a row, ``report`` sets it beside the paper, ``lookup`` cites it,
``curves`` how it got there, ``balance`` what helps at what price, ``verdicts`` what follows."""

from typing import TYPE_CHECKING

from snnbook.lazy import lazy

if TYPE_CHECKING:
    from snnbook.experiments.evidence.balance import Balance as Balance
    from snnbook.experiments.evidence.balance import balance as balance
    from snnbook.experiments.evidence.curves import Curves as Curves
    from snnbook.experiments.evidence.curves import curves as curves
    from snnbook.experiments.evidence.report import Report as Report
    from snnbook.experiments.evidence.report import report as report
    from snnbook.experiments.evidence.verdicts import verdicts as verdicts
    from snnbook.experiments.runs.exact import keep_exact as keep_exact
    from snnbook.experiments.runs.kept import save_pretrained as save_pretrained
    from snnbook.experiments.runs.record import Record as Record
    from snnbook.experiments.runs.record import Statistic as Statistic
    from snnbook.experiments.runs.record import lookup as lookup
    from snnbook.experiments.runs.run import run as run

_PLACES = {
    "Balance": "evidence.balance",
    "Curves": "evidence.curves",
    "Record": "runs.record",
    "Report": "evidence.report",
    "Statistic": "runs.record",
    "balance": "evidence.balance",
    "curves": "evidence.curves",
    "keep_exact": "runs.exact",
    "lookup": "runs.record",
    "report": "evidence.report",
    "run": "runs.run",
    "save_pretrained": "runs.kept",
    "verdicts": "evidence.verdicts",
}
__all__ = list(_PLACES)
__getattr__, __dir__ = lazy(__name__, _PLACES)
