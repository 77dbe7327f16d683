"""Targets by address, as a command line names them."""

from __future__ import annotations

from outgrow.errors import ConfigurationError
from outgrow.targets.jetstream import JetStream
from outgrow.targets.redis_stream import RedisStream
from outgrow.transactions.outbox import Target

_SCHEMES = {
    "redis": RedisStream,
    "rediss": RedisStream,
    "unix": RedisStream,
    "nats": JetStream,
    "tls": JetStream,
}


def target_at(address: str) -> Target:
    """The target at `redis://…`, `rediss://…`, `unix://…` (Redis), `nats://…` or `tls://…` (NATS)."""
    scheme, found, _ = address.partition("://")
    if not found or scheme not in _SCHEMES:
        raise ConfigurationError(
            "OG-TARGET-003",
            f"no target is known by addresses such as {scheme}://…" if found else "a target's address has a scheme",
            cure=f"one of: {', '.join(f'{name}://…' for name in _SCHEMES)}",
        )
    target: Target = _SCHEMES[scheme](address)
    return target
