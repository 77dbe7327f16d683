"""Shards that disagree, found object by object and mended statement by statement, each recorded as any DDL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outgrow import schema
from outgrow.errors import InterfaceError
from outgrow.nodes import Link, together
from outgrow.runtime import snapshot
from outgrow.runtime.definitions import ddl, mariadb_objects
from outgrow.runtime.dress import Dress, Setting
from outgrow.schema import ObjectDifference, Objects
from outgrow.topology import Single
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

#: A function may be made before the tables that its body names.
_UNCHECKED: Dress = (Setting("check_function_bodies", "SET check_function_bodies = off"),)


@dataclass(frozen=True, slots=True)
class SchemaComparison:
    domain: str
    #: The shard that the others are compared with.
    like: str
    shards: tuple[str, ...]
    differences: tuple[ObjectDifference, ...]

    def mendable(self, *, allow_drop: bool) -> tuple[ObjectDifference, ...]:
        """Those that statements can mend; what loses rows or a state only with `allow_drop`."""
        return tuple(one for one in self.differences if one.statements and (allow_drop or not one.drops))


def compare_steps(state: DomainState, like: str | None, until: float | None) -> Steps[SchemaComparison]:
    """Ask every shard's primary for its objects and compare them."""
    domain = state.picture.domain
    names = tuple(shard.name for shard in domain.shards)
    like = domain.home.name if like is None else like
    if like not in names:
        raise InterfaceError(
            "OG-RUN-007", f"the domain {state.name} has no shard {like!r}", cure=f"one of: {', '.join(names)}"
        )
    found = yield from together([_objects_steps(state, shard, until) for shard in names])
    return compared(state, like, dict(zip(names, found, strict=True)))


def compared(state: DomainState, like: str, by_shard: Mapping[str, Objects]) -> SchemaComparison:
    """Compare what `read_steps` has read of some shards, `like` among them."""
    domain, names = state.picture.domain, tuple(by_shard)
    apart = {table for table, placed in domain.tables.items() if isinstance(placed, Single)}
    differences = [
        difference
        for shard in names
        if shard != like
        for difference in schema.catalogue(domain.engine).compare(by_shard[like], by_shard[shard], shard, apart)
    ]
    return SchemaComparison(state.name, like, names, tuple(differences))


def mend_steps(
    state: DomainState, comparison: SchemaComparison, allow_drop: bool, until: float | None
) -> Steps[tuple[ObjectDifference, ...]]:
    """Run the statements; stops at the first that a server refuses.  What was mended."""
    mended = []
    for difference in comparison.mendable(allow_drop=allow_drop):
        dress = _UNCHECKED if difference.kind.endswith("function") else ()
        for sql in difference.statements:
            yield from ddl.define_steps(state, sql, dress, until, [difference.shard])
        mended.append(difference)
    return tuple(mended)


def _objects_steps(state: DomainState, shard: str, until: float | None) -> Steps[Objects]:
    primary = state.health.seats(state.name, shard).primary
    return (yield from snapshot.on_node_steps(state.nodes, primary, until, read_steps))


def read_steps(link: Link) -> Steps[Objects]:
    """A server's objects, all in one snapshot, so that what belongs together is seen together."""
    if link.engine == "mariadb":
        return (yield from mariadb_objects.read_steps(link))
    answers = {}
    yield from link.run_steps("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", None)
    # The first of them empties the search_path.
    for name, sql in schema.object_queries().items():
        rows = yield from link.run_steps(sql, None)
        answers[name] = rows.rows
    yield from link.run_steps("COMMIT", None)
    return schema.objects(answers)
