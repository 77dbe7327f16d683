"""Rows of MariaDB's information_schema → `Schema`.

The database that a connection is in plays the part of PostgreSQL's schema `public`.  A type has one of the common names
only where its values and their comparison are the same; what has none is called `mariadb.…` and trusted by nobody.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from outgrow.schema.build import Rows, cascades
from outgrow.schema.model import (
    Column,
    ForeignKey,
    Function,
    Order,
    Schema,
    SequenceDefinition,
    Table,
    TableKind,
    Volatility,
)
from outgrow.topology import TableName

#: Data type → common name, signed and unsigned.
_INTEGERS = {
    "tinyint": ("int2", "int2"),
    "smallint": ("int2", "int4"),
    "mediumint": ("int4", "int4"),
    "int": ("int4", "int8"),
    "bigint": ("int8", ""),
    "year": ("int2", "int2"),
}
_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32}
_PLAIN = {"double": "float8", "date": "date", "uuid": "uuid"}
_BINARY = frozenset(("varbinary", "tinyblob", "blob", "mediumblob", "longblob"))
_TEXTS = frozenset(("varchar", "tinytext", "text", "mediumtext", "longtext"))
#: Character sets whose byte order is that of the code points.
_BY_CODE_POINT = frozenset(("utf8mb4", "utf8mb3", "ascii"))
_SPREADING = {"CASCADE": "cascade", "SET NULL": "set null", "SET DEFAULT": "set default"}
#: Characters of a `varchar` up to which the server sorts by the whole value, and not by its beginning.
_SORTED_LENGTH = 255
#: PostgreSQL's header, which a `typmod` counts.
_HEADER = 4

_AGGREGATES = (
    "count sum min max avg group_concat std stddev stddev_pop stddev_samp variance var_pop var_samp bit_and bit_or "
    "bit_xor json_arrayagg json_objectagg"
)
_WINDOWS = (
    "row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value median "
    "percentile_cont percentile_disc"
)
_IMMUTABLE = (
    # Numbers
    "abs acos asin atan atan2 ceil ceiling conv cos cot crc32 crc32c degrees exp floor ln log log10 log2 mod pi pow "
    "power radians round sign sin sqrt tan truncate bit_count greatest least "
    # Text
    "ascii bin bit_length char char_length character_length chr concat concat_ws elt export_set field find_in_set "
    "format from_base64 hex insert instr lcase left length lengthb locate lower lpad ltrim make_set mid "
    "natural_sort_key oct octet_length ord position quote repeat replace reverse right rpad rtrim soundex space "
    "strcmp substr substring substring_index to_base64 trim btrim ucase unhex upper weight_string regexp_instr "
    "regexp_replace regexp_substr md5 sha sha1 sha2 compress uncompress uncompressed_length aes_encrypt aes_decrypt "
    # Choices
    "coalesce if ifnull isnull nullif nvl nvl2 "
    # Times
    "adddate addtime add_months convert_tz date date_add date_format date_sub datediff day dayname dayofmonth "
    "dayofweek dayofyear extract from_days from_unixtime hour last_day makedate maketime microsecond minute month "
    "monthname period_add period_diff quarter sec_to_time second str_to_date subdate subtime time time_format "
    "time_to_sec timediff timestamp timestampadd timestampdiff to_days to_seconds week weekday weekofyear year "
    "yearweek "
    # JSON, addresses
    "json_array json_array_append json_array_insert json_compact json_contains json_contains_path json_depth "
    "json_detailed json_equals json_exists json_extract json_insert json_keys json_length json_loose json_merge "
    "json_merge_patch json_merge_preserve json_normalize json_object json_overlaps json_query json_quote "
    "json_remove json_replace json_search json_set json_type json_unquote json_valid json_value inet_aton inet_ntoa "
    "inet6_aton inet6_ntoa is_ipv4 is_ipv6 is_ipv4_compat is_ipv4_mapped"
)
_STABLE = (
    "now curdate curtime current_date current_time current_timestamp localtime localtimestamp utc_timestamp utc_date "
    "utc_time unix_timestamp database schema version user current_user session_user system_user current_role"
)


#: What reading calls GROUP_CONCAT with a SEPARATOR.
SEPARATED = "group_concat with separator"


def _functions() -> dict[str, tuple[Function, ...]]:
    """What is known of MariaDB's functions; there is no catalogue of them, so what is not here is volatile."""
    found: dict[str, tuple[Function, ...]] = {}
    for names, kind, volatility in (
        (_IMMUTABLE, "function", Volatility.IMMUTABLE),
        (_STABLE, "function", Volatility.STABLE),
        (_AGGREGATES, "aggregate", Volatility.IMMUTABLE),
        (_WINDOWS, "window", Volatility.IMMUTABLE),
    ):
        for name in names.split():
            returns = "int8" if name == "count" else "any"
            found[name] = (Function("mariadb", name, kind, volatility, returns, False, True),)
    found[SEPARATED] = found["group_concat"]
    return found


FUNCTIONS: Mapping[str, tuple[Function, ...]] = MappingProxyType(_functions())


def build_mariadb(domain: str, epoch: int, rows: Mapping[str, Rows]) -> Schema:
    """The snapshot that the answers to the queries of `mariadb.sql` describe, by query name."""
    version, charset, collation = rows["mariadb_server"][0]
    return Schema(
        domain=domain,
        epoch=epoch,
        search_path=("public",),
        tables=MappingProxyType(_tables(rows)),
        sequences=MappingProxyType(_sequences(rows["mariadb_columns"])),
        functions=FUNCTIONS,
        default_order=_order(charset, collation),
        server_version=_version(version),
        engine="mariadb",
    )


