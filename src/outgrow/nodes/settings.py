"""How one process talks to nodes; read once, passed down."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """What every connection is made with."""

    #: Prepare a statement once it has run this often on a connection; None: never (behind transaction poolers).
    prepare_after: int | None = 5
    prepared_max: int = 100
    connect_timeout_seconds: float = 10.0
    #: How long a cancelled statement may take to end before its connection is closed instead; 0: closed at once.
    cancel_timeout_seconds: float = 5.0
    application_name: str = "outgrow"


@dataclass(frozen=True, slots=True)
class PoolAges:
    """When a pool checks a link before it hands it out."""

    #: Idle this long: look whether the server hung up (no round trip).
    peek_after_seconds: float = 1.0
    #: Idle this long: ask the server (one round trip) before handing it out.
    check_after_seconds: float = 30.0
    #: How long the server may take to answer that; then the link is replaced.
    check_timeout_seconds: float = 2.0
