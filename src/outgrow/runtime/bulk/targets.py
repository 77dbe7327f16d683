"""The table that rows are brought into: where it lives, and whether its other columns can be left to the servers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from outgrow.errors import NotSupportedError, ProgrammingError
from outgrow.moving import LoadColumn, LoadFormat, LoadTable, Numbered, Numbering
from outgrow.plan import Places, drawn_alone, own_shard
from outgrow.runtime.definitions.defined import unseen
from outgrow.schema import Table
from outgrow.topology import Copied, Sharded, Single, TableName
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation
    from outgrow.runtime.domain import DomainState
    from outgrow.runtime.picture import Picture

#: What may come out otherwise on each server: a call (but not a type's size), the clock, who asks.
_TYPES = re.compile(r"::\s*[\w.\" ]+(\([\d, ]*\))?")
_MOVING = re.compile(
    r"[\w\"]\s*\(|\b(current_\w+|localtime\w*|session_user|user)\b|'(now|today|tomorrow|yesterday)'", re.I
)
#: What a number drawn for a row may become.
_NUMBERS = frozenset(("int2", "int4", "int8"))
_WORDS = re.compile(r"\b(in|and|or|not|any|all|some|between|case|when|then|else|array)\s*\(", re.I)


def target_steps(conversation: Conversation, name: str, schema: str | None) -> Steps[tuple[Table, LoadTable]]:
    """The table and its placement, as the servers have it now."""
    state = conversation.state
    try:
        found, target = target_of(state.picture, name, schema)
    except ProgrammingError as error:
        # It may be what another process has just created.
        if not (yield from state.changed_steps(None, error)):
            if conversation.transaction is not None and conversation.transaction.definitions:
                raise unseen(f"{name} may have been changed") from error
            raise
        found, target = target_of(state.picture, name, schema)
    if conversation.transaction is not None and conversation.transaction.definitions:
        conversation.transaction.defined.check_tables([found.name])
    return found, target


def target_of(picture: Picture, name: str, schema: str | None) -> tuple[Table, LoadTable]:
    """The table and its placement; a domain of one shard needs none."""
    shown = f"{schema}.{name}" if schema else name
    found = picture.schema.find(name, schema)
    if found is None:
        known = ", ".join(sorted(str(placed) for placed in picture.domain.tables)) or "none"
        raise ProgrammingError(
            "OG-RUN-042", f"there is no table {shown!r} to load into", cure=f"create it first; placed tables: {known}"
        )
    disagreement = picture.disagreements.get(found.name)
    if disagreement is not None:
        raise disagreement
    placement = picture.domain.tables.get(found.name)
    if placement is None and len(picture.domain.shards) == 1:
        placement = Copied()
    if placement is None:
        raise ProgrammingError(
            "OG-RUN-043",
            f"the table {shown!r} has no placement",
            cure=f"add it under `tables:` in fleet.yaml, as in `{_proposal(found.name, found.primary_key)}`",
        )
    shared = len(picture.domain.shards) > 1 and not isinstance(placement, Single)
    columns = tuple(
        LoadColumn(column.name, column.type, column.typmod, shared and column.sequence is not None)
        for column in found.columns
        if not column.generated
    )
    return found, LoadTable(found.name, columns, placement)


def numbering(
    state: DomainState, table: Table, target: LoadTable, given: Sequence[str], form: LoadFormat
) -> Numbering | None:
    """What fills the columns that the input lacks and a sequence of the fleet serves.

    Other columns get their defaults on each server: refused where those would not fit together.
    """
    if len(state.picture.domain.shards) == 1:
        return None
    places = Places(state.picture.schema, state.picture.domain)
    numbered = []
    for column in table.columns:
        if column.name in given or column.generated:
            continue
        if column.serial:
            if isinstance(target.placement, Single) and column.sequence and own_shard(column.sequence, places):
                continue
            sequence = drawn_alone(column, places)
            if sequence is None or column.type not in _NUMBERS:
                raise NotSupportedError(
                    "OG-COPY-007",
                    f"{column.name} of {table.name} would be computed from a sequence of each shard, {column.default}",
                    cure=f"give {column.name} in the input, for example from fleet.new_id()",
                )
            take_steps = partial(state.sequences.take_steps, sequence, until=None)
            numbered.append(Numbered(column.name, column.type, take_steps))
        elif isinstance(target.placement, Copied) and column.default is not None and may_differ(column.default):
            raise NotSupportedError(
                "OG-COPY-008",
                f"the default of {column.name}, {column.default}, may differ between the copies of {table.name}",
                cure=f"give {column.name} in the input",
            )
    return Numbering(numbered, form) if numbered else None


def may_differ(expression: str) -> bool:
    """Whether an expression may have another value on another server, as far as its text tells."""
    return _MOVING.search(_WORDS.sub("", _TYPES.sub("", expression))) is not None


def sharded(target: LoadTable) -> bool:
    return isinstance(target.placement, Sharded)


def _proposal(name: TableName, primary_key: tuple[str, ...]) -> str:
    return f"{name}: {{shard_by: {primary_key[0]}}}" if primary_key else f"{name}: {{copy: everywhere}}"
