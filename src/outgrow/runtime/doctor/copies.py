"""Copied tables whose copies have drifted apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from outgrow.clock import monotonic
from outgrow.nodes import Link
from outgrow.runtime.doctor.examination import QUERIES, Check, Examination, Row
from outgrow.runtime.doctor.finding import Finding, Severity
from outgrow.runtime.doctor.reading import reading
from outgrow.schema import Table
from outgrow.statement import name_sql
from outgrow.topology import Copied, Node
from outgrow.waits import Steps, Until

#: A copy of more pages (of 8 KiB) is compared at both ends of its primary key only, unless all rows are asked for.
_WHOLE_PAGES = 4_096
_ENDS_ROWS = 5_000
#: A difference must be there twice, this far apart (seconds), with the same rows: else somebody was writing.
_PAUSE_SECONDS = 0.3

#: Heap → rows and the sum of their hashes.
Sums = Mapping[int, tuple[int, str]]


def _copies_steps(examination: Examination) -> Steps[list[Finding]]:
    """Every shard has the same rows of a copied table."""
    schema = examination.state.picture.schema
    copied = [name for name, placed in examination.domain.tables.items() if isinstance(placed, Copied)]
    copied = sorted((name for name in copied if name in schema.tables), key=str)
    if len(examination.domain.shards) == 1 or not copied:
        return []
    parts = yield from reading(examination).parts_steps(examination, copied)
    pages = (
        {
            name: max(sum(part.pages for part in those if part.table == name) for those in parts.values())
            for name in copied
        }
        if parts
        else {}
    )
    examination.expect_pages(sum(pages.values()) * len(parts))
    found = []
    for name in copied:
        table = schema.tables[name]
        ends = not examination.all_rows and pages.get(name, 0) > _WHOLE_PAGES and bool(table.primary_key)
        found += yield from _compare_steps(examination, table, ends)
        examination.note_pages(pages.get(name, 0) * len(parts))
    return found


def _compare_steps(examination: Examination, table: Table, ends: bool) -> Steps[list[Finding]]:
    rows_sql, identity, row = _sql(table, ends)
    first = yield from _sums_steps(examination, rows_sql, identity, row)
    if len(first) < 2 or all(sums == next(iter(first.values())) for sums in first.values()):
        return []
    yield Until(monotonic() + _PAUSE_SECONDS)
    again = yield from _sums_steps(examination, rows_sql, identity, row)
    home = next(iter(first))
    if home not in again:
        return []
    found = []
    for node in list(first)[1:]:
        if node not in again:
            continue
        apart = [
            heap
            for heap in range(64)
            if first[node].get(heap) != first[home].get(heap)
            and again[node].get(heap) == first[node].get(heap)
            and again[home].get(heap) == first[home].get(heap)
        ]
        if apart:
            rows = [sum(count for count, _ in sums[each].values()) for sums, each in ((again, node), (again, home))]
            such = yield from _such_steps(examination, (home, node), rows_sql, identity, row, apart[0])
            where = " at the ends of its primary key" if ends else ""
            what = (
                f"its copy of {table.name} has {rows[0]:,} rows{where}, that of {home.name} {rows[1]:,}; "
                f"they differ{such}: what a statement reads depends on the shard"
            )
            cure = "find out which copy is right; write what differs again through outgrow, which writes all copies"
            found.append(examination.find(Severity.ERROR, node.name, what, cure))
    return found


def _sql(table: Table, ends: bool) -> tuple[str, str, str]:
    """What stands in FROM, what tells a row apart, and all of the row; as text, column by column in one order."""
    name = f"{name_sql(table.name.schema)}.{name_sql(table.name.name)}"
    key = ", ".join(map(name_sql, table.primary_key))
    row = f"ROW({', '.join(sorted(name_sql(column.name) for column in table.columns))})::text"
    identity = f"ROW({key})::text" if key else row
    if not ends:
        return name, identity, row
    backwards = ", ".join(f"{name_sql(column)} DESC" for column in table.primary_key)
    rows = (
        f"((SELECT * FROM {name} ORDER BY {key} LIMIT {_ENDS_ROWS}) UNION ALL "
        f"(SELECT * FROM {name} ORDER BY {backwards} LIMIT {_ENDS_ROWS})) AS ends"
    )
    return rows, identity, row


def _sums_steps(examination: Examination, rows: str, identity: str, row: str) -> Steps[dict[Node, Sums]]:
    sql = _filled("sums", rows, identity, row)

    def ask_steps(link: Link) -> Steps[Sums]:
        answer = yield from _alike_steps(link, sql, [])
        return {heap: (count, total) for heap, count, total in answer}

    return (yield from examination.ask_steps(dict.fromkeys(examination.primaries, ask_steps)))


def _such_steps(
    examination: Examination, nodes: tuple[Node, Node], rows: str, identity: str, row: str, heap: int
) -> Steps[str]:
    """Some rows that one of the two has and the other has not, or has otherwise."""
    sql = _filled("heap", rows, identity, row)

    def ask_steps(link: Link) -> Steps[set[tuple[str, int]]]:
        return set((yield from _alike_steps(link, sql, [heap])))

    question: Callable[[Link], Steps[set[tuple[str, int]]]] = ask_steps
    answers = yield from examination.ask_steps(dict.fromkeys(nodes, question))
    if len(answers) < 2:
        return ""
    here, there = answers.values()
    some = sorted({identity for identity, _ in here ^ there})[:3]
    return f" in rows such as {', '.join(text[:60] for text in some)}" if some else ""


def _filled(query: str, rows: str, identity: str, row: str) -> str:
    return QUERIES[query].replace("{identity}", identity).replace("{row}", row).replace("{rows}", rows)


def _alike_steps(link: Link, sql: str, params: list[int]) -> Steps[list[Row]]:
    """Rows of one snapshot in which values have the same text on all servers."""
    yield from link.run_steps("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", None)
    try:
        yield from link.run_steps(QUERIES["same_text"], None)
        return list((yield from link.run_steps(sql, params or None, prepare=False)).rows)
    finally:
        if link.in_transaction and not link.broken:
            yield from link.run_steps("ROLLBACK", None)


CHECKS = (Check("copies", _copies_steps),)
