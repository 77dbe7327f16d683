"""A query over several domains: each gives its part at the session's level, and a server of its own domain answers.

Inside a transaction the session's domain gives what its branches see.  Other domains are read by companions, outside
of it: nothing of the transaction's can be there, because what a session writes stays in its domain.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from outgrow.clock import monotonic
from outgrow.errors import NodeLost, NotSupportedError, OperationalError
from outgrow.nodes import Rows, together
from outgrow.plan import KEYS_MAX, Across, Portion, refuse
from outgrow.runtime import asking, rails
from outgrow.runtime.directories import directory
from outgrow.runtime.directories.directory import Patience, editions_of
from outgrow.runtime.directories.outdated import NO_EDITIONS, Editions, Outdated
from outgrow.runtime.measuring import BRING, FINISH, Came, size_of
from outgrow.runtime.reading.bringing import Ready
from outgrow.runtime.reading.size import Size
from outgrow.runtime.result import Result
from outgrow.transactions import not_agreed
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.keyspace import Entry, Keyspace
    from outgrow.runtime.conversation import Conversation
    from outgrow.runtime.prepared import Prepared

#: Who a session is, of what it may have SET.
_PERSONS = frozenset(("role", "session_authorization"))
#: A part's columns, each as the insides of arrays; and which servers gave them.
_Columns = list[list[str]]
#: What of an array's text is no number and no comma: braces, quotes, and NULLs, which equal nothing.
_NO_NUMBER = re.compile(r"NULL|[^0-9,-]")
_COMMAS = re.compile(r",{2,}")


def run_steps(
    conversation: Conversation, prepared: Prepared, values: Sequence[Any], until: float | None, shard: str | None
) -> Steps[Result]:
    if shard is not None:
        raise refuse("across here", f"the shard {shard}")
    across, ready = yield from ready_steps(conversation, prepared, values, until)
    conversation.noting.phase(FINISH)
    rows, node = yield from _finish_steps(conversation, ready, until)
    nodes = tuple(dict.fromkeys((*ready.nodes, node)))
    fields = [field._replace(name=name) for field, name in zip(rows.fields, across.names, strict=True)]
    return Result(fields, rows.rows, rows.status, rows.count, nodes)


def _fresh_steps(conversation: Conversation, prepared: Prepared, until: float | None) -> Steps[Prepared]:
    """The plan by what the other domains are now: each process learns of their changes as of its own."""
    state = conversation.state
    pictures = prepared.abroad or {}
    for name in pictures:
        other = state.neighbours[name]
        if monotonic() > other.epochs_due:
            yield from other.read_epochs_steps()
        if other.stale:
            try:
                yield from other.refresh_steps(until)
            except NodeLost:
                # A shard out of reach must not stop what the others can answer with the plans of before.
                continue
    if all(state.neighbours[name].picture is picture for name, picture in pictures.items()):
        return prepared
    return state.prepare(prepared.statement.text, prepared.with_parameters)


def ready_steps(
    conversation: Conversation, prepared: Prepared, values: Sequence[Any], until: float | None
) -> Steps[tuple[Across, Ready]]:
    """Bring the rows of all domains, for the plan that holds now."""
    if conversation.atomic_reads:
        raise not_agreed("other domains are read at moments of their own", "ask each domain in a session of its own")
    prepared = yield from _fresh_steps(conversation, prepared, until)
    across = prepared.plan.across
    if across is None:
        raise OperationalError(
            "OG-RUN-133", "a table of the statement has come to another domain meanwhile", cure="run it again"
        )
    if any(worn.name in _PERSONS for worn in conversation.dress):
        raise NotSupportedError(
            "OG-RUN-131",
            "the session has SET ROLE, and other domains would not know of it: they answer as the fleet's own user",
            cure="RESET ROLE first, or ask the domains separately",
        )
    at = across.shard or conversation.preferred()
    if conversation.transaction is not None:
        yield from _check_isolation_steps(conversation, at, until)
    if across.keyed is not None:
        try:
            return across.keyed, (yield from _brought_steps(conversation, prepared, across.keyed, values, at, until))
        except _TooMany:
            # What was to say which rows matter says too little.
            pass
    return across, (yield from _brought_steps(conversation, prepared, across, values, at, until))


class _TooMany(Exception):
    """More rows than `KEYS_MAX` of a table that was to narrow others."""


def _brought_steps(
    conversation: Conversation,
    prepared: Prepared,
    across: Across,
    values: Sequence[Any],
    at: str,
    until: float | None,
) -> Steps[Ready]:
    every = list(values)
    nodes: dict[str, None] = {}
    size = Size(across.limits.bytes_max)
    conversation.noting.anew()
    first = 0
    for count in across.stages:
        portions = across.portions[first : first + count]
        first += count
        many = {p.domain: _Asking(conversation, prepared, across, p, every, size, until).ask_steps() for p in portions}
        conversation.noting.phase(BRING, ", ".join(portion.domain for portion in portions))
        own = many.pop(conversation.state.name, None) if conversation.transaction is not None else None
        given = dict(zip(many, (yield from together(list(many.values()))), strict=True))
        if own is not None:
            # Behind the others: what they raise must not break off a branch in the middle of a statement.
            given[conversation.state.name] = yield from own
        for portion in portions:
            columns, there = given[portion.domain]
            every += ["{" + ",".join(column) + "}" for column in columns]
            nodes.update(dict.fromkeys(there))
    return Ready(across.sql, [every[index - 1] for index in across.params], at, tuple(nodes), ())


def _check_isolation_steps(conversation: Conversation, shard: str, until: float | None) -> Steps[None]:
    """A transaction that must see everything as of one moment would not: other domains are read outside of it."""
    transaction = conversation.transaction
    assert transaction is not None
    (rows,) = yield from transaction.run_steps([(shard, _ISOLATION)], None, False, until)
    isolation = rows.rows[0][0]
    if isolation not in ("read committed", "read uncommitted"):
        raise NotSupportedError(
            "OG-RUN-130",
            f"the transaction is {isolation.upper()}, and tables of other domains are read outside of it",
            cure="read the other domains before BEGIN, or use READ COMMITTED, which sees what is committed meanwhile",
        )


def _finish_steps(conversation: Conversation, ready: Ready, until: float | None) -> Steps[tuple[Rows, str]]:
    transaction, shard = conversation.transaction, ready.shard
    if transaction is not None:
        (rows,) = yield from transaction.run_steps([(shard, ready.sql)], ready.params or None, False, until)
        return rows, transaction.branches[shard].node.name
    rows, node = yield from asking.read_steps(
        conversation.state, shard, conversation.footings[shard], conversation.level, ready.sql, ready.params, until
    )
    return rows, node.name


# --- what one domain gives -------------------------------------------------------------------------------------------


class _Asking:
    """One domain, asked for its portion."""

    def __init__(
        self,
        conversation: Conversation,
        prepared: Prepared,
        across: Across,
        portion: Portion,
        values: list[Any],
        size: Size,
        until: float | None,
    ) -> None:
        self._speaker = conversation.companions.of(portion.domain)
        self._prepared, self._across, self._portion = prepared, across, portion
        self._values = values
        self._size, self._until = size, until

    def ask_steps(self) -> Steps[tuple[_Columns, list[str]]]:
        speaker, portion, values = self._speaker, self._portion, self._values
        state = speaker.state
        patience = Patience(state, self._until)
        any_shard = speaker.preferred()

        def place(placer: Keyspace, absent: frozenset[Entry]) -> tuple[frozenset[str], ...]:
            return portion.locate(values, placer, any_shard, absent)

        while True:
            places, page = yield from directory.resolved_steps(state, place, self._until)
            wanted: dict[str, list[int]] = defaultdict(list)
            for number, having in enumerate(places):
                for shard in having:
                    wanted[shard].append(number)
            shards = [shard for shard in state.picture.placer.shards if shard in wanted]
            rails.check(speaker, self._prepared, shards)
            editions = editions_of(page, shards) if portion.listed else NO_EDITIONS
            asked = []
            for shard in shards:
                sql, used = portion.question(wanted[shard], values)
                asked.append((shard, sql, [self._param(index) for index in used]))
            try:
                answers = yield from _ask_steps(speaker, asked, self._until, editions)
                break
            except Outdated as outdated:
                yield from patience.again_steps(outdated, page)
        gathering = _Gathering(self._across, portion, self._size)
        for shard, (rows, _) in zip(shards, answers, strict=True):
            gathering.take(wanted[shard], rows)
        if speaker.noting.measuring is not None:
            speaker.noting.measuring.came += gathering.came()
        return gathering.columns(), [node for _, node in answers]

    def _param(self, index: int) -> Any:
        value = self._values[index - 1]
        if self._portion.engine == "postgresql" or index <= self._prepared.parameters:
            return value
        # An array of numbers, as MariaDB reads one.
        return f"[{_COMMAS.sub(',', _NO_NUMBER.sub('', value).strip(','))}]"


def _ask_steps(
    conversation: Conversation, asked: Sequence[tuple[str, str, list[Any]]], until: float | None, editions: Editions
) -> Steps[list[tuple[Rows, str]]]:
    """Shards with what each is asked; the rows, and which server gave them.  In a transaction its branches answer."""
    transaction = conversation.transaction
    if transaction is None:
        state, level = conversation.state, conversation.level
        many = [
            asking.read_steps(
                state, shard, conversation.footings[shard], level, sql, params or None, until, editions.get(shard)
            )
            for shard, sql, params in asked
        ]
        return [(rows, node.name) for rows, node in (yield from together(many))]
    if editions:
        yield from transaction.hold_steps(editions, until)
    answers = []
    for shard, sql, params in asked:
        (rows,) = yield from transaction.run_steps([(shard, sql)], params or None, False, until)
        answers.append((rows, transaction.branches[shard].node.name))
    return answers


class _Gathering:
    """The columns of a portion's parts, what all shards gave laid end to end."""

    def __init__(self, across: Across, portion: Portion, size: Size) -> None:
        self._limits, self._portion = across.limits, portion
        self._counts = [0] * len(portion.parts)
        self._size = size
        self._columns: list[list[list[str]]] = [[[] for _ in part.columns] for part in portion.parts]

    def take(self, numbers: Sequence[int], rows: Rows) -> None:
        """One shard's answer for these parts."""
        if self._portion.engine == "mariadb":
            self._take_texts(numbers, rows)
        else:
            self._take_arrays(numbers, rows)

    def _take_arrays(self, numbers: Sequence[int], rows: Rows) -> None:
        exact, *cells = rows.rows[0]
        if not exact:
            raise NotSupportedError(
                "OG-RUN-132",
                f"rows of the domain {self._portion.domain} are brought as text, and under its DateStyle, "
                "IntervalStyle or extra_float_digits text does not say every value exactly",
                cure="leave DateStyle at ISO, IntervalStyle at postgres and extra_float_digits at 1 or more",
            )
        at = 0
        for number in numbers:
            self._count(number, cells[at])
            width = len(self._columns[number])
            for column, array in zip(self._columns[number], cells[at + 1 : at + 1 + width], strict=True):
                if array is not None:
                    self._size.add(array)
                    column.append(array[1:-1])
            at += 1 + width

    def _take_texts(self, numbers: Sequence[int], rows: Rows) -> None:
        counts = [0] * len(numbers)
        for row in rows.rows:
            counts[row[0]] += 1
            columns = self._columns[numbers[row[0]]]
            for column, value in zip(columns, row[len(row) - len(columns) :], strict=True):
                column.append("NULL" if value is None else _element(value))
                self._size.add(column[-1])
        for number, count in zip(numbers, counts, strict=True):
            self._count(number, count)

    def _count(self, number: int, rows: int) -> None:
        self._counts[number] += rows
        if self._portion.parts[number].few and self._counts[number] > KEYS_MAX:
            raise _TooMany
        if self._counts[number] > self._limits.rows_max:
            raise NotSupportedError(
                "OG-RUN-100",
                f"the query needs more than {self._limits.rows_max:,} rows of {self._portion.parts[number].table} on "
                "one server",
                cure="restrict the query, or raise the domain's finish: {rows_max: …}",
            )

    def came(self) -> list[Came]:
        return [
            Came(f"{self._portion.domain}: {part.table}", rows, sum(map(size_of, columns)))
            for part, rows, columns in zip(self._portion.parts, self._counts, self._columns, strict=True)
        ]

    def columns(self) -> _Columns:
        return [column for part in self._columns for column in part]


def _element(value: str) -> str:
    """A text as an element of an array's text."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


_ISOLATION = "SELECT current_setting('transaction_isolation')"
