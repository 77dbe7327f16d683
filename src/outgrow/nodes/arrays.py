"""Arrays as the server writes them → their elements as it writes those."""

from __future__ import annotations

from psycopg import adapters
from psycopg.adapt import Transformer
from psycopg.pq import Format

_TEXTS = adapters.types["text"].array_oid


def elements(array: str) -> list[str | None]:
    """The texts of an array of one dimension, whatever its type: they are only unquoted."""
    found: list[str | None] = Transformer().get_loader(_TEXTS, Format.TEXT).load(array.encode())
    return found
