"""A query whose rows come to one server: ask every shard for its part, then that server for the answer.

In a transaction both go by its branches, so what it has written counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from outgrow.nodes import Field, Rows, together
from outgrow.plan import Brought, Plan, filled, joined, locate_brings
from outgrow.runtime import asking
from outgrow.runtime.directories import directory
from outgrow.runtime.directories.directory import editions_of
from outgrow.runtime.directories.outdated import NO_EDITIONS, Editions
from outgrow.runtime.measuring import BRING, FINISH
from outgrow.runtime.reading import columnar, partial
from outgrow.runtime.reading.gathered import Gathering
from outgrow.runtime.reading.ground import Ground, ground_steps
from outgrow.runtime.reading.staged import NotStaged, Staging
from outgrow.runtime.result import Result
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation
    from outgrow.runtime.prepared import Prepared


class Ready(NamedTuple):
    """What one server is to run, now that the rows are here, and who gave them.

    `arrays` are those among the parameters, and `rows` is how many they hold.
    """

    sql: str
    params: list[Any]
    shard: str
    nodes: tuple[str, ...]
    missing: tuple[str, ...]
    arrays: Sequence[str] = ()
    rows: int = 0


def run_steps(
    conversation: Conversation, prepared: Prepared, values: Sequence[Any], until: float | None, allow_partial: bool
) -> Steps[Result]:
    brought = prepared.plan.brought
    assert brought is not None
    ground = None if allow_partial else (yield from ground_steps(conversation, prepared, values, until))
    if ground is not None:
        try:
            return (yield from _staged_steps(conversation, prepared, values, ground, until))
        except NotStaged:
            # All at once, by whoever is there.
            pass
    conversation.noting.anew()
    ready = yield from ready_steps(conversation, prepared, values, until, allow_partial)
    nodes = list(ready.nodes)

    def ask_steps(asked: Sequence[columnar.Question]) -> Steps[list[Rows]]:
        """The server that finishes."""
        found = yield from _ask_steps(conversation, [(ready.shard, *each) for each in asked], until)
        nodes.extend(node for _, node in found)
        return [rows for rows, _ in found]

    rows: Rows | None = None
    limits = conversation.state.picture.domain.finish
    if columnar.is_for(limits, ready.rows):
        primary = conversation.state.health.seats(conversation.state.name, ready.shard).primary
        asked = columnar.Finishing(brought, limits, values, ready.arrays, primary, conversation.noting)
        rows = yield from columnar.answer_steps(asked, ask_steps, until)
    if rows is None:
        conversation.noting.phase(FINISH)
        (rows,) = yield from ask_steps([(ready.sql, ready.params)])
    return _result(brought, rows, tuple(dict.fromkeys(nodes)), ready.missing)


def _result(brought: Brought, rows: Rows, nodes: tuple[str, ...], missing: tuple[str, ...] = ()) -> Result:
    return Result(named(brought, rows.fields), rows.rows, rows.status, rows.count, nodes, missing=missing)


def stages_steps(conversation: Conversation, prepared: Prepared, values: Sequence[Any]) -> Steps[list[str]]:
    """For explain: in which order rows would come now, by the servers' estimates."""
    plan = prepared.plan
    assert plan.brought is not None
    if not plan.brought.linked:
        return []
    ground = yield from ground_steps(conversation, prepared, values, None)
    if ground is None:
        return []
    places, _ = yield from directory.resolved_steps(
        conversation.state, lambda placer, absent: locate_brings(plan, values, placer, absent), None
    )
    return (yield from Staging(conversation, prepared, values, ground, None).described_steps(places))


def _staged_steps(
    conversation: Conversation, prepared: Prepared, values: Sequence[Any], ground: Ground, until: float | None
) -> Steps[Result]:
    plan = prepared.plan
    assert plan.brought is not None
    places, page = yield from directory.resolved_steps(
        conversation.state, lambda placer, absent: locate_brings(plan, values, placer, absent), until
    )
    shards = sorted(set().union(*places))
    editions = editions_of(page, shards) if plan.listed else NO_EDITIONS
    conversation.noting.anew()
    staging = Staging(conversation, prepared, values, ground, until)
    at = plan.brought.shard or conversation.preferred()
    rows = yield from staging.run_steps(places, at, editions)
    return _result(plan.brought, rows, staging.nodes)


