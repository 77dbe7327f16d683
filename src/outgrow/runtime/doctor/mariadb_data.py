"""What lies in MariaDB databases: what they are made of, tables, numbers, copies, and transactions that nobody ends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from uuid import UUID

from outgrow.clock import monotonic, wall_ns
from outgrow.nodes import Link
from outgrow.runtime.doctor.constraints import by_table, placed_tables
from outgrow.runtime.doctor.examination import Check, Examination, Row, several
from outgrow.runtime.doctor.finding import Finding, Severity
from outgrow.runtime.doctor.reading import reading
from outgrow.runtime.doctor.transactions import awaited
from outgrow.schema import Table
from outgrow.topology import Copied, Node, Sharded, Single
from outgrow.transactions import TransactionId
from outgrow.waits import Steps, Until

#: A branch prepared for longer than that belongs to nobody who is still at work on it.
_IN_DOUBT_SECONDS = 60
#: The first half of the name of a branch of outgrow's.
_OURS = re.compile(r"outgrow/([0-9a-f]{32})")
#: So long a session may say nothing within a transaction, and so long work on in one.
_IDLE_SECONDS = 300
_WORKING_SECONDS = 3600
#: A difference of copies must be there twice, this far apart (seconds): else somebody was writing.
_PAUSE_SECONDS = 0.3
#: This share of a column's numbers in use is worth a look, and that one a worry.
_USED = 0.75
_USED_ERROR = 0.95
_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}

#: (kind, table or own name, name) → what it is.
Objects = Mapping[tuple[str, str, str], str]


def _schema_steps(examination: Examination) -> Steps[list[Finding]]:
    """Shards have the same tables, columns, indexes, constraints, triggers, views and routines."""
    answers = yield from examination.each_steps(examination.primaries, "objects")
    if not answers:
        return []
    home = next(iter(answers))
    like = _objects(examination, answers[home])
    found: list[Finding] = []
    for node, rows in answers.items():
        found += _apart(examination, node, home, like, _objects(examination, rows))
    return found


def _objects(examination: Examination, rows: list[Row]) -> Objects:
    """Without outgrow's own tables, and those that live on one shard."""
    tables = examination.domain.tables
    singles = {name.name for name, placed in tables.items() if isinstance(placed, Single)}
    return {
        (kind, table, name): definition or ""
        for kind, table, name, definition in rows
        if table not in singles and not table.startswith("outgrow_")
    }


def _apart(examination: Examination, node: Node, home: Node, like: Objects, found: Objects) -> Iterator[Finding]:
    absent = {table for kind, table, _ in like.keys() ^ found.keys() if kind == "table"}
    for one in sorted(like.keys() | found.keys()):
        kind, table, name = one
        if like.get(one) == found.get(one) or (kind != "table" and table in absent):
            continue
        which = f"the {kind} {table}" + (f".{name}" if name else "")
        if one not in found:
            what, cure = f"{which} is missing ({home.name} has it)", "make it there too"
        elif one not in like:
            what, cure = f"{which} is not on {home.name}", "make it there too, or drop it here"
        else:
            what = f"{which} is {_short(found[one])}, and {_short(like[one])} on {home.name}"
            cure = "ALTER (or make anew) the one that is wrong"
        severity = Severity.ERROR if kind in ("table", "column") else Severity.WARNING
        yield examination.find(severity, node.name, what, cure)


def _short(definition: str) -> str:
    words = " ".join(definition.split())
    return f"`{words[:120]}{'…' if len(words) > 120 else ''}`"


def _tables_steps(examination: Examination) -> Steps[list[Finding]]:
    """Tables take part in transactions, and their rows can be told apart."""
    rows = yield from examination.each_steps(examination.primaries, "tables")
    placed = {name.name for name in examination.domain.tables}
    sharded = {table.name.name for table, how in placed_tables(examination) if isinstance(how, Sharded)}
    return [
        *by_table(
            examination,
            *(rows, Severity.ERROR, lambda row: row[0] in placed and row[1] != "InnoDB"),
            lambda row: f"the table {row[0]} is {row[1]}: what it is told is not undone with its transaction",
            "ALTER TABLE … ENGINE = InnoDB, on every shard",
        ),
        *by_table(
            examination,
            *(rows, Severity.WARNING, lambda row: row[0] in sharded and not row[2]),
            lambda row: (
                f"the table {row[0]} has no primary key: a replica searches the whole table for each changed row, and "
                "its rows cannot be told apart when moved"
            ),
            "add a primary key with the shard key in it",
        ),
    ]


def _numbers_steps(examination: Examination) -> Steps[list[Finding]]:
    """AUTO_INCREMENT does not run out of numbers: a server goes on behind those that the fleet has given."""
    rows = yield from examination.each_steps(examination.primaries, "tables")
    found = []
    for node, answer in rows.items():
        for name, _, _, following, kind in answer:
            words = (kind or "").replace("(", " ").split()
            if following is None or not words or words[0] not in _BITS:
                continue
            most = 2 ** (_BITS[words[0]] - ("unsigned" not in words)) - 1
            if (used := int(following) / most) >= _USED:
                severity = Severity.ERROR if used >= _USED_ERROR else Severity.WARNING
                what = f"AUTO_INCREMENT of {name} has used {used:.0%} of the numbers of {kind}"
                cure = "ALTER TABLE … MODIFY the column to a larger type, on every shard"
                found.append(examination.find(severity, node.name, what, cure))
    return found


