"""What ``snnbook bench`` has written, read; that takes no torch."""

import json
from pathlib import Path

from snnbook import files
from snnbook.errors import UserError
from snnbook.experiments.runs import record


def read(group: str, device_type: str = "cpu", results: Path | None = None) -> dict:
    """The record that :func:`snnbook.bench.main` wrote: ``measurements`` by title, ``environment``, ``rounds``.

    Raises:
        UserError: it was not measured there, or the record is damaged.
    """
    paths = [place / "bench" / device_type / f"{group}.json" for place in record.places(results)]
    path = next(filter(Path.is_file, paths), paths[0])
    if not path.is_file():
        raise UserError(f"no record {path}; measure it there: snnbook bench {group} --device {device_type}")
    try:
        return json.loads(files.read_text(path, "a measurement"))
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path} is damaged ({type(error).__name__}); restore it from git, or measure again"
        ) from None
