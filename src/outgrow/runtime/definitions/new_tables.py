"""Where the rows of a new table shall live: asked before anything runs, recorded before the first shard has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from outgrow import ledger
from outgrow.errors import InterfaceError, NotSupportedError, ProgrammingError
from outgrow.nodes import Link
from outgrow.runtime import installing, snapshot
from outgrow.runtime.definitions import exclusive
from outgrow.statement import Form, Named, NewTable
from outgrow.topology import Copied, Domain, Placement, Sharded, Single, TableName, table_name
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState


def placed_steps(
    state: DomainState, home: Link, domain: Domain, new: NewTable, until: float | None
) -> Steps[Mapping[TableName, Placement]]:
    """The domain's placements with the new table's, which the ledger knows from now on.

    Raises where the table cannot be made rightly on several shards, or nobody has said where its rows live.
    """
    if len(domain.shards) == 1:
        return domain.tables
    if new.name[0] == "pg_temp":
        raise NotSupportedError(
            "OG-RUN-034",
            "a temporary table belongs to one connection, and a session has many",
            cure="use an ordinary table (UNLOGGED, if it may be lost), or a CTE",
        )
    if new.form is Form.QUERY:
        raise NotSupportedError(
            "OG-RUN-055",
            f"a table {new.name[1]} made from a query: each shard would fill it from its own rows alone",
            cure="make it with CREATE TABLE … AS … WITH NO DATA (or with its columns), then INSERT … SELECT",
        )
    table = _resolved(state, new.name, making=True)
    if new.if_not_exists and (yield from _is_there_steps(state, home, table, until)):
        return domain.tables
    parents = [_resolved(state, parent, making=False) for parent in new.parents]
    placement = domain.tables.get(table)
    if parents:
        placement = _like_parents(domain, table, placement, parents)
    if placement is None:
        raise unplaced(domain, table, new)
    if isinstance(placement, Sharded) and new.columns is not None:
        _check_columns(table, placement, new.columns)
    yield from ledger.put_placement_steps(home, state.name, table, placement)
    return {**domain.tables, table: placement}


def unplaced(domain: Domain, table: TableName, new: NewTable) -> ProgrammingError:
    """The question as an error: `details` has what a door needs to ask it."""
    proposed = (new.primary_key or new.columns or ("",))[0]
    by = f"shard_by: {proposed}" if new.primary_key else "copy: everywhere"
    error = ProgrammingError(
        "OG-RUN-056",
        f"where shall the rows of the new table {table} live? It has no placement",
        cure=f"add `{table}: {{{by}}}` under `tables:` in fleet.yaml; or run `outgrow place {table} "
        f"{f'--shard-by {proposed}' if new.primary_key else '--copy'}`, or fleet.place({str(table)!r}, "
        f"{f'shard_by={proposed!r}' if new.primary_key else 'copy=True'}), then try again",
    )
    error.details = {
        "table": str(table),
        "key": proposed,
        "columns": ", ".join(new.columns or ()),
        "domain": domain.name,
        "shards": ", ".join(shard.name for shard in domain.shards),
    }
    return error


def place_steps(state: DomainState, table: TableName, placement: Placement, until: float | None) -> Steps[None]:
    """Record where a table's rows live, from now on; refused where rows of it already live elsewhere."""

    def body_steps(home: Link) -> Steps[None]:
        known = yield from ledger.read_steps(home, state.name)
        assert known is not None  # the fleet would not have opened without
        domain = ledger.as_ledger_says(state.file, known)
        if isinstance(placement, Single) and placement.shard not in (shard.name for shard in domain.shards):
            raise InterfaceError(
                "OG-RUN-007",
                f"the domain {state.name} has no shard {placement.shard!r}",
                cure=f"one of: {', '.join(shard.name for shard in domain.shards)}",
            )
        if domain.tables.get(table) != placement:
            yield from _check_rows_steps(state, home, domain, table, placement, until)
        if known.placements.get(table) != placement:
            yield from ledger.put_placement_steps(home, state.name, table, placement)
            yield from ledger.raise_schema_epoch_steps(home, state.name)

    yield from state.refresh_steps(until)
    there = state.picture.schema.tables.get(table)
    if there is not None and isinstance(placement, Sharded):
        _check_columns(table, placement, [column.name for column in there.columns])
    state.stale = True
    yield from exclusive.exclusively_steps(state, until, body_steps)


