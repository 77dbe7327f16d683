"""DDL as the ledger records it: on the home shard what was asked and how far it is, on each shard its own part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from outgrow.ledger.steps import Runner, ask_steps, raise_schema_epoch_steps, words, written
from outgrow.topology import Placement, TableName
from outgrow.waits import Steps

#: States of a definition that some shard may still have to run.
UNFINISHED = ("running", "stopped")


@dataclass(frozen=True, slots=True)
class Definition:
    """One DDL.  `state`: running, stopped (failed where others have it), done, failed (nowhere done), abandoned."""

    number: int
    #: What the shards' own rows name it by.
    id: str
    sql: str
    #: What the session had SET, as statements: whoever resumes runs it in the same dress.
    settings: tuple[str, ...]
    shards: tuple[str, ...]
    done: tuple[str, ...] = ()
    state: str = "running"
    failed_shard: str | None = None
    error: str | None = None

    @property
    def unfinished(self) -> bool:
        return self.state in UNFINISHED


@dataclass(frozen=True, slots=True)
class Part:
    """A shard's part: begun or done; what was there before (OIDs, or lines); whether its backend still works."""

    done: bool
    known: tuple[Any, ...]
    at_work: bool


def record_definition_steps(
    home: Runner, domain: str, sql: str, settings: Sequence[str], shards: Sequence[str]
) -> Steps[Definition]:
    """Record a DDL before its first shard; under the lock."""
    listed = words(home).listed
    answer = yield from ask_steps(home, "definition_record", [domain, sql, listed(settings), listed(shards)])
    number, identity = answer.rows[0]
    return Definition(number, identity, sql, tuple(settings), tuple(shards))


def definitions_steps(home: Runner, domain: str, states: Sequence[str] = ()) -> Steps[tuple[Definition, ...]]:
    """The domain's DDL in these states (all where none is named), oldest first."""
    read = words(home).read
    answer = yield from ask_steps(home, "definitions", [domain, words(home).listed(states)])
    return tuple(
        Definition(
            number, identity, sql, tuple(read(settings)), tuple(read(shards)), tuple(read(done)), state, failed, error
        )
        for number, identity, sql, settings, shards, done, state, failed, error in answer.rows
    )


def note_definition_steps(home: Runner, domain: str, number: int, done: Sequence[str]) -> Steps[None]:
    """These shards have it.  Only for people to see: each shard's own row is what counts."""
    yield from ask_steps(home, "definition_note", [domain, number, words(home).listed(done)])


def end_definition_steps(
    home: Runner, domain: str, number: int, state: str, shard: str | None = None, error: str | None = None
) -> Steps[None]:
    """Done, stopped, failed or abandoned; and every process takes its picture of the schema anew."""
    yield from home.run_steps("BEGIN")
    yield from ask_steps(home, "definition_end", [domain, number, state, shard, error])
    yield from raise_schema_epoch_steps(home, domain)
    yield from home.run_steps("COMMIT")


def part_steps(runner: Runner, definition: Definition) -> Steps[Part | None]:
    """What a shard knows of its part; None where it never heard of it."""
    answer = yield from ask_steps(runner, "part", [definition.id])
    if not answer.rows:
        return None
    state, known, at_work = answer.rows[0]
    return Part(state == "done", tuple(words(runner).read(known)), bool(at_work))


def claim_part_steps(runner: Runner, definition: Definition) -> Steps[bool]:
    """In the DDL's transaction: True when the DDL is to be run, False when this shard has it already."""
    answer = yield from ask_steps(runner, "part_claim", [definition.id, definition.number])
    return bool(answer.rows)


def begin_part_steps(runner: Runner, definition: Definition, known: Sequence[str]) -> Steps[None]:
    """Before a DDL that commits by itself: what the objects that it names are like."""
    yield from ask_steps(runner, "part_begin", [definition.id, definition.number, words(runner).listed(known)])


def done_part_steps(runner: Runner, definition: Definition) -> Steps[None]:
    yield from ask_steps(runner, "part_done", [definition.id])


def undone_part_steps(runner: Runner, definition: Definition) -> Steps[None]:
    """It has failed, and left nothing."""
    yield from ask_steps(runner, "part_undone", [definition.id])


def objects_steps(runner: Runner, names: Sequence[str]) -> Steps[tuple[str, ...]]:
    """What the tables and views of these names are like, a line for each of their parts."""
    answer = yield from ask_steps(runner, "objects", [words(runner).listed(names)])
    return tuple(f"{name}|{line}" for name, line in answer.rows)


def put_placement_steps(home: Runner, domain: str, table: TableName, placement: Placement) -> Steps[None]:
    yield from ask_steps(home, "put_placement", [domain, table.schema, table.name, *written(home, placement)])


def drop_placement_steps(home: Runner, domain: str, table: TableName) -> Steps[None]:
    yield from ask_steps(home, "drop_placement", [domain, table.schema, table.name])
