"""Training state on disk: written whole, read without pickle's freedom to run code."""

import io
from pathlib import Path

import torch

from snnbook import files
from snnbook.errors import UserError


def save(path: Path, state: dict) -> None:
    """Write tensors, numbers, strings and containers of them; the file appears whole or not at all."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    files.write_bytes(path, buffer.getvalue())


def load(path: Path) -> dict:
    """Read what :func:`save` wrote, onto the CPU.

    Raises:
        UserError: the file is truncated or no checkpoint.  It is left as it is.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for a damaged file
        reason = str(error).strip().splitlines()[0][:80] if str(error).strip() else type(error).__name__
        raise UserError(
            f"cannot read checkpoint {path} ({reason}); expected one written by snnbook; delete it to start again"
        ) from None


def resume(path: Path | None, identity: str) -> dict | None:
    """The training state at ``path``, or None where there is none yet.

    Raises:
        UserError: the file is damaged, or belongs to another experiment.  It is left as it is.
    """
    if path is None or not Path(path).exists():
        return None
    state = load(path)
    if not isinstance(state, dict) or state.get("identity") != identity:
        found = state.get("identity", "nothing") if isinstance(state, dict) else "nothing"
        raise UserError(
            f"checkpoint {path} belongs to another experiment ({found}); expected {identity}; "
            "move it away or choose another work folder"
        )
    return state
