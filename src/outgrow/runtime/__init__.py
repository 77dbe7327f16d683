"""The composition: everything one `fleet.yaml` describes, opened, and the sessions that speak to it."""

from outgrow.runtime.copy import AsyncCopy, Copy
from outgrow.runtime.explain import Explanation
from outgrow.runtime.fleet import Fleet, open_fleet
from outgrow.runtime.ids import uuid7
from outgrow.runtime.result import Result
from outgrow.runtime.session import AsyncSession, Session

__all__ = [
    "AsyncCopy",
    "AsyncSession",
    "Copy",
    "Explanation",
    "Fleet",
    "Result",
    "Session",
    "open_fleet",
    "uuid7",
]
