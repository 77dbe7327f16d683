"""The ledger in each engine's words: its statements by name, and how lists travel.  The one place that knows both."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from outgrow import sqlfile


class Words(NamedTuple):
    """One engine's."""

    queries: Mapping[str, str]
    #: The version of the tables that this library writes and reads: the last that the queries lead to.
    version: int
    #: A list as a parameter, and as it comes back.
    listed: Callable[[Sequence[Any]], Any]
    #: A list of texts in which anything may stand.
    texts: Callable[[Sequence[str]], Any]
    read: Callable[[Any], Sequence[Any]]


@cache
def words_of(engine: str) -> Words:
    if engine == "postgresql":
        queries = sqlfile.load_folder("outgrow.ledger", "postgresql")
        return Words(queries, _version(queries), list, list, lambda value: value or ())
    queries = sqlfile.load_folder("outgrow.ledger", "mariadb")
    return Words(queries, _version(queries), json.dumps, _hexadecimal, lambda value: json.loads(value or "[]"))


def _hexadecimal(texts: Sequence[str]) -> str:
    return json.dumps([text.encode().hex() for text in texts])


def _version(queries: Mapping[str, str]) -> int:
    return max(int(found[1]) for name in queries if (found := re.match(r"v(\d+)_", name)))


def queries(engine: str = "postgresql") -> Mapping[str, str]:
    """Every statement on the ledger by name; `guard` and `token` are for the read path, `load_…` for loads."""
    return words_of(engine).queries
