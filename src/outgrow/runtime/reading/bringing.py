"""A query whose rows come to one server: ask every shard for its part, then that server for the answer.

In a transaction both go by its branches, so what it has written counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from outgrow.errors import NotSupportedError
from outgrow.nodes import Field, Rows, together
from outgrow.plan import Bring, Brought, filled, joined, locate_brings
from outgrow.runtime import asking
from outgrow.runtime.directories import directory
from outgrow.runtime.directories.directory import editions_of
from outgrow.runtime.directories.outdated import NO_EDITIONS, Editions
from outgrow.runtime.reading import columnar, partial
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
    arrays: list[str]
    rows: int


def run_steps(
    conversation: Conversation, prepared: Prepared, values: Sequence[Any], until: float | None, allow_partial: bool
) -> Steps[Result]:
    brought = prepared.plan.brought
    assert brought is not None
    ready = yield from ready_steps(conversation, prepared, values, until, allow_partial)
    if columnar.is_for(conversation.state.file.finish, ready.rows):
        found = yield from columnar.answer_steps(conversation, brought, values, ready, until)
        if found is not None:
            return found
    ((rows, node),) = yield from ask_steps(conversation, [(ready.shard, ready.sql, ready.params)], until)
    nodes = tuple(dict.fromkeys((*ready.nodes, node)))
    return Result(named(brought, rows.fields), rows.rows, rows.status, rows.count, nodes, missing=ready.missing)


def ready_steps(
    conversation: Conversation, prepared: Prepared, values: Sequence[Any], until: float | None, allow_partial: bool
) -> Steps[Ready]:
    """Bring the rows.  Raises Outdated where a shard has other keys of the directory by now."""
    plan, placer = prepared.plan, conversation.state.picture.placer
    brought = plan.brought
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
    if allow_partial and conversation.transaction is None:
        many = [_read_steps(conversation, *each, until, editions) for each in asked]
        answers, missing = yield from partial.together_steps(shards, many)
    else:
        answers = yield from ask_steps(conversation, asked, until, editions)
    given = [shard for shard in shards if shard not in missing]
    gathering = Gathering(brought.brings, brought.rows_max)
    for shard, (rows, _) in zip(given, answers, strict=True):
        gathering.take([brought.brings[number] for number in wanted[shard]], wanted[shard], rows)
    arrays = gathering.arrays()
    every = [*values, *arrays]
    nodes = tuple(dict.fromkeys(node for _, node in answers))
    at = brought.shard or conversation.preferred()
    if not brought.shard and at in missing:
        at = given[0]
    return Ready(
        brought.sql, [every[index - 1] for index in brought.params], at, nodes, missing, arrays, gathering.count
    )


def named(brought: Brought, fields: Sequence[Field]) -> list[Field]:
    """The result's columns as the user's query calls them."""
    return [field._replace(name=name) for field, name in zip(fields, brought.names, strict=True)]


class Gathering:
    """The arrays of all shards, each column's laid end to end.

    They are texts of one dimension, so that laying them together is laying their insides together.
    """

    def __init__(self, brings: Sequence[Bring], rows_max: int) -> None:
        self._rows_max = rows_max
        self._counts = [0] * len(brings)
        self._parts: list[list[list[str]]] = [[[] for _ in bring.columns] for bring in brings]

    def take(self, brings: Sequence[Bring], numbers: Sequence[int], rows: Rows) -> None:
        """One shard's answer."""
        exact, *cells = rows.rows[0]
        if not exact:
            raise NotSupportedError(
                "OG-RUN-101",
                "rows of several shards are brought together as text, and with this DateStyle or extra_float_digits "
                "text does not say every value exactly",
                cure="leave DateStyle at ISO and extra_float_digits at 1 or more",
            )
        at = 0
        for bring, number in zip(brings, numbers, strict=True):
            self._counts[number] += cells[at]
            if self._counts[number] > self._rows_max:
                raise NotSupportedError(
                    "OG-RUN-100",
                    f"the query needs more than {self._rows_max:,} rows of {bring.table} on one server",
                    cure="restrict the query, join on the shard key, or raise the domain's finish: {rows_max: …}",
                )
            columns = len(bring.columns)
            for parts, array in zip(self._parts[number], cells[at + 1 : at + 1 + columns], strict=True):
                if array is not None:
                    parts.append(array[1:-1])
            at += 1 + columns

    @property
    def count(self) -> int:
        return sum(self._counts)

    def arrays(self) -> list[str]:
        return ["{" + ",".join(parts) + "}" for bring in self._parts for parts in bring]


_Asked = tuple[str, str, list[Any]]


def ask_steps(
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
