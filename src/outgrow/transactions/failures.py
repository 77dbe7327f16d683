"""The errors of transactions over several shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from outgrow.errors import Error, InternalError, NotSupportedError, OperationalError
from outgrow.transactions.model import TransactionId
from outgrow.transactions.port import Absent


class Undecided(OperationalError):
    """Nobody could be asked what was decided."""

    def __init__(self, id: TransactionId) -> None:
        why = "the connection to the deciding shard broke, and it could not be asked in time"
        if id.replicated:
            why = f"no replica of {id.decider} has got the decision in time, or that shard could not be asked"
        super().__init__(
            "OG-TX-005",
            f"the outcome of the transaction {id} is unknown: {why}",
            cure=f"ask `fleet.outcome({str(id)!r})` until it says committed or aborted; then run it again or not",
            shard=id.decider,
            sqlstate="08007",
        )


def aborted(id: TransactionId) -> OperationalError:
    return OperationalError(
        "OG-TX-004",
        f"the transaction {id} was aborted by recovery: this process had not decided it in time, or its connection "
        "broke before it could; nothing of it was committed",
        cure="run the whole transaction again; where all end so, this machine's clock is half a day behind theirs",
        shard=id.decider,
        sqlstate="40001",
    )


def lost_branch(id: TransactionId, shards: Sequence[str]) -> InternalError:
    return InternalError(
        "OG-TX-006",
        f"the transaction {id} is committed, but {', '.join(shards)} no longer has its part of it: a server was "
        "replaced by one that had not received all of its log",
        cure="replicate synchronously; look which rows are missing, and write them again",
        shard=shards[0],
    )


def not_prepared(error: Error, shard: str, prepared_max: int | None) -> Error:
    """Why a server would not prepare its branch.  `prepared_max` is its max_prepared_transactions, where asked."""
    if prepared_max == 0:
        return NotSupportedError(
            "OG-TX-001",
            "a transaction over several shards needs prepared transactions, and this server has them switched off; "
            "nothing was committed",
            cure="set max_prepared_transactions to at least max_connections on every primary and replica, and restart",
            shard=shard,
            node=error.node,
            sqlstate=error.sqlstate,
        )
    if error.sqlstate == "53200" and prepared_max is not None:
        return OperationalError(
            "OG-TX-002",
            f"all {prepared_max} prepared transactions of this server are in use; nothing was committed",
            cure="raise max_prepared_transactions to at least max_connections, and restart; or run it again later",
            shard=shard,
            node=error.node,
            sqlstate=error.sqlstate,
        )
    if error.sqlstate == "0A000":
        return NotSupportedError(
            "OG-TX-003",
            f"this transaction cannot be one over several shards: {error.message}; nothing was committed",
            cure="leave temporary tables, LISTEN, NOTIFY and cursors WITH HOLD out of it, or keep it on one shard",
            shard=shard,
            node=error.node,
            sqlstate=error.sqlstate,
        )
    return error


def not_followed(id: TransactionId, shard: str, seconds: float) -> OperationalError:
    return OperationalError(
        "OG-TX-012",
        f"no replica of {shard} has got the transaction {id} in {seconds:g} s, and a failover could lose its part; "
        "nothing was committed",
        cure="run it again when a replica follows: `outgrow doctor` says why none does; take one that is gone for good "
        "out of fleet.yaml",
        shard=shard,
    )


def absent(gid: str, shard: str) -> Absent:
    return Absent("OG-TX-004", f"{gid} is not prepared any more", shard=shard)


def rolled_back(shard: str) -> OperationalError:
    return OperationalError(
        "OG-TX-007",
        "the server rolled its branch back instead of preparing or committing it; nothing was committed",
        cure="run the whole transaction again",
        shard=shard,
        sqlstate="25P02",
    )


def lock_timeout(error: Error) -> OperationalError:
    """A branch waited too long for a lock: most often two transactions wait for each other on different shards."""
    return OperationalError(
        "OG-TX-008",
        f"a lock was not to be had in time ({error.message}); another transaction may be waiting for this one on "
        "another shard",
        cure="run the whole transaction again; touch rows in the same order everywhere; SET LOCAL lock_timeout to wait "
        "longer",
        shard=error.shard,
        node=error.node,
        sqlstate="55P03",
    )


def unsettled(id: TransactionId, shard: str) -> OperationalError:
    return OperationalError(
        "OG-TX-009",
        f"this session has committed {id}, and the shard has not confirmed its part yet: a read would miss it",
        cure="try again when the shard is up; a session of level `eventual` reads without waiting",
        shard=shard,
    )


def torn(lacking: Mapping[str, Sequence[UUID]]) -> OperationalError:
    """Snapshots that did not come to agree in time: which shards lack what."""
    said = "; ".join(f"{shard} does not show {numbers[0].hex}" for shard, numbers in lacking.items())
    return OperationalError(
        "OG-TX-060",
        "the shards' snapshots did not come to agree on which transactions over several shards they show"
        + (f": {said}, which another shard shows" if said else ""),
        cure="read again; where it stays so, `outgrow recover` ends what a dead process has left in doubt",
        shard=next(iter(lacking), None),
        sqlstate="40001",
    )


def not_agreed(what: str, cure: str) -> NotSupportedError:
    """What a session with atomic_reads does not do, because it could not keep its promise."""
    return NotSupportedError("OG-TX-061", f"{what}, and the session's reads are to be atomic", cure=cure)