def _branches_steps(examination: Examination) -> Steps[list[Finding]]:
    """No prepared branch waits for its end, holding its locks.

    Of outgrow's the name tells the age; of others the server tells that of the oldest without a session only.
    """
    prepared = yield from examination.each_steps(examination.primaries, "in_doubt")
    abandoned = yield from examination.each_steps(examination.primaries, "abandoned")
    found = []
    for node, rows in prepared.items():
        others = []
        for _, length, _, data in rows:
            name = data if isinstance(data, str) else bytes(data).decode("utf8", "backslashreplace")
            if (ours := _OURS.fullmatch(name[:length])) is None:
                others.append(f"{name[:length]!r},{name[length:]!r}")
                continue
            # (When it was numbered, by the clock of the process that did.)
            id = TransactionId("", "", UUID(ours[1]))
            if (age := wall_ns() / 1e9 - id.begun_seconds) >= _IN_DOUBT_SECONDS:
                what = f"the transaction {ours[1]} has been prepared for {age:,.0f} s, holding its locks"
                cure = "run `outgrow recover` (for each domain that has databases on this server)" + awaited(id)
                found.append(examination.find(Severity.ERROR, node.name, what, cure))
        count, oldest = abandoned[node][0] if node in abandoned else (0, 0)
        if others and count and oldest >= _IN_DOUBT_SECONDS:
            what = (
                f"branches of others are prepared ({several(others, 3)}), and a session has gone that began "
                f"{oldest:,} s ago: their locks stay"
            )
            cure = "XA COMMIT or XA ROLLBACK them, by their coordinator; XA RECOVER FORMAT = 'SQL' spells their names"
            found.append(examination.find(Severity.ERROR, node.name, what, cure))
    return found


def _long_steps(examination: Examination) -> Steps[list[Finding]]:
    """No session sits in a transaction for minutes: old versions of rows pile up behind it."""
    rows = yield from examination.each_steps(examination.nodes, "long_transactions", [_IDLE_SECONDS, _WORKING_SECONDS])
    found = []
    for node, answer in rows.items():
        for number, user, host, idle, seconds in answer:
            who = f"the connection {number} of {user} ({host})"
            if idle:
                what = f"{who} has been idle in a transaction for {seconds:,} s; its locks stay, old rows pile up"
            else:
                what = f"{who} has been at work in one transaction for {seconds:,} s; old rows pile up behind it"
            severity = Severity.WARNING if idle else Severity.INFO
            cure = f"end it, or KILL {number}; idle_transaction_timeout does it"
            found.append(examination.find(severity, node.name, what, cure))
    return found


def _copies_steps(examination: Examination) -> Steps[list[Finding]]:
    """Every shard has the same rows of a copied table."""
    schema = examination.state.picture.schema
    copied = [name for name, placed in examination.domain.tables.items() if isinstance(placed, Copied)]
    found: list[Finding] = []
    if len(examination.domain.shards) > 1:
        for name in sorted((name for name in copied if name in schema.tables), key=str):
            found += yield from _compare_steps(examination, schema.tables[name])
    return found


def _compare_steps(examination: Examination, table: Table) -> Steps[list[Finding]]:
    sql = _sum_sql(examination, table)
    first = yield from _sums_steps(examination, sql)
    if len(set(first.values())) < 2:
        return []
    yield Until(monotonic() + _PAUSE_SECONDS)
    again = yield from _sums_steps(examination, sql)
    home = next(iter(first))
    return [
        examination.find(
            Severity.ERROR,
            node.name,
            f"its copy of {table.name} has {again[node][0]:,} rows, that of {home.name} {again[home][0]:,}; they "
            "differ: what a statement reads depends on the shard",
            "find out which copy is right; write what differs again through outgrow, which writes all copies",
        )
        for node in first
        if node in again
        and home in again
        and first[node] != first[home]
        and (again[node], again[home]) == (first[node], first[home])
    ]


def _sum_sql(examination: Examination, table: Table) -> str:
    words = reading(examination)
    # Of a number, HEX would be that of its whole part.
    texts = [
        f"COALESCE(HEX(CAST({name} AS BINARY)), 'N')"
        for name in sorted(words.name(column.name) for column in table.columns)
    ]
    row = f"CONCAT_WS(',', {', '.join(texts)})"
    return examination.queries["checksum"].replace("{row}", row).replace("{part}", words.name(table.name.name))


def _sums_steps(examination: Examination, sql: str) -> Steps[dict[Node, tuple[int, str]]]:
    def ask_steps(link: Link) -> Steps[tuple[int, str]]:
        [(count, total)] = (yield from link.run_steps(sql, None, prepare=False)).rows
        return count, total

    return (yield from examination.ask_steps(dict.fromkeys(examination.primaries, ask_steps)))


SCHEMA = Check("schema", _schema_steps)
CHECKS = (
    Check("tables", _tables_steps),
    Check("numbers", _numbers_steps),
    Check("in doubt", _branches_steps, needs_picture=False),
    Check("long transactions", _long_steps, needs_picture=False),
)
COPIES = Check("copies", _copies_steps)
