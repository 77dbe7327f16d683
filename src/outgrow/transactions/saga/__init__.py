"""Sagas: work over several services and shards that is finished, or undone, whatever dies.

Definitions as data plus functions, the rows that say how far one has come, and the engine that goes on from any row:
step generators over two small ports.
"""

from outgrow.transactions.saga.definition import (
    LEASE_SECONDS,
    PATIENT,
    Rejected,
    Retry,
    Saga,
    SagaContext,
    Step,
)
from outgrow.transactions.saga.engine import UNLIMITED, Hands, Journal, Limit, SagaMeans, Work, place_steps
from outgrow.transactions.saga.failures import (
    Fenced,
    Overtaken,
    SagaFailed,
    changed_definition,
    compensated,
    engine_refused,
    not_for_operators,
    other_input,
    under_way,
    unknown_saga,
)
from outgrow.transactions.saga.marks import Mark, Marks, do_steps, undo_steps
from outgrow.transactions.saga.model import (
    COMPENSATED,
    COMPENSATING,
    DONE,
    OVER,
    RUNNING,
    STUCK_REST_SECONDS,
    Change,
    Progress,
    changed,
    encoded,
)

__all__ = [
    "COMPENSATED",
    "COMPENSATING",
    "DONE",
    "LEASE_SECONDS",
    "OVER",
    "PATIENT",
    "RUNNING",
    "STUCK_REST_SECONDS",
    "UNLIMITED",
    "Change",
    "Fenced",
    "Hands",
    "Journal",
    "Limit",
    "Mark",
    "Marks",
    "Overtaken",
    "Progress",
    "Rejected",
    "Retry",
    "Saga",
    "SagaContext",
    "SagaFailed",
    "SagaMeans",
    "Step",
    "Work",
    "changed",
    "changed_definition",
    "compensated",
    "do_steps",
    "encoded",
    "engine_refused",
    "not_for_operators",
    "other_input",
    "place_steps",
    "under_way",
    "undo_steps",
    "unknown_saga",
]
