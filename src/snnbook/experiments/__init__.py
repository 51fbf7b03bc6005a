"""The papers' tables, rerun: ``run`` computes a row, ``report`` sets it beside the paper, ``lookup`` cites it."""

from snnbook.experiments.record import Record, Statistic, lookup
from snnbook.experiments.report import Report, report
from snnbook.experiments.run import run

__all__ = ["Record", "Report", "Statistic", "lookup", "report", "run"]
