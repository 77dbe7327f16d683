"""Each protection of atomic commit, switched off, in the worker that is started with its name."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

MUTANTS: dict[str, Callable[[], contextlib.AbstractContextManager[object]]] = {}


@contextlib.contextmanager
def switched_off(name: str) -> Iterator[None]:
    if not name:
        yield
        return
    with MUTANTS[name]():
        yield
