"""The columns of a result: MariaDB's type codes as the names that all of outgrow knows.

A code has a common name only where values and their comparison are the same; see `schema.mariadb`, which says the same
of a table's columns.
"""

from __future__ import annotations

from typing import Any

from pymysql.constants import FIELD_TYPE as CODE
from pymysql.constants import FLAG

from outgrow.nodes.rows import Field

_BINARY_CHARSET = 63
_INTEGERS = {
    CODE.TINY: ("int2", "int2"),
    CODE.SHORT: ("int2", "int4"),
    CODE.INT24: ("int4", "int4"),
    CODE.LONG: ("int4", "int8"),
    CODE.LONGLONG: ("int8", "mariadb.bigint unsigned"),
    CODE.YEAR: ("int2", "int2"),
}
_OTHERS = {
    # It shows six digits, and compares by others.
    CODE.FLOAT: "mariadb.float",
    CODE.DOUBLE: "float8",
    CODE.DECIMAL: "numeric",
    CODE.NEWDECIMAL: "numeric",
    CODE.DATE: "date",
    CODE.NEWDATE: "date",
    CODE.DATETIME: "timestamp",
    CODE.TIMESTAMP: "mariadb.timestamp",
    CODE.TIME: "mariadb.time",
    CODE.BIT: "mariadb.bit",
    CODE.JSON: "mariadb.json",
    CODE.GEOMETRY: "mariadb.geometry",
    CODE.NULL: "unknown",
}


def fields_of(columns: list[Any]) -> tuple[Field, ...]:
    """From PyMySQL's descriptions of a result's columns."""
    return tuple(Field(column.name, _name(column), _typmod(column), column.type_code) for column in columns)


def _typmod(column: Any) -> int:
    """A decimal's precision and scale as PostgreSQL packs them; a column's length counts its sign and point too."""
    if column.type_code not in (CODE.NEWDECIMAL, CODE.DECIMAL):
        return -1
    precision = int(column.length) - (not column.flags & FLAG.UNSIGNED) - bool(column.scale)
    return (precision << 16 | int(column.scale)) + 4


def _name(column: Any) -> str:
    integer = _INTEGERS.get(column.type_code)
    if integer is not None:
        return integer[bool(column.flags & FLAG.UNSIGNED)]
    return _OTHERS.get(column.type_code) or ("bytea" if column.charsetnr == _BINARY_CHARSET else "text")
