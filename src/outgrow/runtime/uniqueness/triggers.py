"""What an indexed table gets on every shard, as SQL: a function that notes its values, and the triggers that call it.

A value travels as the text that two values have alike exactly if the server calls them equal, so only types with such a
text are taken.  Several columns, and a row's shard key, are written as an array of texts.
"""

from __future__ import annotations

from collections.abc import Sequence

from outgrow.schema import FleetUnique, Table, fleet_unique_text
from outgrow.statement import name_sql, string_sql
from outgrow.topology import TableName

#: Type → its text for a value `{}`; of other types equal values may have several, or a setting decides.
TEXTS = {
    **dict.fromkeys(("bool", "int2", "int4", "int8", "text", "varchar", "bpchar", "uuid"), "{}::text"),
    "numeric": "trim_scale({})::text",
}
#: Comparing takes the values in so many parts, as the ledger's statements do with the entries.
_PART = "hashtextextended(value, 7) & 255"


def definitions(unique: FleetUnique, table: Table) -> list[str]:
    """The statements that make all of it."""
    on, function = _sql(table.name), _function(unique)
    changed = " OR ".join(
        f"old.{name_sql(name)} IS DISTINCT FROM new.{name_sql(name)}"
        for name in dict.fromkeys((*unique.columns, *unique.key))
    )
    said = string_sql(fleet_unique_text(unique))
    rows, update, truncate = (name_sql(name) for name in _names(unique))
    return [
        _function_sql(unique, table),
        f"CREATE TRIGGER {rows} AFTER INSERT OR DELETE ON {on} FOR EACH ROW EXECUTE FUNCTION {function}({said})",
        f"CREATE TRIGGER {update} AFTER UPDATE ON {on} FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION {function}()",
        f"CREATE TRIGGER {truncate} BEFORE TRUNCATE ON {on} FOR EACH STATEMENT EXECUTE FUNCTION {function}()",
    ]


def gone_columns(unique: FleetUnique, table: Table) -> tuple[str, ...]:
    """The columns that its triggers name and the table has not: somebody renamed or dropped them past outgrow."""
    return tuple(name for name in dict.fromkeys((*unique.columns, *unique.key)) if table.column(name) is None)


def block_count(table: Table) -> str:
    """A query for how many blocks a shard's part of the table has."""
    on = string_sql(_sql(table.name))
    return f"SELECT pg_relation_size({on}::regclass) / current_setting('block_size')::int8"


def claims_of_rows(unique: FleetUnique, table: Table, first: int, end: int) -> str:
    """What `unique_drain` would say had all rows of these blocks just been written."""
    part = f"r.ctid >= '({first},0)' AND r.ctid < '({end},0)'"
    return (
        f"SELECT {unique.number}, place, true, count(*), "
        "array_agg(value ORDER BY value)::text, array_agg(key ORDER BY value)::text "
        f"FROM (SELECT *, outgrow.unique_place(value, {len(unique.shards)}) AS place "
        f"FROM ({_rows(unique, table)} AND {part}) AS r) AS r GROUP BY place ORDER BY place"
    )


def sums_of_rows(unique: FleetUnique, table: Table) -> str:
    """What `unique_sums` says of the entries, of a shard's rows."""
    return (
        f"SELECT {_PART}, count(*), "
        "sum(hashtextextended(value || E'\\x01' || key, 8)::numeric)::text "
        f"FROM ({_rows(unique, table)}) AS r GROUP BY 1"
    )


def part_of_rows(unique: FleetUnique, table: Table) -> str:
    """What `unique_part` says of the entries, of a shard's rows."""
    return f"SELECT value, key FROM ({_rows(unique, table)}) AS r WHERE {_PART} = ANY ($1::int8[])"


def _rows(unique: FleetUnique, table: Table) -> str:
    value, key = _value(unique.columns, table, "r"), _key(unique, table, "r")
    return (
        f'SELECT ({value}) COLLATE "C" AS value, ({key}) COLLATE "C" AS key '
        f"FROM ONLY {_sql(table.name)} AS r WHERE {_there(unique.columns, 'r')}"
    )


def _names(unique: FleetUnique) -> list[str]:
    return [f"outgrow_unique_{unique.number}_{what}" for what in ("rows", "update", "truncate")]


def _function(unique: FleetUnique) -> str:
    return f"outgrow.unique_{unique.number}"


def _function_sql(unique: FleetUnique, table: Table) -> str:
    """TRUNCATE names the table as it is called then.

    It takes rows away that an older snapshot does not see, and the trigger would leave their entries; under READ
    COMMITTED (and UNCOMMITTED, which is the same here) each query of the function sees what is committed by then.
    """
    note, there = (sql.replace("%", "%%") for sql in (_note(unique, table, "r", -1), _there(unique.columns, "r")))
    format_sql = string_sql(f"SELECT count({note}) FROM ONLY %I.%I AS r WHERE {there}")
    return f"""CREATE FUNCTION {_function(unique)}() RETURNS trigger LANGUAGE plpgsql AS $outgrow$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
            RAISE EXCEPTION 'TRUNCATE of %, which has values that are unique in the whole fleet, at %',
                TG_TABLE_NAME, upper(current_setting('transaction_isolation'))
            USING ERRCODE = '0A000', HINT = 'DELETE its rows, or run TRUNCATE at READ COMMITTED.';
        END IF;
        EXECUTE format({format_sql}, TG_TABLE_SCHEMA, TG_TABLE_NAME);
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        IF {_there(unique.columns, "old")} THEN
            PERFORM {_note(unique, table, "old", -1)};
        END IF;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        IF {_there(unique.columns, "new")} THEN
            PERFORM {_note(unique, table, "new", 1)};
        END IF;
    END IF;
    RETURN NULL;
END
$outgrow$"""


def _note(unique: FleetUnique, table: Table, row: str, sign: int) -> str:
    value, key = _value(unique.columns, table, row), _key(unique, table, row)
    return f"outgrow.unique_note({unique.number}, {len(unique.shards)}, {value}, {key}, {sign})"


def _there(columns: Sequence[str], row: str) -> str:
    """NULL is equal to nothing."""
    return " AND ".join(f"{row}.{name_sql(name)} IS NOT NULL" for name in columns)


def _value(columns: Sequence[str], table: Table, row: str) -> str:
    texts = _texts(columns, table, row)
    return texts[0] if len(texts) == 1 else f"ARRAY[{', '.join(texts)}]::text"


def _key(unique: FleetUnique, table: Table, row: str) -> str:
    return f"ARRAY[{', '.join(_texts(unique.key, table, row))}]::text"


def _texts(columns: Sequence[str], table: Table, row: str) -> list[str]:
    types = {column.name: column.type for column in table.columns}
    return [TEXTS[types[name]].format(f"{row}.{name_sql(name)}") for name in columns]


def _sql(table: TableName) -> str:
    return f"{name_sql(table.schema)}.{name_sql(table.name)}"
