"""The errors of transactions that the application's own coordinator decides."""

from __future__ import annotations

from collections.abc import Sequence

from outgrow.errors import Error, InternalError, NotSupportedError, OperationalError, ProgrammingError
from outgrow.transactions.model import TransactionId
from outgrow.transactions.xid import Xid

_AGAIN = "try again: whatever was done of it stays done, and nothing is done twice"


def otherwise(xid: Xid, committed: bool) -> OperationalError:
    said = "committed" if committed else "rolled back"
    return OperationalError(
        "OG-TX-024",
        f"the transaction {xid} was {said} by another process",
        cure="let one coordinator decide a transaction, once",
        sqlstate="40000",
    )


def not_prepared(xid: Xid) -> ProgrammingError:
    return ProgrammingError(
        "OG-TX-021",
        f"there is no prepared transaction {xid}: it has ended, or was never prepared wholly",
        cure="tpc_recover() has those that wait for a decision",
        sqlstate="42704",
    )


def taken(xid: Xid) -> ProgrammingError:
    return ProgrammingError(
        "OG-TX-022",
        f"another transaction {xid} is prepared already; nothing of this one was",
        cure="give each transaction a name of its own; tpc_recover() has those that wait for a decision",
        sqlstate="42710",
    )


def several(xid: Xid) -> ProgrammingError:
    return ProgrammingError(
        "OG-TX-022",
        f"several transactions {xid} are prepared: two processes gave theirs one name at the same moment",
        cure="end each by the connection that prepared it, or on the servers: `outgrow doctor` names them",
        sqlstate="42710",
    )


def unclear(xid: Xid, id: TransactionId, commit: bool) -> OperationalError:
    verb = "commit" if commit else "rollback"
    return OperationalError(
        "OG-TX-023",
        f"whether the transaction {xid} has ended is unknown: the shard that decides it does not answer",
        cure=f"call tpc_{verb}(xid) again until it answers; where it says OG-TX-021, it has ended, and "
        f"`fleet.outcome({str(id)!r})` tells how",
        shard=id.decider,
        sqlstate="08007",
    )


def unreachable(what: str, shards: Sequence[str]) -> OperationalError:
    return OperationalError(
        "OG-TX-025",
        f"{what} is unknown: {', '.join(shards)} could not be asked; nothing was decided",
        cure=_AGAIN,
        shard=shards[0],
    )


def unclear_prepare(xid: Xid) -> OperationalError:
    return OperationalError(
        "OG-TX-026",
        f"whether the transaction {xid} is prepared is unknown: the shard that decides it does not answer",
        cure="call tpc_rollback(xid), in any process, until it answers or says that there is none (OG-TX-021)",
        sqlstate="08007",
    )


def incomplete(xid: Xid, missing: int, shards: Sequence[str]) -> Error:
    """Branches that should be prepared are not seen."""
    if shards:
        return unreachable(f"whether all parts of {xid} are there", shards)
    return InternalError(
        "OG-TX-027",
        f"{missing} of the shards that had prepared the transaction {xid} no longer have their part; nothing was "
        "committed: a server was replaced by one that had not received all of its log",
        cure="tpc_rollback(xid), and run it again; replicate synchronously",
    )


def defines() -> NotSupportedError:
    return NotSupportedError(
        "OG-TX-028",
        "a transaction with DDL cannot be left prepared; it was rolled back",
        cure="run DDL in a transaction of its own, ended by commit()",
    )
