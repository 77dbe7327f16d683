"""One shard's part of a DDL where the server commits DDL by itself: noted before and after.

A crash in between leaves it open whether the statement took effect.  Each is there wholly or not at all; so the note
holds what the object that it names was like before, and whoever finds a part begun compares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgrow import ledger
from outgrow.errors import Error, NodeLost
from outgrow.ledger import Definition
from outgrow.nodes import Link
from outgrow.runtime.definitions.at_work import waited_steps
from outgrow.statement import DefinitionFacts
from outgrow.topology import TableName
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.definitions.parts import Work

#: The statement was stopped: whether in time, only looking tells.
_CANCELED = "57014"


def committed_steps(link: Link, work: Work, lock_seconds: float, home: bool, until: float | None) -> Steps[str]:
    """Run the command unless this shard has it; the server's tag, "" where it had.

    Raises what the server says; where that leaves it open what became of the command, the note stays.
    """
    definition, facts = work.definition, work.facts
    part = yield from ledger.part_steps(link, definition)
    if part is not None and part.done:
        return ""
    if part is not None:
        yield from waited_steps(link, definition, until)
        if (yield from _like_steps(link, facts)) != part.known:
            yield from _done_steps(link, work, home)
            return ""
    before = yield from _like_steps(link, facts)
    yield from ledger.begin_part_steps(link, definition, before)
    try:
        status = yield from _run_steps(link, definition, lock_seconds, until)
    except (NodeLost, GeneratorExit):
        raise
    except Error as error:
        if error.sqlstate != _CANCELED:
            yield from ledger.undone_part_steps(link, definition)
            raise
        if link.broken or (yield from _like_steps(link, facts)) == before:
            raise
        status = ""
    yield from _done_steps(link, work, home)
    return status


def _run_steps(link: Link, definition: Definition, lock_seconds: float, until: float | None) -> Steps[str]:
    sql = ledger.queries(link.engine)
    yield from link.run_steps(sql["definition_patience"], [int(lock_seconds)])
    try:
        rows = yield from link.run_steps(definition.sql, None, until=until)
        return rows.status
    except GeneratorExit:
        link.close()
        raise
    finally:
        if not link.broken:
            yield from link.run_steps(sql["definition_impatience"], None)


def _done_steps(link: Link, work: Work, home: bool) -> Steps[None]:
    table = TableName("public", work.facts.object or "")
    if home and work.facts.drops and table in work.placements:
        yield from ledger.drop_placement_steps(link, _domain(work), table)
    yield from ledger.done_part_steps(link, work.definition)


def _domain(work: Work) -> str:
    return work.home.node.domain


def _like_steps(link: Link, facts: DefinitionFacts) -> Steps[tuple[str, ...]]:
    assert facts.object is not None
    return (yield from ledger.objects_steps(link, [facts.object]))
