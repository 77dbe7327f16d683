"""Transactions over several shards end together: the kernel of atomic commit, and recovery by anyone.

Step generators over two small ports, with clock, chance and parallelism given: no user's SQL, no drivers.
"""

from outgrow.transactions.agreement import Agreement, Cuts
from outgrow.transactions.branch import Branch
from outgrow.transactions.commit import Commit
from outgrow.transactions.failures import lock_timeout, not_agreed
from outgrow.transactions.foreign import Ending, Handover, foreign_steps, look_steps
from outgrow.transactions.garbage import KEPT_SECONDS, Looks, collect_steps
from outgrow.transactions.mariadb import MariadbBranch, beginning, mariadb_shards, xa_name
from outgrow.transactions.model import InDoubt, Means, Outcome, TransactionId, numbered, owner_of, presence
from outgrow.transactions.port import Fenced, Finished, Part, Participant, Shard, Shards, Unclear
from outgrow.transactions.postgresql import PostgresBranch, postgres_shards
from outgrow.transactions.recovery import Recovered, outcome_steps, recover_steps, settle_steps
from outgrow.transactions.shards import ServerShards
from outgrow.transactions.views import AnewSteps, PostgresGate, PostgresView
from outgrow.transactions.wire import Wire, Wires
from outgrow.transactions.xid import MARKER_PREFIX, Marker, Xid, read_marker

__all__ = [
    "KEPT_SECONDS",
    "MARKER_PREFIX",
    "Agreement",
    "AnewSteps",
    "Branch",
    "Commit",
    "Cuts",
    "Ending",
    "Fenced",
    "Finished",
    "Handover",
    "InDoubt",
    "Looks",
    "MariadbBranch",
    "Marker",
    "Means",
    "Outcome",
    "Part",
    "Participant",
    "PostgresBranch",
    "PostgresGate",
    "PostgresView",
    "Recovered",
    "ServerShards",
    "Shard",
    "Shards",
    "TransactionId",
    "Unclear",
    "Wire",
    "Wires",
    "Xid",
    "beginning",
    "collect_steps",
    "foreign_steps",
    "lock_timeout",
    "look_steps",
    "mariadb_shards",
    "not_agreed",
    "numbered",
    "outcome_steps",
    "owner_of",
    "postgres_shards",
    "presence",
    "read_marker",
    "recover_steps",
    "settle_steps",
    "xa_name",
]
