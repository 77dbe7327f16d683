"""Commands that refuse transaction blocks, CREATE INDEX CONCURRENTLY above all: run alone, and checked by looking.

Their note cannot commit with them.  So the shard notes beforehand who begins, and what indexes the table has; whoever
finds such a note without its end waits until that backend is through, and looks what it left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from outgrow import ledger, sqlfile
from outgrow.errors import NodeLost
from outgrow.ledger import Definition
from outgrow.nodes import Link
from outgrow.runtime.definitions.at_work import waited_steps
from outgrow.runtime.dress import dressed_steps
from outgrow.statement import DefinitionFacts, IndexChange, name_sql
from outgrow.waits import Steps

_QUERIES = sqlfile.load("outgrow.runtime")


@dataclass(frozen=True, slots=True)
class _Index:
    oid: int
    name: str
    #: As SQL wants it.
    spelled: str
    valid: bool
    #: Somebody is building it at this moment.
    building: bool


def alone_steps(link: Link, definition: Definition, facts: DefinitionFacts, until: float | None) -> Steps[str]:
    """Run the command outside of a transaction, once; the server's tag, "" where the shard had it already."""
    part = yield from ledger.part_steps(link, definition)
    if part is not None and part.done:
        return ""
    change = facts.index
    if part is None:
        known = tuple(index.oid for index in (yield from _indexes_steps(link, change)))
    else:
        known = part.known
        yield from waited_steps(link, definition, until)
        if (yield from _found_done_steps(link, change, known)):
            yield from link.run_steps(ledger.queries()["part_done"], [definition.id])
            return ""
        yield from _clean_steps(link, change, known)
    yield from _clear_way_steps(link, change)
    yield from link.run_steps(ledger.queries()["part_begin"], [definition.id, definition.number, list(known)])
    try:
        status = yield from _run_steps(link, definition, until)
    except (NodeLost, GeneratorExit):
        raise
    except BaseException:
        if not link.broken:
            yield from _clean_steps(link, change, known)
            yield from link.run_steps(ledger.queries()["part_undone"], [definition.id])
        raise
    yield from link.run_steps(ledger.queries()["part_done"], [definition.id])
    return status


def _run_steps(link: Link, definition: Definition, until: float | None) -> Steps[str]:
    try:
        for setting in definition.settings:
            yield from link.run_steps(setting, None, until=until, prepare=False)
        rows = yield from link.run_steps(definition.sql, None, until=until, prepare=False)
        status: str = rows.status
        return status
    finally:
        if definition.settings and not link.broken:
            yield from dressed_steps(link, ())


def _found_done_steps(link: Link, change: IndexChange | None, known: Sequence[int]) -> Steps[bool]:
    """Whether a command that somebody began has left what it should."""
    if change is None:
        return False
    if change.creates:
        made = yield from _made_steps(link, change, known)
        return any(index.valid for index in made)
    spelled = [_spelled(name) for name in change.names]
    answer = yield from link.run_steps(_QUERIES["present"], [spelled])
    return not answer.rows


def _clean_steps(link: Link, change: IndexChange | None, known: Sequence[int]) -> Steps[None]:
    """Drop what a failed build left: an index that no query may use, and every write must keep."""
    left = []
    if change is not None and change.creates:
        left = [index.spelled for index in (yield from _made_steps(link, change, known)) if not index.valid]
    elif change is None:
        left = [spelled for (spelled,) in (yield from link.run_steps(_QUERIES["rebuilt"], None)).rows]
    for spelled in left:
        yield from link.run_steps(f"DROP INDEX CONCURRENTLY IF EXISTS {spelled}", None, prepare=False)


def _clear_way_steps(link: Link, change: IndexChange | None) -> Steps[None]:
    """An INVALID index of the new one's name, which a failed build of before left, would only be in its way."""
    if change is None or not change.creates or not change.names:
        return
    for index in (yield from _indexes_steps(link, change)):
        if index.name == change.names[0][1] and not (index.valid or index.building):
            yield from link.run_steps(f"DROP INDEX CONCURRENTLY IF EXISTS {index.spelled}", None, prepare=False)


def _made_steps(link: Link, change: IndexChange, known: Sequence[int]) -> Steps[list[_Index]]:
    found = yield from _indexes_steps(link, change)
    names = {name for _, name in change.names}
    return [index for index in found if index.oid not in known and (not names or index.name in names)]


def _indexes_steps(link: Link, change: IndexChange | None) -> Steps[list[_Index]]:
    if change is None or change.table is None:
        return []
    answer = yield from link.run_steps(_QUERIES["indexes"], [_spelled(change.table)])
    return [_Index(*row) for row in answer.rows]


def _spelled(name: tuple[str | None, str]) -> str:
    return ".".join(name_sql(part) for part in name if part is not None)
