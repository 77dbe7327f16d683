"""Bulk load within a session: the file goes to the shards, and the session then sees what it loaded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

from outgrow.errors import ProgrammingError
from outgrow.moving import LoadColumn, Loaded, LoadFormat, LoadOptions, LoadTable, Progress, load_into_steps
from outgrow.topology import Domain, TableName
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation
    from outgrow.runtime.domain import DomainState


def load_steps(
    conversation: Conversation,
    source: BinaryIO,
    table: str,
    form: LoadFormat,
    options: LoadOptions,
    progress: Progress | None,
) -> Steps[Loaded]:
    """Load CSV bytes into `table` (`name` or `schema.name`) on every shard it concerns."""
    state = conversation.state
    if state.stale:
        yield from state.refresh_steps(None)
    target = _target(state, table)
    picture = state.picture
    loaded = yield from load_into_steps(
        state.nodes, _as_seated(state), source, target, picture.placer, form, options, progress
    )
    for shard in loaded.rows_by_shard:
        primary = state.health.seats(state.name, shard).primary
        yield from state.sample_steps(primary, conversation.footing(shard), None)
    return loaded


def _target(state: DomainState, table: str) -> LoadTable:
    schema_name, _, name = table.rpartition(".")
    picture = state.picture
    found = picture.schema.find(name, schema_name or None)
    if found is None:
        known = ", ".join(sorted(str(placed) for placed in picture.domain.tables)) or "none"
        raise ProgrammingError(
            "OG-RUN-042", f"there is no table {table!r} to load into", cure=f"create it first; placed tables: {known}"
        )
    disagreement = picture.disagreements.get(found.name)
    if disagreement is not None:
        raise disagreement
    placement = picture.domain.tables.get(found.name)
    if placement is None:
        raise ProgrammingError(
            "OG-RUN-043",
            f"the table {table!r} has no placement",
            cure=f"add it under `tables:` in fleet.yaml, as in `{_proposal(found.name, found.primary_key)}`",
        )
    columns = tuple(LoadColumn(column.name, column.type, column.typmod) for column in found.columns)
    return LoadTable(found.name, columns, placement)


def _proposal(name: TableName, primary_key: tuple[str, ...]) -> str:
    return f"{name}: {{shard_by: {primary_key[0]}}}" if primary_key else f"{name}: {{copy: everywhere}}"


def _as_seated(state: DomainState) -> Domain:
    """The domain with every shard's primary as the servers say it is now."""
    domain = state.picture.domain
    seats = {shard.name: state.health.seats(state.name, shard.name) for shard in domain.shards}
    shards = tuple(
        replace(shard, primary=seats[shard.name].primary, replicas=seats[shard.name].replicas)
        for shard in domain.shards
    )
    return replace(domain, shards=shards)
