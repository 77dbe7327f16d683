"""outgrow's own tables inside the user's databases, in schema `outgrow`: what must outlive every process."""

from outgrow.ledger.model import Difference, Generation, LedgerState, as_ledger_says, differs
from outgrow.ledger.sequences import (
    Lease,
    lease_sequence_steps,
    open_sequence_steps,
    own_sequence_skip_steps,
    own_sequence_take_steps,
    sequence_place_steps,
    sequence_used_steps,
    skip_sequence_steps,
)
from outgrow.ledger.steps import (
    VERSION,
    Answer,
    Runner,
    install_steps,
    meet_primary_steps,
    queries,
    raise_generation_steps,
    raise_schema_epoch_steps,
    read_epochs_steps,
    read_generation_steps,
    read_steps,
    version_steps,
)
from outgrow.ledger.workers import end_worker_steps, keep_worker_steps, take_worker_steps

__all__ = [
    "VERSION",
    "Answer",
    "Difference",
    "Generation",
    "Lease",
    "LedgerState",
    "Runner",
    "as_ledger_says",
    "differs",
    "end_worker_steps",
    "install_steps",
    "keep_worker_steps",
    "lease_sequence_steps",
    "meet_primary_steps",
    "open_sequence_steps",
    "own_sequence_skip_steps",
    "own_sequence_take_steps",
    "queries",
    "raise_generation_steps",
    "raise_schema_epoch_steps",
    "read_epochs_steps",
    "read_generation_steps",
    "read_steps",
    "sequence_place_steps",
    "sequence_used_steps",
    "skip_sequence_steps",
    "take_worker_steps",
    "version_steps",
]
