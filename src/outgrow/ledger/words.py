"""The ledger in each engine's words: its statements by name, and how lists travel.  The one place that knows both."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from outgrow import sqlfile


class Words(NamedTuple):
    """One engine's."""

    queries: Mapping[str, str]
    #: A list as a parameter, and as it comes back.
    listed: Callable[[Sequence[Any]], Any]
    read: Callable[[Any], Sequence[Any]]


@cache
def words_of(engine: str) -> Words:
    if engine == "postgresql":
        return Words(sqlfile.load("outgrow.ledger"), list, lambda value: value or ())
    return Words(sqlfile.load("outgrow.ledger", "mariadb.sql"), json.dumps, lambda value: json.loads(value or "[]"))


def queries(engine: str = "postgresql") -> Mapping[str, str]:
    """Every statement on the ledger by name; `guard` and `token` are for the read path, `load_…` for loads."""
    return words_of(engine).queries
