"""The one border where MariaDB's errors become outgrow's.

PyMySQL keeps the server's number and drops its SQLSTATE, which says little here (`23000`, `HY000`).  The number is
looked up as the SQLSTATE of PostgreSQL that means the same, and that decides class, code and cure: one vocabulary,
so that callers need not know the engine.  The number itself is in `details["number"]`.
"""

from __future__ import annotations

import pymysql

from outgrow import errors
from outgrow.nodes import translate
from outgrow.topology import Node

STOPPED = 1317
_LOST_IDLE = frozenset({2006, 4031})
_LOST = frozenset({0, 1053, 1077, 1927, 2002, 2003, 2013, 2014, 2055})

_STATES = {
    1062: "23505",
    1586: "23505",
    **dict.fromkeys((1216, 1217, 1451, 1452), "23503"),
    **dict.fromkeys((1048, 1364), "23502"),
    **dict.fromkeys((3819, 4025), "23514"),
    1020: "40001",
    1213: "40P01",
    1205: "55P03",
    **dict.fromkeys((STOPPED, 1969, 3024), "57014"),
    **dict.fromkeys((1290, 1792, 1836), "25006"),
    **dict.fromkeys((1064, 1149), "42601"),
    **dict.fromkeys((1051, 1146), "42P01"),
    1054: "42703",
    1060: "42701",
    **dict.fromkeys((1050, 1061), "42P07"),
    1091: "42704",
    **dict.fromkeys((1128, 1305), "42883"),
    **dict.fromkeys((1044, 1142, 1143, 1227, 1370), "42501"),
    **dict.fromkeys((1045, 1698), "28000"),
    **dict.fromkeys((1040, 1203), "53300"),
    **dict.fromkeys((1264, 1690), "22003"),
    1406: "22001",
    **dict.fromkeys((1366, 1367), "22P02"),
    1292: "22007",
    1365: "22012",
    1242: "21000",
    **dict.fromkeys((1178, 1235), "0A000"),
}
_CLASSES = (
    (pymysql.err.IntegrityError, "23000"),
    (pymysql.err.DataError, "22000"),
    (pymysql.err.NotSupportedError, "0A000"),
    (pymysql.err.ProgrammingError, "42000"),
)


def from_driver(error: Exception, node: Node) -> errors.Error:
    """The error of a statement: what the server answered, or that the connection is gone."""
    if isinstance(error, errors.Error):
        return error
    number, said = said_by(error)
    if isinstance(error, pymysql.err.InterfaceError | OSError | EOFError) or number in _LOST or number in _LOST_IDLE:
        return translate.lost(node, said, before=number in _LOST_IDLE)
    state = _STATES.get(number) or next((state for kind, state in _CLASSES if isinstance(error, kind)), "HY000")
    kind = translate.kind_of_state(state)
    made = kind.error(kind.code, said, cure=kind.cure, shard=node.shard, node=node.name, sqlstate=state)
    made.details = {"number": str(number)}
    return made


def said_by(error: BaseException) -> tuple[int, str]:
    """The server's number (0: none) and words."""
    if len(error.args) >= 2 and isinstance(error.args[0], int):
        return error.args[0], str(error.args[1])
    return 0, str(error) or type(error).__name__


def no_copy(node: Node) -> errors.Error:
    return errors.NotSupportedError(
        "OG-NODE-030", "MariaDB has no COPY", cure="send rows with INSERT, or use LOAD DATA on a shard", node=node.name
    )
