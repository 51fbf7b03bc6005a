"""Packages of the extra ``deploy``, imported when they are needed."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from types import ModuleType

from snnbook.errors import UserError, one_line


def package(name: str, purpose: str, extra: str = "deploy") -> ModuleType:
    """The module ``name`` of a package.

    Args:
        name: of the module to import.
        purpose: what it does here, for the message.
        extra: of this library, that brings it.

    Raises:
        UserError: it is not there, or cannot be imported.
    """
    whole = name.split(".")[0]
    try:
        import_module(whole)
        return import_module(name)
    except ImportError as error:
        reason = (
            "is not installed"
            if getattr(error, "name", None) == whole
            else f"fails ({one_line(error)[:120]})"
        )
        locked = "" if extra == "neurobench" else "make setup, or "  # the one extra that is not in the lock
        raise UserError(
            f"{whole}, which {purpose}, {reason}; get it: {locked}pip install -e '.[{extra}]'"
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """What such packages print, warn of and log in the body is not shown."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
