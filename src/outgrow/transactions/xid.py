"""The names that an application's own coordinator gives to transactions, and how a prepared branch carries one."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote
from uuid import UUID

from outgrow.errors import ProgrammingError

#: What the branch that carries the decision is called first; an older outgrow does not take it for one of its own.
MARKER_PREFIX = "outgrow-xid/"

#: A name of PostgreSQL's has 199 bytes at most, a part of an XA name 64.
_BYTES_MAX, _PART_MAX = 199, 64
_BRANCHES_MAX = 9999

_MARKER = re.compile(rf"{MARKER_PREFIX}([0-9a-f]{{32}})/(\d+)/(\d+)/([^/]*)/([^/]*)")


class Marker(NamedTuple):
    """What the name of a prepared branch that carries the decision says."""

    number: UUID
    #: How many branches are prepared, this one too.
    branches: int
    xid: Xid


class Xid(NamedTuple):
    """XA's three parts; `Xid.of` checks them."""

    format_id: int
    gtrid: str
    bqual: str

    @classmethod
    def of(cls, format_id: int, gtrid: str, bqual: str) -> Xid:
        xid = cls(format_id, gtrid, bqual)
        if not isinstance(format_id, int) or not 0 <= format_id < 1 << 31:
            raise _refused(f"{format_id!r} is not a format id", "pass a number from 0 to 2,147,483,647")
        for part in (gtrid, bqual):
            if not isinstance(part, str) or len(part) > _PART_MAX:
                raise _refused(f"{part!r} is no part of a transaction's name", f"pass text of {_PART_MAX} characters")
        try:
            size = len(xid.marker(UUID(int=0), _BRANCHES_MAX))
        except UnicodeEncodeError as error:
            raise _refused(f"{xid} cannot be written in UTF-8", "leave lone surrogates out") from error
        if size > _BYTES_MAX:
            raise _refused(
                f"the name {xid} is {size - _BYTES_MAX} bytes too long once written in ASCII",
                "use letters, digits and -._~: each other byte counts three",
            )
        return xid

    def marker(self, number: UUID, branches: int) -> str:
        """What the branch that carries the decision is called while it is prepared.  No quotes, no backslashes."""
        parts = "/".join(quote(part, safe="") for part in (self.gtrid, self.bqual))
        return f"{MARKER_PREFIX}{number.hex}/{branches}/{self.format_id}/{parts}"

    def __str__(self) -> str:
        return f"({self.format_id}, {self.gtrid!r}, {self.bqual!r})"


def read_marker(gid: str) -> Marker | None:
    """What a prepared branch's name says; None where it carries no decision of ours."""
    match = _MARKER.fullmatch(gid)
    if match is None:
        return None
    return Marker(UUID(match[1]), int(match[2]), Xid(int(match[3]), unquote(match[4]), unquote(match[5])))


def _refused(what: str, cure: str) -> ProgrammingError:
    return ProgrammingError("OG-TX-020", what, cure=cure)
