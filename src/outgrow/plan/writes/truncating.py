"""TRUNCATE over several shards: each empties its part, or its copy, of the same tables."""

from __future__ import annotations

from outgrow.plan.model import Plan, Reason, Where
from outgrow.plan.placing import Catalogue, Places, Unlisted
from outgrow.plan.refusals import Refused, refuse, refused
from outgrow.plan.spec import Finish
from outgrow.plan.writes.change import Change, Gather
from outgrow.schema import Schema
from outgrow.statement.model import Statement
from outgrow.topology import Copied, Domain, Sharded, Single, TableName


def truncate(statement: Statement, schema: Schema, domain: Domain) -> Plan:
    """The plan; for several shards it carries the refusal where they would not end alike."""
    places = Places(schema, domain)
    standings = {name: places.of(name) for name in statement.writes}
    shards = {standing.shard for standing in standings.values() if isinstance(standing, Single)}
    for name, standing in standings.items():
        if isinstance(standing, Unlisted):
            raise refuse("unlisted table", str(name), domain.name, places.proposal(name))
    cascade = "cascade" in statement.argument
    if len(shards) == 1 and not cascade and all(isinstance(standing, Single) for standing in standings.values()):
        (shard,) = shards
        reason = Reason("plan.truncating", f"the tables live on {shard} only")
        return Plan(statement, "write", Where.KEYS, fixed=(shard,), reasons=(reason,))
    try:
        for name, standing in standings.items():
            if isinstance(standing, Catalogue):
                raise refused("catalogue", str(name))
            if isinstance(standing, Single):
                raise refused("single apart", str(name), standing.shard)
            assert isinstance(standing, Sharded | Copied)
        reached = _referring(statement.writes, schema) if cascade else set(statement.writes)
        _check(reached, places, "restart identity" in statement.argument)
        if schema.engine == "mariadb":
            _check_deleting(statement.writes[0], places)
    except Refused as refusal:
        reason = Reason("plan.truncating", f"over several shards it is refused: {refusal.error.message}")
        return Plan(statement, "write", Where.ALL, refusal=refusal.error, reasons=(reason,))
    if schema.engine == "mariadb":
        return _deleting(statement, reached)
    reason = Reason("plan.truncating", "every shard empties its own: one after another, because it waits for readers")
    return Plan(
        statement, "write", Where.ALL, fragment_sql=statement.sql, finish=Finish((), 0, 0),
        change=Change(Gather.TURN), reasons=(reason,),
    )  # fmt: skip


def _check_deleting(name: TableName, places: Places) -> None:
    """MariaDB's TRUNCATE fires no triggers, and leaves alone what others refer to."""
    table = places.table(name)
    if table is not None and table.triggers:
        raise refused("MariaDB write", f"TRUNCATE of a table with a trigger ({table.triggers[0]})")
    for other in places.schema.tables.values():
        if other.name != name and any(key.table == name for key in other.foreign_keys):
            raise refused("MariaDB write", f"TRUNCATE of a table that {other.name} refers to")


def _deleting(statement: Statement, names: set[TableName]) -> Plan:
    """MariaDB commits TRUNCATE by itself, on each shard: where there are several, its rows are deleted together."""
    (name,) = names
    why = "every shard deletes its rows, in one transaction: a TRUNCATE could not be undone where another one fails"
    quoted = "`" + name.name.replace("`", "``") + "`"
    return Plan(
        statement, "write", Where.ALL, fragment_sql=f"DELETE FROM {quoted}", finish=Finish((), 0, 0),
        change=Change(Gather.TURN), reasons=(Reason("plan.truncating", why),),
    )  # fmt: skip


def _referring(names: tuple[TableName, ...], schema: Schema) -> set[TableName]:
    """The tables and all that refer to them, over any number of steps: CASCADE empties those too."""
    reached = set(names)
    while True:
        more = {
            table.name
            for table in schema.tables.values()
            if table.name not in reached and any(key.table in reached for key in table.foreign_keys)
        }
        if not more:
            return reached
        reached |= more


def _check(reached: set[TableName], places: Places, restart: bool) -> None:
    for name in sorted(reached, key=str):
        table = places.table(name)
        if table is None:
            continue
        trigger = table.statement_trigger("truncate")
        if trigger is not None:
            raise refused("trigger", trigger, str(name))
        if restart and any(column.serial for column in table.columns):
            raise refused("restart identity", str(name))
