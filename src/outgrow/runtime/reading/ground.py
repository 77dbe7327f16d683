"""Whether rows may come in several statements and still be of one moment for each shard; and on whose connections."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from outgrow.plan import timeless
from outgrow.runtime.prepared import Prepared
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation
    from outgrow.runtime.transaction.branches import Transaction

_ISOLATION = "SHOW transaction_isolation"
_FIXED = ("repeatable read", "serializable")


class Ground(Enum):
    """Where stages stand."""

    #: Outside of transactions: a snapshot for each shard, in read-only transactions of their own.
    ALONE = auto()
    #: The same beside a READ COMMITTED transaction: each of its statements sees what is committed by now anyway.
    BESIDE = auto()
    #: On the branches of a transaction whose snapshots stay what they are.
    WITHIN = auto()


def ground_steps(
    conversation: Conversation, prepared: Prepared, values: Sequence[Any], until: float | None
) -> Steps[Ground | None]:
    """None: everything is brought at once, in one statement for each shard.

    Copied and single tables are read by the finishing server itself, behind what was brought of its shard: so those are
    two statements also where nobody narrows anybody.
    """
    transaction, brought = conversation.transaction, prepared.plan.brought
    assert brought is not None
    if (not brought.linked and brought.alone) or conversation.state.pooled:
        return None
    if transaction is None:
        return Ground.ALONE
    if transaction.failed is not None or transaction.definitions:
        return None
    at = brought.shard or conversation.preferred()
    # Asked each time: as long as nothing else has run, SET TRANSACTION may still change it.
    (rows,) = yield from transaction.run_steps([(at, _ISOLATION)], None, False, until)
    if rows.rows[0][0] in _FIXED:
        return Ground.WITHIN
    if timeless(prepared.statement, values) and _has_nothing_of_its_own(conversation, transaction):
        return Ground.BESIDE
    return None


def _has_nothing_of_its_own(conversation: Conversation, transaction: Transaction) -> bool:
    """No rows, no locked tables (which count as written), no settings: others see what it sees."""
    wrote = any(branch.wrote for branch in transaction.branches.values())
    return not wrote and not transaction.prologue.settings and transaction.dress == conversation.dress
