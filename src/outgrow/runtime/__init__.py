"""The composition: everything one `fleet.yaml` describes, opened, and the sessions that speak to it."""

from outgrow.nodes import Field, drive, drive_async
from outgrow.route import Level
from outgrow.runtime.batching import batch_steps
from outgrow.runtime.bulk.copy import AsyncCopy, Copy
from outgrow.runtime.conversation import Conversation
from outgrow.runtime.directories.fleet_directory import (
    AsyncFleetDirectory,
    DirectoryEntry,
    DirectoryPart,
    FleetDirectory,
)
from outgrow.runtime.directories.migrating import Migrated
from outgrow.runtime.explain import Explanation
from outgrow.runtime.fleet import Fleet, open_fleet
from outgrow.runtime.numbers.ids import uuid7
from outgrow.runtime.prepared import Parameters
from outgrow.runtime.reading.streaming import Streaming
from outgrow.runtime.result import Result
from outgrow.runtime.sagas.fleet_sagas import AsyncFleetSagas, FleetSagas
from outgrow.runtime.sagas.records import SagaRecord, SagaResult
from outgrow.runtime.sagas.working import Working
from outgrow.runtime.session import AsyncSession, Session
from outgrow.runtime.uniqueness.building import UniqueIndex
from outgrow.runtime.uniqueness.fleet_unique import UniqueIndexes
from outgrow.statement import Kind
from outgrow.transactions.saga import Rejected, Retry, Saga, SagaContext, SagaFailed

__all__ = [
    "AsyncCopy",
    "AsyncFleetDirectory",
    "AsyncFleetSagas",
    "AsyncSession",
    "Conversation",
    "Copy",
    "DirectoryEntry",
    "DirectoryPart",
    "Explanation",
    "Field",
    "Fleet",
    "FleetDirectory",
    "FleetSagas",
    "Kind",
    "Level",
    "Migrated",
    "Parameters",
    "Rejected",
    "Result",
    "Retry",
    "Saga",
    "SagaContext",
    "SagaFailed",
    "SagaRecord",
    "SagaResult",
    "Session",
    "Streaming",
    "UniqueIndex",
    "UniqueIndexes",
    "Working",
    "batch_steps",
    "drive",
    "drive_async",
    "open_fleet",
    "uuid7",
]
