"""How much a statement has brought together."""

from __future__ import annotations

from outgrow.errors import NotSupportedError


class Size:
    """Bytes so far, of all tables; more than the limit are refused."""

    __slots__ = ("_bytes", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0

    def add(self, text: str) -> None:
        self._bytes += len(text) if text.isascii() else len(text.encode())
        if self._bytes > self._limit:
            raise NotSupportedError(
                "OG-RUN-136",
                f"the query needs more than {self._limit:,} bytes of its tables on one server",
                cure="restrict the query, leave out wide columns, or raise the domain's finish: {bytes_max: …}",
            )
