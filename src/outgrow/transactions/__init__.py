"""Transactions over several shards end together: the kernel of atomic commit, and recovery by anyone.

Step generators over two small ports, with clock, chance and parallelism given: no user's SQL, no drivers.
"""

from outgrow.transactions.branch import Branch
from outgrow.transactions.commit import Commit
from outgrow.transactions.failures import lock_timeout
from outgrow.transactions.garbage import KEPT_SECONDS, collect_steps
from outgrow.transactions.mariadb import MariadbBranch, beginning, mariadb_shards, xa_name
from outgrow.transactions.model import InDoubt, Means, Outcome, TransactionId, numbered, owner_of, presence
from outgrow.transactions.port import Fenced, Finished, Part, Participant, Shard, Shards, Unclear
from outgrow.transactions.postgresql import PostgresBranch, postgres_shards
from outgrow.transactions.recovery import Recovered, outcome_steps, recover_steps, settle_steps
from outgrow.transactions.wire import Wire, Wires

__all__ = [
    "KEPT_SECONDS",
    "Branch",
    "Commit",
    "Fenced",
    "Finished",
    "InDoubt",
    "MariadbBranch",
    "Means",
    "Outcome",
    "Part",
    "Participant",
    "PostgresBranch",
    "Recovered",
    "Shard",
    "Shards",
    "TransactionId",
    "Unclear",
    "Wire",
    "Wires",
    "beginning",
    "collect_steps",
    "lock_timeout",
    "mariadb_shards",
    "numbered",
    "outcome_steps",
    "owner_of",
    "postgres_shards",
    "presence",
    "recover_steps",
    "settle_steps",
    "xa_name",
]
