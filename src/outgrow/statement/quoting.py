"""Names and strings as SQL text."""

from __future__ import annotations

import re

from outgrow.statement.keywords import words

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*\Z")
#: Words that mean something else somewhere: a name spelled so is quoted.  Quoting too much does no harm.
_QUOTED = frozenset(
    words(
        "all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both "
        "case cast char character check coalesce collate collation column concurrently constraint create cross "
        "current_catalog current_date current_role current_schema current_time current_timestamp current_user dec "
        "decimal default deferrable desc distinct do else end except exists extract false fetch filter float for "
        "foreign freeze from full grant greatest group grouping having ilike in initially inner inout int integer "
        "intersect interval into is isnull join json json_array json_arrayagg json_exists json_object "
        "json_objectagg json_query json_scalar json_serialize json_table json_value lateral leading least left "
        "like limit localtime localtimestamp merge_action national natural nchar none normalize not notnull null "
        "nullif numeric offset on only or order out outer over overlaps overlay placing position precision "
        "primary real references returning right row select session_user setof similar smallint some substring "
        "symmetric system_user table tablesample then time timestamp to trailing treat trim true union unique "
        "user using values varchar variadic verbose when where window with within xmlattributes xmlconcat "
        "xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable"
    )
)


def name_sql(name: str) -> str:
    """An identifier, quoted where it must be."""
    if _PLAIN.match(name) and name not in _QUOTED:
        return name
    return '"' + name.replace('"', '""') + '"'


def string_sql(value: str) -> str:
    """A string constant that means the same whatever `standard_conforming_strings` is."""
    doubled = value.replace("'", "''")
    if "\\" in value:
        return "E'" + doubled.replace("\\", "\\\\") + "'"
    return "'" + doubled + "'"
