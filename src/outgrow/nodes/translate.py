"""The one border where the driver's and the servers' errors become outgrow's.

A server's SQLSTATE decides class and code: the exact state first, then its class (first two characters), then the
PEP 249 class that psycopg gives the state; so no state is without a code.  The server's own words are kept: its
message in `message`, the rest (detail, hint, constraint, table, column, …) in `details`.
"""

from __future__ import annotations

from typing import NamedTuple

import psycopg
from psycopg.pq import DiagnosticField
from psycopg.pq.abc import PGresult

from outgrow import errors
from outgrow.topology import Node

#: The connection was found lost before the server can have finished the statement: trying again is safe.
LOST_BEFORE = "OG-NODE-010"
#: The connection was lost while the statement was under way: it may have run.
LOST_DURING = "OG-NODE-011"
TIME_LIMIT = "OG-NODE-012"

#: On a prepared statement these say that it is out of date, not that the statement is wrong.
STALE = frozenset({"0A000", "26000"})
#: PostgreSQL's ERRCODE_QUERY_CANCELED, also given to statements that outgrow cancelled.
CANCELED = "57014"
#: States that end the connection although the statement before them was not harmed: nothing was under way.
_LOST_IDLE = frozenset({"57P05", "25P03", "25P04"})
_LOST = frozenset({"57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "25P04", "08006", "08003", "08000"})
#: What PgBouncer says when it ends a client's connection that it had no server for.
_NOT_FORWARDED = (
    "query_wait_timeout",
    "pgbouncer cannot connect to server",
    "server login has been failing",
    "server login failed",
    "no such database",
)


class _Kind(NamedTuple):
    error: type[errors.DatabaseError]
    code: str
    cure: str


_O, _P, _I, _D = errors.OperationalError, errors.ProgrammingError, errors.IntegrityError, errors.DataError
_N, _X = errors.NotSupportedError, errors.InternalError

_BY_STATE: dict[str, _Kind] = {
    "08P01": _Kind(_P, "OG-NODE-019", "pass exactly as many parameters as the statement has placeholders"),
    "42P01": _Kind(_P, "OG-NODE-101", "check the name, and that the table is on every shard that needs it"),
    "42703": _Kind(_P, "OG-NODE-101", "check the name, and that all shards have the same columns"),
    "42883": _Kind(_P, "OG-NODE-101", "check the name and the argument types; cast a parameter if its type is wrong"),
    "42704": _Kind(_P, "OG-NODE-101", "check the name, and that it exists on every shard"),
    "3F000": _Kind(_P, "OG-NODE-101", "check the name, and that it exists on every shard"),
    "42501": _Kind(_P, "OG-NODE-102", "grant the role of this node's address what the statement needs"),
    "42601": _Kind(_P, "OG-NODE-103", "correct the SQL where the server points; one statement at a time"),
    "23502": _Kind(_I, "OG-NODE-112", "give the column a value"),
    "23503": _Kind(_I, "OG-NODE-111", "write the referenced row first, or remove the referencing rows first"),
    "23505": _Kind(_I, "OG-NODE-110", "use another key, or INSERT … ON CONFLICT"),
    "23514": _Kind(_I, "OG-NODE-113", "give values that the constraint allows"),
    "23P01": _Kind(_I, "OG-NODE-113", "give values that the constraint allows"),
    "25006": _Kind(_O, "OG-NODE-133", "write through the primary: this server is a replica or set read-only"),
    "25P02": _Kind(
        _O, "OG-NODE-134", "roll the transaction back (or to a savepoint); the first error in it is the cause"
    ),
    "26000": _Kind(_O, "OG-NODE-151", "run the transaction again; declare the node's pooler if there is one"),
    "40001": _Kind(_O, "OG-NODE-130", "run the whole transaction again"),
    "40P01": _Kind(_O, "OG-NODE-130", "run the whole transaction again"),
    "55P03": _Kind(_O, "OG-NODE-132", "try again later, or raise lock_timeout"),
    "OGU01": _Kind(_O, "OG-NODE-160", "write through outgrow; a process that has met a new index runs it again"),
    CANCELED: _Kind(_O, "OG-NODE-131", "give the statement more time, or make it cheaper; see the server's message"),
    "57P03": _Kind(_O, "OG-NODE-008", "wait until the server is up, then try again"),
    "53300": _Kind(_O, "OG-NODE-008", "lower the pools' size_max, or raise max_connections on the server"),
}

_BY_CLASS: dict[str, _Kind] = {
    "0A": _Kind(_N, "OG-NODE-150", "this server cannot do it; see its message"),
    "22": _Kind(_D, "OG-NODE-120", "give a value that the column's or function's type can hold"),
    "23": _Kind(_I, "OG-NODE-114", "give values that the constraint allows"),
    "25": _Kind(_O, "OG-NODE-135", "use the transaction as the server's message says"),
    "28": _Kind(_O, "OG-NODE-002", "correct the user or password of the node's address, or the server's pg_hba.conf"),
    "40": _Kind(_O, "OG-NODE-130", "run the whole transaction again"),
    "42": _Kind(_P, "OG-NODE-100", "correct the statement as the server's message says"),
    "53": _Kind(_O, "OG-NODE-140", "free the resource that the server's message names"),
    "54": _Kind(_O, "OG-NODE-140", "make the statement smaller"),
}

_BY_PEP249: tuple[tuple[type[psycopg.Error], _Kind], ...] = (
    (psycopg.DataError, _Kind(_D, "OG-NODE-120", "give a value that fits")),
    (psycopg.IntegrityError, _Kind(_I, "OG-NODE-114", "give values that the constraint allows")),
    (psycopg.ProgrammingError, _Kind(_P, "OG-NODE-100", "correct the statement as the server's message says")),
    (psycopg.NotSupportedError, _Kind(_N, "OG-NODE-150", "this server cannot do it; see its message")),
    (psycopg.InternalError, _Kind(_X, "OG-NODE-190", "see the server's log")),
    (psycopg.OperationalError, _Kind(_O, "OG-NODE-191", "see the server's message and its log")),
    (psycopg.Error, _Kind(errors.DatabaseError, "OG-NODE-192", "see the server's message and its log")),
)

_DETAILS = {
    "detail": DiagnosticField.MESSAGE_DETAIL,
    "hint": DiagnosticField.MESSAGE_HINT,
    "position": DiagnosticField.STATEMENT_POSITION,
    "context": DiagnosticField.CONTEXT,
    "schema": DiagnosticField.SCHEMA_NAME,
    "table": DiagnosticField.TABLE_NAME,
    "column": DiagnosticField.COLUMN_NAME,
    "type": DiagnosticField.DATATYPE_NAME,
    "constraint": DiagnosticField.CONSTRAINT_NAME,
}


def kind_of_state(sqlstate: str) -> _Kind:
    """Class, code and cure of a SQLSTATE; every state has one."""
    kind = _BY_STATE.get(sqlstate) or _BY_CLASS.get(sqlstate[:2])
    if kind is not None:
        return kind
    try:
        theirs: type[psycopg.Error] = psycopg.errors.lookup(sqlstate)
    except KeyError:
        # States that extensions and RAISE … USING ERRCODE invent.
        return _BY_PEP249[-1][1]
    return next(kind for base, kind in _BY_PEP249 if issubclass(theirs, base))


def sqlstate_of(result: PGresult) -> str:
    return (result.error_field(DiagnosticField.SQLSTATE) or b"").decode("ascii", "replace")


def from_result(result: PGresult, node: Node) -> errors.Error:
    """The error that a server answered with."""
    state = sqlstate_of(result)
    primary = _text(result, DiagnosticField.MESSAGE_PRIMARY) or result.get_error_message("utf-8").strip()
    # A server says the severity in both fields, PgBouncer in the older one alone.
    severity = _text(result, DiagnosticField.SEVERITY_NONLOCALIZED) or _text(result, DiagnosticField.SEVERITY)
    if state in _LOST or severity in ("FATAL", "PANIC"):
        unsent = state in _LOST_IDLE or primary.startswith(_NOT_FORWARDED)
        return lost(node, primary, before=unsent, sqlstate=state or None)
    kind = kind_of_state(state)
    details = {name: text for name, field in _DETAILS.items() if (text := _text(result, field))}
    shown = "; ".join([primary, *(details[name] for name in ("detail", "hint") if name in details)])
    error = kind.error(kind.code, shown, cure=kind.cure, shard=node.shard, node=node.name, sqlstate=state or None)
    error.details = details
    return error


def _text(result: PGresult, field: DiagnosticField) -> str:
    return (result.error_field(field) or b"").decode("utf-8", "replace")


def lost(node: Node, why: str, *, before: bool, sqlstate: str | None = None) -> errors.NodeLost:
    """The connection is gone.  `before`: the statement cannot have taken effect."""
    code, fact, cure = (
        (LOST_BEFORE, "the statement did not run", "try again")
        if before
        else (LOST_DURING, "the statement may have run", "look whether its effect is there before trying again")
    )
    message = f"the connection was lost ({' '.join(why.split())}); {fact}"
    error = errors.NodeLost(code, message, cure=cure, shard=node.shard, node=node.name, sqlstate=sqlstate)
    error.may_have_run = not before
    return error


def late(node: Node) -> errors.OperationalError:
    return _time_limit(
        node,
        "the statement was cancelled on the server",
        "allow more time, or make the statement cheaper",
        CANCELED,
    )


def unconfirmed(node: Node) -> errors.OperationalError:
    """The server has not said that it cancelled the statement: the connection was closed."""
    return _time_limit(
        node,
        "the server did not answer the cancellation: the statement may have run, or run yet",
        "look at what it wrote before trying again",
        "08007",
    )


def _time_limit(node: Node, what: str, cure: str, sqlstate: str) -> errors.OperationalError:
    return errors.OperationalError(
        TIME_LIMIT,
        f"the time limit passed; {what}",
        cure=cure,
        shard=node.shard,
        node=node.name,
        sqlstate=sqlstate,
    )


#: The protocol counts the parameters of a statement in 16 bits.
PARAMETERS_MAX = 65535


def too_many_parameters(count: int, node: Node) -> errors.Error:
    return errors.ProgrammingError(
        "OG-NODE-026",
        f"{count} parameters for one server, which takes {PARAMETERS_MAX} in a statement",
        cure="send fewer rows in a statement, pass arrays, or load a file with `session.load`",
        node=node.name,
        sqlstate="54000",
    )


def from_parameters(error: Exception, node: Node) -> errors.Error:
    """A parameter that cannot be sent: psycopg found no form for its type, or its value has none."""
    if isinstance(error, psycopg.ProgrammingError | TypeError):
        return errors.ProgrammingError(
            "OG-NODE-018", str(error), cure="pass a value of a type that psycopg adapts", node=node.name
        )
    return errors.DataError("OG-NODE-020", str(error), cure="pass a value that PostgreSQL can hold", node=node.name)


def from_loading(error: Exception, node: Node) -> errors.Error:
    """A value that came back has no Python form: a date after year 9999, a timestamptz in a foreign DateStyle."""
    return errors.DataError(
        "OG-NODE-024",
        f"a value of the result cannot be made a Python value: {error}",
        cure="cast the column to text, or set DateStyle to ISO",
        shard=node.shard,
        node=node.name,
    )