def ready_steps(
    conversation: Conversation, prepared: Prepared, values: Sequence[Any], until: float | None, allow_partial: bool
) -> Steps[Ready]:
    """Bring the rows.  Raises Outdated where a shard has other keys of the directory by now."""
    brought = prepared.plan.brought
    assert brought is not None
    found = yield from arrays_steps(conversation, prepared.plan, values, until, allow_partial)
    arrays, nodes, given, missing, rows = found
    every = [*values, *arrays]
    at = brought.shard or conversation.preferred()
    if not brought.shard and at in missing:
        at = given[0]
    params = [every[index - 1] for index in brought.params]
    return Ready(brought.sql, params, at, nodes, missing, arrays, rows)


class Arrays(NamedTuple):
    """The rows that were brought, one array for each column, who gave them, and of which shards; which are missing."""

    values: list[str]
    nodes: tuple[str, ...]
    given: list[str]
    missing: tuple[str, ...]
    rows: int


def arrays_steps(
    conversation: Conversation, plan: Plan, values: Sequence[Any], until: float | None, allow_partial: bool = False
) -> Steps[Arrays]:
    """Ask every shard for its rows.  Raises Outdated where a shard has other keys of the directory by now."""
    brought, placer = plan.brought, conversation.state.picture.placer
    assert brought is not None
    places, page = yield from directory.resolved_steps(
        conversation.state, lambda placer, absent: locate_brings(plan, values, placer, absent), until
    )
    wanted: dict[str, list[int]] = defaultdict(list)
    for number, having in enumerate(places):
        for shard in having:
            wanted[shard].append(number)
    shards = [shard for shard in placer.shards if shard in wanted]
    editions = editions_of(page, shards) if plan.listed else NO_EDITIONS
    asked = []
    for shard in shards:
        sql, used = filled(joined([brought.brings[number] for number in wanted[shard]]))
        asked.append((shard, sql, [values[index - 1] for index in used]))
    missing: tuple[str, ...] = ()
    conversation.noting.phase(BRING)
    if allow_partial and conversation.transaction is None:
        many = [_read_steps(conversation, *each, until, editions) for each in asked]
        answers, missing = yield from partial.together_steps(shards, many)
    else:
        answers = yield from _ask_steps(conversation, asked, until, editions)
    given = [shard for shard in shards if shard not in missing]
    finish = conversation.state.picture.domain.finish
    gathering = Gathering(brought.brings, finish.rows_max, finish.bytes_max)
    for shard, (rows, _) in zip(given, answers, strict=True):
        gathering.take(wanted[shard], rows)
    if conversation.noting.measuring is not None:
        conversation.noting.measuring.came = gathering.came()
    nodes = tuple(dict.fromkeys(node for _, node in answers))
    return Arrays(gathering.arrays(), nodes, given, missing, gathering.rows)


def named(brought: Brought, fields: Sequence[Field]) -> list[Field]:
    """The result's columns as the user's query calls them."""
    return [field._replace(name=name) for field, name in zip(fields, brought.names, strict=True)]


_Asked = tuple[str, str, list[Any]]


def _ask_steps(
    conversation: Conversation, asked: Sequence[_Asked], until: float | None, editions: Editions = NO_EDITIONS
) -> Steps[list[tuple[Rows, str]]]:
    """Shards with what each is asked, all at once; the rows, and which server gave them."""
    transaction = conversation.transaction
    if transaction is None:
        return (yield from together([_read_steps(conversation, *each, until, editions) for each in asked]))
    if editions:
        yield from transaction.hold_steps(editions, until)
    answers: dict[int, tuple[Rows, str]] = {}
    alike: dict[str, list[int]] = defaultdict(list)
    for number, (_, sql, _) in enumerate(asked):
        alike[sql].append(number)
    for sql, numbers in alike.items():
        pairs = [(asked[number][0], sql) for number in numbers]
        found = yield from transaction.run_steps(pairs, asked[numbers[0]][2] or None, False, until)
        for number, rows in zip(numbers, found, strict=True):
            answers[number] = rows, transaction.branches[asked[number][0]].node.name
    return [answers[number] for number in range(len(asked))]


def _read_steps(
    conversation: Conversation, shard: str, sql: str, params: list[Any], until: float | None, editions: Editions
) -> Steps[tuple[Rows, str]]:
    footing = conversation.footing(shard)
    rows, node = yield from asking.read_steps(
        conversation.state, shard, footing, conversation.level, sql, params or None, until, editions.get(shard)
    )
    return rows, node.name
