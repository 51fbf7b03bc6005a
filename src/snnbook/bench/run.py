"""Measure groups, print them, keep a record of each."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import torch

from snnbook import files
from snnbook.bench.groups import GROUPS
from snnbook.bench.layers import by_kind, layer_times
from snnbook.bench.measure import Step, kept_bytes, peak_bytes, ratios, using_kernel
from snnbook.bench.measurement import Measurement
from snnbook.checks import nearest, whole
from snnbook.errors import UserError
from snnbook.experiments.runs import record as records
from snnbook.experiments.runs.provenance import code, environment, pick_device
from snnbook.trainers.loop import allocator

# Compiling a whole network takes minutes on a CPU, so this group is measured when it is named.
LEFT_OUT = ("whole",)
MOST_ROUNDS = 1000


def main(
    groups: Sequence[str] = (), device: str = "auto", rounds: int = 5, results: Path | None = None
) -> None:
    """Measure, print, and write ``results/bench/<device type>/<group>.json``, a file a group.

    Args:
        groups: names of ``GROUPS``; all but those that take minutes to compile by default.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        rounds: measurements of each variant, interleaved.
        results: folder of records.

    Raises:
        UserError: no such group or device, less than one round or too many, or a folder that cannot be written.
    """
    for name in groups:
        if name not in GROUPS:
            raise UserError(f"no group of measurements {name!r}; {nearest(name, GROUPS)}")
    rounds = whole(rounds, "rounds", 1, MOST_ROUNDS)
    kept = allocator.keep_freed_memory()  # for every variant alike
    chosen = pick_device(device)
    place = (results or records.folder()) / "bench" / chosen.type
    paths = {name: place / f"{name}.json" for name in groups or [x for x in GROUPS if x not in LEFT_OUT]}
    files.check_writable(paths.values(), "measurements")
    for name, path in paths.items():
        measured = {m.title: measure(m, chosen, rounds) for m in GROUPS[name](chosen)}
        record = {
            "group": name,
            "measurements": measured,
            "rounds": rounds,
            "freed_memory_kept": kept,
            "environment": environment(chosen, "float32"),
            "code": code(),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        files.write_text(path, json.dumps(record, indent=1) + "\n")
        print(f"record: {path}\n")


def measure(measurement: Measurement, device: torch.device, rounds: int) -> dict[str, dict]:
    """Ratios and memory of each variant; printed as they come."""
    waits = {"cuda": partial(torch.cuda.synchronize, device), "mps": torch.mps.synchronize}
    synchronize = waits.get(device.type, lambda: None)
    print(
        f"{measurement.title} (time relative to {' + '.join(measurement.base)}; range over {rounds} rounds)"
    )
    rows = ratios(measurement.variants, measurement.base, rounds, synchronize)
    for name, variant in measurement.variants.items():
        row = rows[name]
        if name in measurement.asked:
            row["asked"] = measurement.asked[name]
        if measurement.images:
            row["images_per_second"] = 1e3 * measurement.images / row["milliseconds"]
        if isinstance(variant, Step):
            with using_kernel(variant.kernel):
                row["kept_bytes"] = kept_bytes(variant.loss, list(variant.method.parameters()))
            row["peak_bytes"] = peak_bytes(variant, device)
        print(f"  {name:38} {_line(row)}", flush=True)
    if measurement.seen_through:
        name = measurement.seen_through
        rows[name]["layers"] = layer_times(measurement.variants[name], synchronize=synchronize)
        shares = (f"{share:.0%} {kind}" for kind, share in by_kind(rows[name]["layers"]).items())
        print(f"  {name}: {', '.join(shares)}")
    for name, why in measurement.absent.items():
        rows[name] = {"absent": why}
        print(f"  {name:38} not measured: {why}")
    return rows


def _line(row: dict) -> str:
    text = f"{row['ratio']:6.2f}  ({row['least']:.2f} to {row['most']:.2f})  {row['milliseconds']:9.1f} ms"
    if "images_per_second" in row:
        text += f"  {row['images_per_second']:8.0f} images/s"
    if "kept_bytes" in row:
        text += f"  {row['kept_bytes'] / 2**20:8.1f} MiB kept"
    if row.get("peak_bytes"):
        text += f"  {row['peak_bytes'] / 2**20:8.1f} MiB peak"
    return text
