"""MariaDB's shards compared object by object, as `objects` does for PostgreSQL.

The server writes the definitions itself: each line of SHOW CREATE TABLE is a column, a key or a constraint, and an
ALTER TABLE takes it as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from outgrow.schema.objects import ORDER, Object, ObjectDifference, Objects
from outgrow.topology import TableName

_NAMED = re.compile(r"`((?:[^`]|``)+)`")
_COUNTED = re.compile(r" AUTO_INCREMENT=\d+")
_KEY = re.compile(r"(?:UNIQUE |FULLTEXT |SPATIAL )?KEY `|PRIMARY KEY ")
_CONSTRAINT = re.compile(r"CONSTRAINT `(?:[^`]|``)+` (FOREIGN KEY|CHECK)")
_INSIDE = frozenset(("column", "constraint", "index", "trigger"))
#: What outgrow compares and leaves to a person: its DDL is not run on every shard as one.
_BY_HAND = "outgrow does not write the statement for a {}: make it on the shard with execute(…, shard=…)"


def mariadb_objects(
    tables: Mapping[str, str], views: Sequence[Sequence[Any]], others: Sequence[Sequence[Any]]
) -> Objects:
    """`tables` are texts of SHOW CREATE TABLE by name; rows of views are name, query, security and CHECK OPTION, those
    of the others kind, name, table and definition."""
    found: dict[tuple[str, str], Object] = {}
    for name, text in tables.items():
        for one in _of_table(name, text):
            found[one.kind, one.name] = one
    for name, query, security, checked in views:
        made = f"CREATE VIEW {_quoted(name)} AS {query}"
        made += f" WITH {checked} CHECK OPTION" if checked != "NONE" else ""
        # (With other rights than its maker's it is no statement that runs on every shard.)
        create = (made,) if security == "DEFINER" else ()
        drop = f"DROP VIEW {_quoted(name)}"
        known = TableName("public", name)
        found["view", name] = Object("view", name, known, f"{security} {made}", create, (drop,) if create else ())
    for kind, name, table, definition in others:
        belongs = TableName("public", table) if table else None
        found[kind, name] = Object(kind, name, belongs, definition)
    return found


def _of_table(name: str, text: str) -> Iterator[Object]:
    """The table itself, then each line of it."""
    table, quoted = TableName("public", name), _quoted(name)
    head, body, options = _taken_apart(text)
    kept = [line for line in body if not _CONSTRAINT.match(line) or " FOREIGN KEY " not in line]
    create = f"{head}\n  " + ",\n  ".join(kept) + f"\n){options}"
    alter = f"ALTER TABLE {quoted} "
    # Partitions and the like are beyond one clause.
    replace = () if "\n" in options else (alter + options.strip(),)
    yield Object("table", name, table, options.strip(), (create,), (f"DROP TABLE {quoted}",), replace)
    before = "FIRST"
    for line in body:
        named = _NAMED.search(line)
        own = named[1].replace("``", "`") if named is not None else ""
        if line.startswith("`"):
            add, drop, other = f"ADD COLUMN {line} {before}", f"DROP COLUMN {_quoted(own)}", f"MODIFY COLUMN {line}"
            yield Object("column", f"{name}.{own}", table, line, (alter + add,), (alter + drop,), (alter + other,))
            before = f"AFTER {_quoted(own)}"
            continue
        kind, own, drop = _key_of(line, own)
        add = f"ADD {line}"
        both = (f"{alter}{drop}, {add}",)
        yield Object(kind, f"{name}.{own}", table, line, (alter + add,), (alter + drop,), both)


def _key_of(line: str, own: str) -> tuple[str, str, str]:
    """Kind and name of a line that is no column, and the clause that drops it."""
    if line.startswith("PRIMARY KEY"):
        return "constraint", "PRIMARY", "DROP PRIMARY KEY"
    if (constraint := _CONSTRAINT.match(line)) is not None:
        if constraint[1] == "CHECK":
            return "constraint", own, f"DROP CONSTRAINT {_quoted(own)}"
        return "foreign key", own, f"DROP FOREIGN KEY {_quoted(own)}"
    if _KEY.match(line):
        return "constraint" if line.startswith("UNIQUE") else "index", own, f"DROP INDEX {_quoted(own)}"
    return "constraint", line.partition("(")[0].strip(), f"DROP {line.partition('(')[0].strip()}"


def _taken_apart(text: str) -> tuple[str, list[str], str]:
    """The first line, the lines within the parentheses, and what stands behind them."""
    head, _, rest = text.partition("\n")
    inner, _, options = rest.rpartition("\n)")
    lines: list[str] = []
    for line in inner.split("\n"):
        bare = line.strip().removesuffix(",")
        if line.startswith("  ") and (bare.startswith("`") or _KEY.match(bare) or _CONSTRAINT.match(bare) or not lines):
            lines.append(bare)
        else:
            lines.append(bare) if bare.startswith("PERIOD FOR") else lines.append(lines.pop() + "\n" + bare)
    return head, lines, _COUNTED.sub("", options)


def compare_mariadb(
    wanted: Objects, found: Objects, shard: str, apart: Collection[TableName] = ()
) -> tuple[ObjectDifference, ...]:
    """As `objects.compare`."""
    differences: list[ObjectDifference] = []
    tables = [
        {one.table for one in side.values() if one.kind == "table" and one.table is not None}
        for side in (wanted, found)
    ]
    absent = tables[0] ^ tables[1]
    for key in dict.fromkeys((*wanted, *found)):
        here, there = wanted.get(key), found.get(key)
        either = here or there
        assert either is not None
        # What a table has is made and dropped with it, but for what points to other tables.
        inside = either.kind in _INSIDE or (either.kind == "foreign key" and not here)
        if either.table in apart or (inside and either.table in absent):
            continue
        differences.extend(_differences(here, there, shard))
    for table in sorted(tables[0] & tables[1], key=str):
        if table not in apart:
            differences.extend(_order(wanted, found, table, shard))
    drops = [one for one in differences if one.what == "extra"]
    others = [one for one in differences if one.what != "extra"]
    return (
        *sorted(drops, key=lambda one: -ORDER.index(one.kind)),
        *sorted(others, key=lambda one: ORDER.index(one.kind)),
    )


def _differences(here: Object | None, there: Object | None, shard: str) -> Iterator[ObjectDifference]:
    one = here or there
    assert one is not None
    note = "" if one.create else _BY_HAND.format(one.kind)
    if here is None:
        precious = one.kind in ("table", "column")
        yield ObjectDifference(
            shard, one.kind, one.name, "extra", "", one.definition, one.drop, precious, note, table=one.table
        )
    elif there is None:
        yield ObjectDifference(
            shard, one.kind, one.name, "missing", one.definition, "", one.create, note=note, table=one.table
        )
    elif here.definition != there.definition:
        statements = (*there.drop, *here.create) if here.replace is None else here.replace
        note = note if here.replace is None or statements else "what is behind its columns takes a person"
        yield ObjectDifference(
            *(shard, here.kind, here.name, "differs", here.definition, there.definition, statements),
            note=note,
            table=here.table,
        )


def _order(wanted: Objects, found: Objects, table: TableName, shard: str) -> Iterator[ObjectDifference]:
    """Columns that both have, in another order: an INSERT without a column list means it."""
    here, there = (
        {one.name: one for one in side.values() if one.kind == "column" and one.table == table}
        for side in (wanted, found)
    )
    ours, theirs = [name for name in here if name in there], [name for name in there if name in here]
    if ours == theirs:
        return
    clauses, before = [], "FIRST"
    for name in ours:
        line = here[name].definition
        clauses.append(f"MODIFY COLUMN {line} {before}")
        before = f"AFTER {_quoted(name.partition('.')[2])}"
    statement = f"ALTER TABLE {_quoted(table.name)} {', '.join(clauses)}"
    one, other = (", ".join(name.partition(".")[2] for name in side) for side in (ours, theirs))
    yield ObjectDifference(shard, "order of columns", table.name, "differs", one, other, (statement,), table=table)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
