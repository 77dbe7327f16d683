"""What this door refuses, each with its code and cure."""

from __future__ import annotations

from outgrow.errors import InterfaceError, NotSupportedError, ProgrammingError


def closed(what: str) -> InterfaceError:
    return InterfaceError("OG-DBAPI-001", f"the {what} is closed", cure=f"open another {what}")


def no_rows(after: str) -> ProgrammingError:
    return ProgrammingError(
        "OG-DBAPI-002",
        f"there is no result set to fetch from: {after}",
        cure="fetch after a SELECT or a statement with RETURNING; `rowcount` has the number of rows affected",
    )


def in_transaction(what: str) -> ProgrammingError:
    return ProgrammingError(
        "OG-DBAPI-003", f"{what} inside a transaction", cure="commit() or rollback() first", sqlstate="25001"
    )


def streaming(name: str) -> ProgrammingError:
    return ProgrammingError(
        "OG-DBAPI-004",
        f"the cursor {name!r} of this transaction is still streaming, and its shards' connections with it",
        cure="fetch it to the end or close it first; with autocommit a stream has connections of its own",
        sqlstate="24000",
    )


def not_scrolling(name: str) -> NotSupportedError:
    return NotSupportedError(
        "OG-DBAPI-005", f"the cursor {name!r} streams and cannot scroll", cure="use a cursor without a name"
    )


def wrong_mode(mode: str) -> ProgrammingError:
    return ProgrammingError(
        "OG-DBAPI-006", f"there is no way to scroll called {mode!r}", cure="one of: relative, absolute"
    )


def not_a_name(name: str) -> ProgrammingError:
    return ProgrammingError(
        "OG-DBAPI-007",
        f"{name!r} is not the name of a function",
        cure="pass name or schema.name, in letters, digits and underscores",
    )


def many_to_stream(name: str) -> NotSupportedError:
    return NotSupportedError(
        "OG-DBAPI-008",
        f"the cursor {name!r} streams the rows of one query, and executemany has none",
        cure="use a cursor without a name",
    )


def no_foreign(domain: str) -> NotSupportedError:
    return NotSupportedError(
        "OG-DBAPI-009",
        f"a transaction manager cannot end transactions of the domain {domain}: its engine lacks that here",
        cure="use commit(): where the engine allows, it is atomic over all shards of the domain",
    )


def no_xid(given: object) -> ProgrammingError:
    return ProgrammingError(
        "OG-DBAPI-010", f"{given!r} is not the name of a transaction", cure="pass what connection.xid(…) made"
    )


def needs_transactions() -> ProgrammingError:
    return ProgrammingError(
        "OG-DBAPI-011", "tpc_begin with autocommit, where each statement ends by itself", cure="set autocommit = False"
    )


def no_two_phases(verb: str) -> ProgrammingError:
    return ProgrammingError(
        "OG-DBAPI-012",
        f"{verb}() where this connection has no such transaction",
        cure="tpc_begin(xid), statements, tpc_prepare(), then tpc_commit() or tpc_rollback(), each once",
    )


def prepared(xid: object) -> ProgrammingError:
    return ProgrammingError(
        "OG-DBAPI-013",
        f"the transaction {xid} of this connection is prepared, and takes no more statements",
        cure="tpc_commit() or tpc_rollback() first",
        sqlstate="55000",
    )


def two_phases(verb: str, xid: object) -> ProgrammingError:
    return ProgrammingError(
        "OG-DBAPI-014",
        f"{verb} within the transaction {xid}, which tpc_begin has begun",
        cure="end it by tpc_commit() or tpc_rollback()",
    )
