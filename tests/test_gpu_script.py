"""The script for a borrowed GPU runs rows in order, never past its time, and makes nothing twice."""

import os
import subprocess
import sys
from pathlib import Path

from matrix_cases import TABLE

SCRIPT = Path(__file__).resolve().parents[1] / "workflow/gpu.py"


def gpu(folder, minutes):
    words = ["--profile", "quick", "--tables", "demo", "--groups", "--minutes", minutes, "--at-once", 2]
    words += ["--results", folder / "results", "--work", folder / "runs"]
    environment = os.environ | {
        "SNNBOOK_EXPERIMENTS": str(folder / "tables"),
        "PYTHONPATH": str(SCRIPT.parents[1] / "src"),
    }
    command = [sys.executable, SCRIPT, folder / "data", *words]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def records(folder):
    return {path: path.stat().st_mtime_ns for path in (folder / "results").rglob("seed*.json")}


def test_rows_are_run_once_and_not_past_the_time(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/demo.yaml").write_text(TABLE)
    assert "3 rows left" in gpu(tmp_path, 0) and not records(tmp_path)
    said = gpu(tmp_path, 4)
    assert said.index("demo/teacher done") < said.index("demo/pupil done")
    first = records(tmp_path)
    assert len(first) == 3 and "all rows have their records" in said
    gpu(tmp_path, 4)
    assert records(tmp_path) == first