def asked_placement(shard_by: str | Sequence[str] | None, copy: bool, single: str | None) -> Placement:
    """The placement that the arguments of `place` name; exactly one of them does."""
    if (shard_by is not None) + copy + (single is not None) != 1:
        raise InterfaceError(
            "OG-RUN-058",
            "a placement is exactly one of: sharded by a key, copied, single",
            cure="give one of shard_by=…, copy=True, single=… (on the command line --shard-by, --copy, --single)",
        )
    if shard_by is not None:
        columns = (shard_by,) if isinstance(shard_by, str) else tuple(shard_by)
        if not columns or not all(columns):
            raise InterfaceError("OG-RUN-058", "the shard key has no column", cure="name at least one column")
        return Sharded(columns)
    return Copied() if copy else Single(single or "")


def asked_table(text: str) -> TableName:
    found = table_name(text)
    if found is None:
        raise InterfaceError(
            "OG-RUN-058", f"{text!r} is no table name", cure='write name or schema.name; quote parts with dots: "a.b"'
        )
    return found


def _check_rows_steps(
    state: DomainState, home: Link, domain: Domain, table: TableName, placement: Placement, until: float | None
) -> Steps[None]:
    """Rows that are there must be where the placement will look for them: they are not moved here.

    A table that has another placement may get rows at any moment, from processes that do not know the new one yet.
    """

    def ask_steps(link: Link) -> Steps[bool | None]:
        return installing.has_rows_steps(state.engine, link, table, until)

    has_rows = {}
    for shard in domain.shards:
        if shard is domain.home:
            has_rows[shard.name] = yield from ask_steps(home)
        else:
            primary = state.health.seats(state.name, shard.name).primary
            has_rows[shard.name] = yield from snapshot.on_node_steps(state.nodes, primary, until, ask_steps)
    holding = [shard for shard, has in has_rows.items() if has]
    fits = installing.looked_for(placement, holding)
    placed = domain.tables.get(table)
    if len(domain.shards) == 1 or (fits and (placed is None or not any(has is not None for has in has_rows.values()))):
        return
    why = f"has rows on {', '.join(holding)}" if holding else f"is there and placed ({ledger.shown(placed)})"
    raise NotSupportedError(
        "OG-RUN-059",
        f"{table} {why}, and {ledger.shown(placement)} would look for its rows elsewhere",
        cure="unload its rows, drop it, place it, make it again, and load them",
    )


def _is_there_steps(state: DomainState, link: Link, table: TableName, until: float | None) -> Steps[bool]:
    answer = yield from link.run_steps(*state.engine.present(table), until=until)
    return bool(answer.rows)


def _resolved(state: DomainState, name: Named, *, making: bool) -> TableName:
    """The table that a name means; a new one goes to the first schema of the search path."""
    schema = state.picture.schema
    found = None if making else schema.find(name[1], name[0])
    if found is not None:
        return found.name
    first = next((path for path in schema.search_path if path != "pg_catalog"), "public")
    return TableName(name[0] or first, name[1])


def _like_parents(
    domain: Domain, table: TableName, own: Placement | None, parents: Sequence[TableName]
) -> Placement | None:
    """A partition's and an heir's rows are also the parent's: they must lie where the parent's are looked for."""
    theirs = {domain.tables.get(parent) for parent in parents}
    wanted = next(iter(theirs)) if len(theirs) == 1 else None
    if len(theirs) > 1 or (own is not None and own != wanted):
        shown = "; ".join(f"{parent}: {ledger.shown(domain.tables.get(parent)) or 'none'}" for parent in parents)
        raise NotSupportedError(
            "OG-RUN-057",
            f"{table} would be placed otherwise than what it is a part of ({shown})",
            cure="place it and its parents alike",
        )
    return wanted


def _check_columns(table: TableName, placement: Sharded, columns: Sequence[str]) -> None:
    missing = [column for column in placement.columns if column not in columns]
    if missing:
        raise ProgrammingError(
            "OG-RUN-057",
            f"{table} is sharded by {', '.join(placement.columns)}, and has no column {missing[0]}",
            cure="add the column to the table, or place the table by one that it has",
        )
