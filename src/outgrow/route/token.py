"""The token: how far a session has seen, per shard; it travels between processes as signed text."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from outgrow.errors import InterfaceError
from outgrow.route.position import Position

#: The second has more than floors and epochs; a token without more is written as the first.
_VERSIONS = ("1", "2")
_SIGNATURE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Token:
    """What a session must see again: a floor per shard (keyed `domain/shard`), and the shard map's epoch.

    `pending` names, per shard, prepared branches that are committed but that the shard had not confirmed; `ahead` the
    shards where a replica has shown what their primary may not show yet.
    """

    floors: Mapping[str, Position] = field(default_factory=dict)
    epochs: Mapping[str, int] = field(default_factory=dict)
    pending: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ahead: frozenset[str] = frozenset()

    def merged(self, other: Token) -> Token:
        """Both sessions' promises: the pointwise maximum (a later generation wins over any position)."""
        floors = dict(self.floors)
        for shard, position in other.floors.items():
            floors[shard] = max(position, floors.get(shard, position))
        epochs = dict(self.epochs)
        for domain, epoch in other.epochs.items():
            epochs[domain] = max(epoch, epochs.get(domain, epoch))
        pending = {
            shard: tuple(sorted({*self.pending.get(shard, ()), *other.pending.get(shard, ())}))
            for shard in {**self.pending, **other.pending}
        }
        return Token(floors, epochs, pending, self.ahead | other.ahead)

    def sign(self, secret: bytes) -> str:
        """URL-safe text: version, payload, signature (HMAC-SHA256, first 16 bytes)."""
        facts = [{k: list(v) for k, v in sorted(self.floors.items())}, dict(sorted(self.epochs.items()))]
        version = _VERSIONS[bool(self.pending or self.ahead)]
        if self.pending or self.ahead:
            facts.append({shard: list(names) for shard, names in sorted(self.pending.items())})
        if self.ahead:
            facts.append(sorted(self.ahead))
        payload = _encode(json.dumps(facts, separators=(",", ":")).encode())
        return f"{version}.{payload}.{_encode(_signature(secret, version, payload))}"

    @classmethod
    def read(cls, text: str, secret: bytes) -> Token:
        """The token behind signed text; anything not signed by `secret` is refused."""
        parts = text.split(".")
        if len(parts) != 3 or parts[0] not in _VERSIONS:
            raise _refused("it is not a token of this version")
        try:
            given = _decode(parts[2])
        except ValueError:
            raise _refused("its signature cannot be read") from None
        if not hmac.compare_digest(given, _signature(secret, parts[0], parts[1])):
            raise _refused("its signature is wrong")
        floors, epochs, *more = json.loads(_decode(parts[1]))
        pending = {shard: tuple(names) for shard, names in (more[0] if more else {}).items()}
        ahead = frozenset(more[1] if len(more) > 1 else ())
        return cls({shard: Position(*position) for shard, position in floors.items()}, epochs, pending, ahead)


def _refused(why: str) -> InterfaceError:
    return InterfaceError(
        "OG-ROUTE-003",
        f"the session token is refused: {why}",
        cure="pass the text of Session.token() unchanged, and give both processes the same `secret` in fleet.yaml",
    )


def _signature(secret: bytes, version: str, payload: str) -> bytes:
    return hmac.new(secret, f"{version}.{payload}".encode(), hashlib.sha256).digest()[:_SIGNATURE_BYTES]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
