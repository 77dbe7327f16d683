"""What a check says: how severe, what, where, and the cure."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Severity(enum.StrEnum):
    #: Something fails, is wrong, or may be lost.
    ERROR = "error"
    #: Something will fail.
    WARNING = "warning"
    #: Worth knowing; a fleet with nothing worse is healthy.
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    severity: Severity
    #: The check that found it.
    check: str
    what: str
    #: The node, shard or domain.
    where: str
    cure: str
