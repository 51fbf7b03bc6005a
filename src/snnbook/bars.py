"""Progress bars, and the one place that decides whether any is shown."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from contextvars import ContextVar
from typing import Any

from tqdm import tqdm

_SHOWN = ContextVar("shown", default=True)


@contextmanager
def shown(choice: bool) -> Iterator[None]:
    """Whether bars that the body begins are shown; what is hidden around it stays hidden."""
    before = _SHOWN.set(choice and _SHOWN.get())
    try:
        yield
    finally:
        _SHOWN.reset(before)


def bar(items: Iterable[Any] | None = None, what: str | None = None, **options: Any) -> tqdm:
    """A bar of tqdm's, called ``what``, over ``items``; ``disable=True`` among ``options`` hides it, too."""
    options["disable"] = options.get("disable", False) or not _SHOWN.get()
    return tqdm(items, what, **options)


@contextmanager
def others() -> Iterator[None]:
    """Hide what other libraries print in the body, of progress say, if bars are hidden."""
    if _SHOWN.get():
        yield
        return
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield
