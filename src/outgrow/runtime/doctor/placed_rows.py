"""Rows where they belong, and neither too many nor too much work in one place.

Rows are read page by page, a sample of them or all; work is what the servers have counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from outgrow.errors import Error
from outgrow.nodes import Link
from outgrow.runtime.doctor.examination import Check, Examination, several
from outgrow.runtime.doctor.finding import Finding, Severity
from outgrow.runtime.doctor.reading import Part, reading, to_read
from outgrow.topology import Node, Sharded, Single, TableName
from outgrow.waits import Steps

#: Fewer rows say nothing about skew.
_SKEW_ROWS = 1_000
#: A shard with so many times its fair share of a table's rows is worth a look.
_SHARD_FACTOR = 1.5
#: A slot cannot be divided: no move helps one with this share of all rows, where that is also so many fair shares.
_SLOT_SHARE = 0.05
_SLOT_FACTOR = 20
#: A key with this share of its slot's rows is what makes the slot hot.
_KEY_SHARE = 0.5
#: Fewer scans and changed rows of a table say nothing about which shard does the work.
_WORK = 100_000


@dataclass(slots=True)
class Seen:
    """What the pages that were read of one table on one shard hold."""

    #: slot → rows.
    slots: Counter[int] = field(default_factory=Counter)
    rows: int = 0
    #: Rows that all pages hold, if the others are like those that were read.
    estimated: float = 0.0
    whole: bool = True
    #: A piece of a table with rows that lie on the wrong shard, to tell some of their keys.
    stray: str = ""
    largest: Part | None = None


def _rows_steps(examination: Examination) -> Steps[list[Finding]]:
    """Every row of a sharded table lies on the shard that its key's slot belongs to, and no slot has too many."""
    keys = {}
    found = []
    for name, placed in examination.domain.tables.items():
        if isinstance(placed, Sharded) and name in examination.state.picture.schema.tables:
            try:
                slot_sql = _slot_sql(examination, name, placed)
                if slot_sql is not None:
                    keys[name] = slot_sql
            except Error as error:
                found.append(examination.find(Severity.WARNING, examination.domain.name, error.message, error.cure))
    parts = yield from reading(examination).parts_steps(examination, list(keys))
    examination.expect_pages(sum(to_read(examination, part) for those in parts.values() for part in those))
    questions = {node: _reader(examination, node, those, keys) for node, those in parts.items()}
    answers = yield from examination.ask_steps(questions)
    by_table: dict[TableName, dict[Node, Seen]] = defaultdict(dict)
    for node, seen in answers.items():
        for table in keys:
            # A shard without a page of it has none of its rows.
            by_table[table][node] = seen.get(table, Seen())
    for table, on in sorted(by_table.items(), key=lambda pair: str(pair[0])):
        for node, one in on.items():
            stray = {
                slot: rows
                for slot, rows in one.slots.items()
                if examination.state.picture.placer.owners[slot] != node.shard
            }
            if stray:
                found.append((yield from _stray_steps(examination, node, table, keys[table], one, stray)))
        found += yield from _skew_steps(examination, table, on, keys[table])
    return found


def _slot_sql(examination: Examination, name: TableName, placed: Sharded) -> str | None:
    types = key_types(examination, name, placed)
    return examination.state.picture.placer.strategy(types).sql([*_names(examination, placed)])


def _names(examination: Examination, placed: Sharded) -> list[str]:
    return [reading(examination).name(column) for column in placed.columns]


def key_types(examination: Examination, name: TableName, placed: Sharded) -> tuple[str, ...]:
    table = examination.state.picture.schema.tables[name]
    return tuple(column.type for wanted in placed.columns if (column := table.column(wanted)) is not None)


def _by_range(examination: Examination, name: TableName) -> bool:
    """Its rows lie where somebody wanted them: no share of them is a fair one."""
    placed = examination.domain.tables[name]
    if not isinstance(placed, Sharded) or name not in examination.state.picture.schema.tables:
        return False
    types = key_types(examination, name, placed)
    return examination.state.picture.placer.slots_between(types, None, None, False) is not None


def _reader(
    examination: Examination, node: Node, parts: list[Part], keys: dict[TableName, str]
) -> Callable[[Link], Steps[dict[TableName, Seen]]]:
    owners = examination.state.picture.placer.owners
    slots_sql = examination.queries["slots_of_rows"]

    def read_steps(link: Link) -> Steps[dict[TableName, Seen]]:
        seen: dict[TableName, Seen] = defaultdict(Seen)
        for part in parts:
            one, rows_before = seen[part.table], seen[part.table].rows
            if one.largest is None or part.pages > one.largest.pages:
                one.largest = part
            for source, pages in reading(examination).pieces(examination, part):
                sql = slots_sql.replace("{slot}", keys[part.table]).replace("{part}", source)
                for slot, rows in (yield from link.run_steps(sql, None, prepare=False)).rows:
                    one.slots[slot] += rows
                    one.rows += rows
                    if owners[slot] != node.shard:
                        one.stray = source
                examination.note_pages(pages)
            read = to_read(examination, part)
            one.whole &= read == part.pages
            one.estimated += (one.rows - rows_before) * part.pages / read
        return dict(seen)

    return read_steps


def _stray_steps(
    examination: Examination, node: Node, table: TableName, slot_sql: str, seen: Seen, stray: dict[int, int]
) -> Steps[Finding]:
    placed = examination.domain.tables[table]
    assert isinstance(placed, Sharded)
    key = reading(examination).text(_names(examination, placed))
    sql = examination.queries["stray"].replace("{key}", key).replace("{slot}", slot_sql).replace("{part}", seen.stray)
    sql = sql.replace("{slots}", ", ".join(map(str, stray)))

    def some_steps(link: Link) -> Steps[list[str]]:
        rows = yield from link.run_steps(sql, None, prepare=False)
        return [shown for (shown,) in rows.rows]

    some = (yield from examination.ask_steps({node: some_steps})).get(node, [])
    owners = sorted({examination.state.picture.placer.owners[slot] for slot in stray})
    such = f" (keys such as {', '.join(some)})" if some else ""
    what = (
        f"{sum(stray.values()):,} of {seen.rows:,} rows {'' if seen.whole else 'sampled '}of {table} belong on "
        f"{several(owners)}{such}: statements by their key do not find them"
    )
    cure = (
        f"they were written past outgrow: on this server, read them out (WHERE {slot_sql} IN (…) names them) and "
        "DELETE them, then write them through outgrow"
    )
    return examination.find(Severity.ERROR, node.name, what, cure)


def _skew_steps(
    examination: Examination, table: TableName, on: dict[Node, Seen], slot_sql: str
) -> Steps[list[Finding]]:
    """Shards, slots and keys with far more than their share of a table's rows."""
    total = sum(seen.estimated for seen in on.values())
    if total < _SKEW_ROWS or len(on) < len(examination.domain.shards) or len(on) == 1:
        return []
    if _by_range(examination, table):
        return []
    found = []
    slots = examination.state.picture.placer.slots
    about = "" if all(seen.whole for seen in on.values()) else "about "
    for node, seen in on.items():
        fair = _fair(examination, node)
        share = seen.estimated / total
        if fair and share >= min(_SHARD_FACTOR * fair, 0.99):
            what = (
                f"it has {about}{share:.0%} of the {total:,.0f} rows of {table}; by its slots {fair:.0%} would be fair"
            )
            cure = "see which keys have most rows; a shard key with more values, or a second column in it, spreads them"
            found.append(examination.find(Severity.WARNING, node.name, what, cure))
        for slot, rows in seen.slots.most_common(1 if seen.whole or reading(examination).fair else 0):
            share = rows / seen.rows * seen.estimated / total
            if share >= max(_SLOT_SHARE, min(_SLOT_FACTOR / slots, 0.5)):
                key, of_slot = yield from _heaviest_steps(examination, node, table, slot_sql, seen, slot)
                found.append(_hot(examination, node, f"{table}", f"{slot} of {slots:,}", about, share, key, of_slot))
    return found


def _fair(examination: Examination, node: Node) -> float:
    """The share of the hash slots that its shard has."""
    placer = examination.state.picture.placer
    owners = Counter(placer.owners[: placer.slots])
    return owners[node.shard] / sum(owners.values())


def _heaviest_steps(
    examination: Examination, node: Node, table: TableName, slot_sql: str, seen: Seen, slot: int
) -> Steps[tuple[str, float]]:
    """The key with most rows of that slot in a sample of the table's largest part, and its share of them."""
    placed = examination.domain.tables[table]
    assert isinstance(placed, Sharded)
    part = seen.largest
    assert part is not None
    source = reading(examination).some(examination, part)
    key = reading(examination).text(_names(examination, placed))
    sql = examination.queries["heaviest_key"]
    sql = sql.replace("{key}", key).replace("{slot}", slot_sql).replace("{part}", source)

    def ask_steps(link: Link) -> Steps[tuple[str, float]]:
        rows = (yield from link.run_steps(sql, [slot], prepare=False)).rows
        return (rows[0][0], float(rows[0][1])) if rows else ("", 0.0)

    return (yield from examination.ask_steps({node: ask_steps})).get(node, ("", 0.0))


def _hot(
    examination: Examination,
    node: Node,
    table: str,
    slot: str,
    about: str,
    share: float,
    key: str,
    of_slot: float,
) -> Finding:
    if of_slot >= _KEY_SHARE:
        what = (
            f"the key {key} alone has about {share * of_slot:.0%} of the rows of {table} (its slot, {slot}, has "
            f"{about}{share:.0%}): one key's rows cannot be divided"
        )
        cure = "add a second column to the shard key, or let that key's rows be fewer"
    else:
        what = f"slot {slot} has {about}{share:.0%} of the rows of {table}: a slot cannot be divided"
        cure = "several large keys share it: give the domain more slots, or add a second column to the shard key"
    return examination.find(Severity.WARNING, node.name, what, cure)


def _work_steps(examination: Examination) -> Steps[list[Finding]]:
    """No shard does far more than its share of the work on a table, replicas counted with their primary."""
    sharded = [name for name, placed in examination.domain.tables.items() if isinstance(placed, Sharded)]
    tables = [name for name in sharded if not _by_range(examination, name)]
    shards = len(examination.domain.shards)
    if shards == 1 or not tables:
        return []
    columns = [[table.schema for table in tables], [table.name for table in tables]]
    rows = yield from examination.each_steps(examination.nodes, "work", columns)
    if len(rows) < len(examination.nodes):
        # Without one node's counts every share would be wrong.
        return []
    work: dict[TableName, Counter[str]] = defaultdict(Counter)
    for node, answer in rows.items():
        for schema, name, done in answer:
            work[TableName(schema, name)][node.shard] += done
    found = []
    for table, by_shard in sorted(work.items(), key=lambda pair: str(pair[0])):
        total = sum(by_shard.values())
        for primary in examination.primaries:
            fair, share = _fair(examination, primary), by_shard[primary.shard] / max(total, 1)
            if total >= _WORK and fair and share >= min(_SHARD_FACTOR * fair, 0.99):
                what = (
                    f"its shard has had {share:.0%} of the {total:,} scans and row changes of {table} since the "
                    f"statistics were reset; by its slots {fair:.0%} would be fair"
                )
                cure = "see which keys the statements ask for; a second column in the shard key spreads a busy one"
                found.append(examination.find(Severity.WARNING, primary.name, what, cure))
    return found


def _elsewhere_steps(examination: Examination) -> Steps[list[Finding]]:
    """A single table has its rows on its shard, and none elsewhere."""
    found = []
    singles = {table: placed.shard for table, placed in examination.domain.tables.items() if isinstance(placed, Single)}
    parts = yield from reading(examination).parts_steps(examination, list(singles))
    for node, those in parts.items():
        for part in those:
            if singles[part.table] == node.shard:
                continue
            sql = examination.queries["any_row"].replace("{table}", part.sql)

            def ask_steps(link: Link, sql: str = sql) -> Steps[bool]:
                return bool((yield from link.run_steps(sql, None, prepare=False)).rows[0][0])

            if (yield from examination.ask_steps({node: ask_steps})).get(node):
                home = singles[part.table]
                what = f"the single table {part.table} lives on {home}, but has rows here: nobody reads them"
                cure = "they were written past outgrow: load them through it if you want them; TRUNCATE the table here"
                found.append(examination.find(Severity.ERROR, node.name, what, cure))
    return found


ROWS, SINGLE_TABLES = Check("rows", _rows_steps), Check("single tables", _elsewhere_steps)
CHECKS = (ROWS, Check("work", _work_steps), SINGLE_TABLES)
