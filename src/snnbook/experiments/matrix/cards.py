"""A GPU for each run: two runs that ask here never share a card, whoever started them."""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from snnbook.errors import UserError
from snnbook.files import HeldError, hold


def cards() -> list[str]:
    """The names (UUIDs) of the NVIDIA GPUs this process may use, found without torch; none without a driver.

    Raises:
        UserError: ``CUDA_VISIBLE_DEVICES`` names a card that is not here.
    """
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):  # no driver, or no card behind it
        return []
    here = re.findall(r"UUID: (GPU-[\w-]+)", listed)
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return here
    names = [name.strip() for name in chosen.split(",") if name.strip() not in ("", "-1")]
    try:
        return [here[int(name)] if name.isdigit() else name for name in names]
    except IndexError:
        raise UserError(
            f"CUDA_VISIBLE_DEVICES is {chosen!r}, but nvidia-smi lists {len(here)}; name cards that are here"
        ) from None


@contextmanager
def own_card() -> Iterator[None]:
    """Wait for a card that no other run of this user holds, and show only that one to CUDA while the body runs.

    Enter it before torch looks for cards.  Where there is none, nothing happens.  The lock files lie in the
    machine's folder for temporary files, and the system frees a lock when its holder ends, however it ends.
    """
    names = cards()
    if not names:
        yield
        return
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    with ExitStack() as held:
        while (card := _take(held, names)) is None:
            time.sleep(1)
        os.environ["CUDA_VISIBLE_DEVICES"] = card
        try:
            yield
        finally:
            if before is None:
                del os.environ["CUDA_VISIBLE_DEVICES"]
            else:
                os.environ["CUDA_VISIBLE_DEVICES"] = before


def _take(held: ExitStack, names: list[str]) -> str | None:
    place = Path(tempfile.gettempdir()) / f"snnbook-cards-{os.getuid()}"
    for name in names:
        try:
            held.enter_context(hold(place / name, "this card", patience=0))
        except HeldError:
            continue
        return name
    return None
