"""The errors of sagas."""

from __future__ import annotations

from uuid import UUID

from outgrow.errors import ConfigurationError, InterfaceError, NotSupportedError, OperationalError, ProgrammingError


class SagaFailed(OperationalError):
    """The saga did not come to its end: what it had done is undone again."""

    #: The saga's id, and what went wrong in which step.
    saga: UUID
    failure: str


class Fenced(Exception):
    """Another process has taken the saga over: whatever this one still knows of it is old."""


class Overtaken(Fenced):
    """The step was compensated before it came to run."""


def compensation_missing(saga: str, step: str) -> ProgrammingError:
    return ProgrammingError(
        "OG-TX-040",
        f"the step {step} of the saga {saga} does not say how it is undone",
        cure="compensate=function, or compensate=None where there is nothing to undo",
    )


def wrong_definition(saga: str, why: str) -> ProgrammingError:
    return ProgrammingError(
        "OG-TX-041",
        f"the saga {saga} is not well defined: {why}",
        cure="mend the definition; docs/sagas.md has examples",
    )


def changed_definition(saga: str, version: int, shape: str, known: str) -> ConfigurationError:
    return ConfigurationError(
        "OG-TX-042",
        f"version {version} of the saga {saga} has been used with other steps: then [{known}], now [{shape}]",
        cure="raise the version, and keep the old definition at work until none of its sagas runs",
    )


def other_input(saga: str, key: str, id: UUID) -> InterfaceError:
    return InterfaceError(
        "OG-TX-043",
        f"the key {key!r} of the saga {saga} belongs to one with another input ({id})",
        cure="give each piece of work a key of its own; the same key means the same work",
    )


def compensated(id: UUID, name: str, key: str, failure: str) -> SagaFailed:
    error = SagaFailed(
        "OG-TX-044",
        f"the saga {name} {key!r} ({id}) was undone: {failure}",
        cure="nothing of it is left; start another one, with another key, when the cause is gone",
    )
    error.saga, error.failure = id, failure
    return error


def unknown_saga(id: object) -> InterfaceError:
    return InterfaceError(
        "OG-TX-045", f"there is no saga {id}", cure="`outgrow saga list` shows those there are; ids are UUIDs"
    )


def under_way(id: UUID, why: str) -> OperationalError:
    return OperationalError(
        "OG-TX-046",
        f"the saga {id} has not ended: {why}",
        cure="it is durable, and workers go on with it; ask later with fleet.sagas.result(id)",
    )


def not_json(what: str, why: str) -> ProgrammingError:
    return ProgrammingError(
        "OG-TX-047",
        f"{what} cannot be kept as JSON: {why}",
        cure="give and return numbers, text, lists and dictionaries; times and decimals as text",
    )


def engine_refused(domain: str, engine: str) -> NotSupportedError:
    return NotSupportedError(
        "OG-TX-048",
        f"sagas and their transactions need a PostgreSQL domain, and {domain} is {engine}",
        cure="keep sagas in a PostgreSQL domain; what is elsewhere is a step with an idempotency key",
    )


def not_for_operators(id: UUID, verb: str, why: str) -> OperationalError:
    return OperationalError(
        "OG-TX-049", f"the saga {id} cannot be {verb}: {why}", cure="`outgrow saga show` tells more"
    )
