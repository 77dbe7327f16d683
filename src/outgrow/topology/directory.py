"""The `directory:` of a domain → `Listing`: which keys stand in the ledger's directory, and where a new one goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from outgrow.topology.marks import Spot, nearest
from outgrow.topology.model import Listing, Shard

#: Ways to choose a new key's shard; beside them the name of a shard.
POLICIES = ("hash", "least_keys", "round_robin", "refuse")

#: Type → the kind of keys that share a place.  Others have no text that is the same in every session.
_FAMILIES = {
    **dict.fromkeys(("int2", "int4", "int8"), "integer"),
    **dict.fromkeys(("text", "varchar"), "text"),
    "uuid": "uuid",
}


def directory_of(strategy: str, fields: Mapping[str, Spot], shards: Sequence[Shard], most: int) -> tuple[Listing, ...]:
    """A domain's directory, which it has under the strategy `directory` and under no other; `most` slots have room."""
    if strategy == "directory" and "directory" not in fields:
        fields["strategy"].fail(
            "OG-TOPO-050",
            "the strategy directory does not say which keys stand in it",
            "add `directory: {int8: {assign: hash}}`, with the type of your keys",
        )
    if strategy != "directory" and "directory" in fields:
        fields["directory"].fail(
            "OG-TOPO-050",
            f"there is a directory under the strategy {strategy}",
            "write `strategy: directory`, or remove it",
        )
    if "directory" not in fields:
        return ()
    for node in (node for shard in shards for node in shard.nodes if node.pooled):
        fields["directory"].fail(
            "OG-TOPO-054",
            f"{node.name} stands behind a transaction pooler, and the directory needs the servers themselves",
            "write their own addresses, without `pooler:`; or choose another strategy",
        )
    if len(shards) == 1:
        fields["directory"].fail(
            "OG-TOPO-050", "with one shard there is nothing to look up", "name another shard, or leave the strategy out"
        )
    if len(shards) > most:
        fields["directory"].fail(
            "OG-TOPO-050", "each shard needs a slot beside the domain's", "choose half as many slots"
        )
    return _read_directory(fields["directory"], [shard.name for shard in shards])


def _read_directory(spot: Spot, shards: Sequence[str]) -> tuple[Listing, ...]:
    found: list[Listing] = []
    families: dict[str, str] = {}
    for type, (key, value) in spot.mapping().items():
        if type not in _FAMILIES:
            near = nearest(type, _FAMILIES)
            key.fail(
                "OG-TOPO-051",
                f"keys of type {type!r} cannot stand in a directory" + (f"; did you mean {near!r}?" if near else ""),
                f"name the type of the key column, one of: {', '.join(_FAMILIES)}",
            )
        family = _FAMILIES[type]
        if family in families:
            key.fail(
                "OG-TOPO-051",
                f"{type} and {families[family]} are one kind of key: a value of both has one place",
                "write it once",
            )
        families[family] = type
        found.append(Listing(type, _policy(value.fields(("assign",), ("assign",))["assign"], shards)))
    if not found:
        spot.fail("OG-TOPO-050", "the directory is empty", "name a type of keys: `int8: {assign: hash}`")
    return tuple(found)


def _policy(spot: Spot, shards: Sequence[str]) -> str:
    policy = spot.text()
    both = [name for name in shards if name in POLICIES]
    if both:
        spot.fail("OG-TOPO-052", f"{both[0]!r} is a shard and a way of assigning keys", "give the shard another name")
    if policy not in POLICIES and policy not in shards:
        near = nearest(policy, (*POLICIES, *shards))
        spot.fail(
            "OG-TOPO-052",
            f"new keys are assigned by {policy!r}" + (f"; did you mean {near!r}?" if near else ""),
            f"choose one of: {', '.join(POLICIES)}, or a shard: {', '.join(shards)}",
        )
    return policy