def _version(text: str) -> int:
    """`10.11.19-MariaDB` → 101119."""
    numbers = [int(number) for number in re.findall(r"\d+", text)[:3]]
    return sum(number * 100 ** (2 - at) for at, number in enumerate(numbers))


def _tables(rows: Mapping[str, Rows]) -> dict[TableName, Table]:
    columns: dict[str, list[Column]] = defaultdict(list)
    for row in rows["mariadb_columns"]:
        columns[row[0]].append(_column(row))
    unique = _unique(rows["mariadb_keys"])
    foreign = _foreign(rows["mariadb_foreign_keys"])
    reached = cascades({_name(table): keys for table, keys in foreign.items()})
    triggers: dict[str, list[str]] = defaultdict(list)
    for table, trigger in rows["mariadb_triggers"]:
        triggers[table].append(trigger)
    tables = {}
    for table, kind, definition in rows["mariadb_tables"]:
        keys = unique.get(table, {})
        tables[_name(table)] = Table(
            name=_name(table),
            kind=TableKind.VIEW if kind == "VIEW" else TableKind.TABLE,
            columns=tuple(columns[table]),
            primary_key=keys.get("PRIMARY", ()),
            unique_keys=tuple(key for name, key in keys.items() if name != "PRIMARY"),
            triggers=tuple(triggers[table]),
            cascades_to=reached.get(_name(table), ()),
            foreign_keys=tuple(foreign.get(table, ())),
            definition=definition,
        )
    return tables


def _name(table: str) -> TableName:
    return TableName("public", table)


def _column(row: Sequence[Any]) -> Column:
    name, data_type, column_type, nullable, default, extra, charset, collation = row[1:9]
    kind, typmod, order = _type(data_type, column_type, charset, collation, *row[9:13])
    draws = "auto_increment" in extra or "nextval(" in (default or "").lower()
    return Column(
        name=name,
        type=kind,
        typmod=typmod,
        not_null=not nullable,
        default=default,
        default_volatile=draws or bool(re.search(r"\b(uuid|rand|sys_guid)\s*\(", default or "", re.IGNORECASE)),
        serial=draws,
        sequence=_sequence(row) if "auto_increment" in extra else None,
        generated="GENERATED" in extra,
        order=order,
        nondeterministic=collation is not None and not collation.endswith("_nopad_bin"),
    )


def _sequence(row: Sequence[Any]) -> TableName:
    """What AUTO_INCREMENT counts with is called by table and column: `orders.id`."""
    return TableName(row[0], row[1])


def _sequences(columns: Rows) -> dict[TableName, SequenceDefinition]:
    """One for each AUTO_INCREMENT column, up to the greatest number that it holds (and that fits a bigint)."""
    found = {}
    for row in columns:
        if "auto_increment" in row[6]:
            bits = _BITS.get(row[2], 64) - ("unsigned" not in row[3])
            found[_sequence(row)] = SequenceDefinition(_sequence(row), maximum=2 ** min(bits, 63) - 1)
    return found


def _type(
    data_type: str,
    column_type: str,
    charset: str | None,
    collation: str | None,
    length: int | None,
    precision: int | None,
    scale: int | None,
    digits: int | None,
) -> tuple[str, int, Order]:
    """Name, typmod and order; a decimal's and a varchar's typmod are counted as PostgreSQL counts them."""
    if data_type in _INTEGERS:
        known = _INTEGERS[data_type]["unsigned" in column_type]
        return known or f"mariadb.{data_type} unsigned", -1, Order.NONE
    if data_type in _PLAIN:
        return _PLAIN[data_type], -1, Order.NONE
    if data_type == "decimal" and precision is not None and scale is not None:
        return "numeric", (precision << 16 | scale) + _HEADER, Order.NONE
    if data_type == "datetime" and digits == 6:
        return "timestamp", -1, Order.NONE
    if data_type in _BINARY:
        return "bytea", -1, Order.NONE
    if collation is None:
        return f"mariadb.{column_type}", -1, Order.NONE
    if data_type in _TEXTS and collation.endswith("_nopad_bin"):
        if data_type == "varchar" and int(length or 0) <= _SORTED_LENGTH:
            return "varchar", int(length or 0) + _HEADER, _order(charset, collation)
        return "text", -1, _order(charset, collation)
    return f"mariadb.{column_type} collate {collation}", -1, Order.LINGUISTIC


def _order(charset: str | None, collation: str) -> Order:
    return Order.BYTES if collation.endswith("_nopad_bin") and charset in _BY_CODE_POINT else Order.LINGUISTIC


def _unique(rows: Rows) -> dict[str, dict[str, tuple[str, ...]]]:
    """Table → index → columns.  A prefix says nothing of its column, and has no column's name."""
    found: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for table, index, column, prefix in rows:
        found[table][index] = (*found[table].get(index, ()), f"{column}(…)" if prefix else column)
    return found


def _foreign(rows: Rows) -> dict[str, list[ForeignKey]]:
    parts: dict[tuple[str, str], list[Sequence[Any]]] = defaultdict(list)
    for row in rows:
        parts[row[0], row[1]].append(row)
    found: dict[str, list[ForeignKey]] = defaultdict(list)
    for (table, _), columns in parts.items():
        actions = [_SPREADING.get(action, "") for action in columns[0][5:7]]
        own, referenced = (tuple(row[at] for row in columns) for at in (2, 4))
        found[table].append(ForeignKey(own, _name(columns[0][3]), referenced, any(actions), *actions))
    return found
