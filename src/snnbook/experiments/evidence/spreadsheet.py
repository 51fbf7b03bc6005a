"""A report for a spreadsheet: unrounded, one number a cell, empty where nothing was run or printed."""

import csv
import io
from typing import TYPE_CHECKING

from snnbook.experiments.evidence import paired
from snnbook.experiments.evidence.line import Line, joined
from snnbook.experiments.runs.record import Statistic
from snnbook.experiments.tables import tables

if TYPE_CHECKING:
    from snnbook.experiments.evidence.report import Report

COLUMNS = (
    *("run", "label", "network", "profile", "data", "classes", "paper", "paper_std"),
    *("ours", "ours_std", "ours_low", "ours_high", "n", "seeds", "difference", "unlearned"),
    *("snntorch", "snntorch_std", "snntorch_low", "snntorch_high"),
    *("paper_stm", "stm", "stm_std", "energy_uj", "energy_uj_std"),
    *("minutes", "seconds", "seconds_per_epoch", "paper_seconds_per_epoch", "device"),
)


def csv_of(report: "Report") -> str:
    """A line of :data:`COLUMNS`, and one for each network of each row.

    ``_low`` and ``_high`` are the ends of the 95 % interval of a mean over seeds, by Student's t; ``seeds`` are
    separated by blanks; ``difference`` from the paper's number is there in the paper profile alone.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for line in report.lines:
        writer.writerow(_row(report, line))
    return out.getvalue()


def _row(report: "Report", line: Line) -> dict:
    ours = line.ours.records if line.ours else ()
    return {
        "run": line.run,
        "label": line.label,
        "network": line.network,
        "profile": report.profile,
        "data": joined(made.data["name"] for made in ours),
        "classes": ours[0].data["classes"] if ours else None,
        "paper": line.paper,
        "paper_std": line.paper_std,
        **_parts("ours", line.ours),
        **_interval("ours", line.ours),
        "n": len(ours),
        "seeds": " ".join(str(made.seed) for made in ours),
        "difference": line.difference if report.profile == tables.PROFILES[-1] else None,
        "unlearned": line.unlearned,
        **_parts("snntorch", line.baseline),
        **_interval("snntorch", line.baseline),
        "paper_stm": line.paper_stm,
        **_parts("stm", line.stm),
        **_parts("energy_uj", line.energy),
        "minutes": line.minutes,
        "seconds": line.seconds and line.seconds.mean,
        "seconds_per_epoch": line.seconds_per_epoch and line.seconds_per_epoch.mean,
        "paper_seconds_per_epoch": line.paper_seconds,
        "device": line.device,
    }


def _parts(name: str, value: Statistic | None) -> dict[str, float | None]:
    return {name: value.mean, f"{name}_std": value.std} if value else {}


def _interval(name: str, value: Statistic | None) -> dict[str, float]:
    if value is None or value.std is None:
        return {}
    half = paired.student(value.n - 1) * value.std / value.n**0.5
    return {f"{name}_low": value.mean - half, f"{name}_high": value.mean + half}
