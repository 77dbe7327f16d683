"""outgrow's own tables inside the user's databases, in schema `outgrow`: what must outlive every process."""

from outgrow.ledger.model import Difference, Generation, LedgerState, as_ledger_says, differs
from outgrow.ledger.steps import (
    VERSION,
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

__all__ = [
    "VERSION",
    "Difference",
    "Generation",
    "LedgerState",
    "Runner",
    "as_ledger_says",
    "differs",
    "install_steps",
    "meet_primary_steps",
    "queries",
    "raise_generation_steps",
    "raise_schema_epoch_steps",
    "read_epochs_steps",
    "read_generation_steps",
    "read_steps",
    "version_steps",
]
