"""Rows of keys that stand in the directory: each on the shard that its entry names; and shards and ledger of one mind.

There is no formula that a server could place rows by: the keys that are there are counted, and looked up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from outgrow import ledger
from outgrow.clock import monotonic
from outgrow.keyspace import family
from outgrow.nodes import Link
from outgrow.runtime.doctor.examination import Check, Examination, several
from outgrow.runtime.doctor.finding import Finding, Severity
from outgrow.runtime.doctor.placed_rows import key_types
from outgrow.runtime.doctor.reading import Part, reading, to_read
from outgrow.topology import Node, Sharded, TableName
from outgrow.waits import Steps, Until

#: Keys looked up at once.
_KEYS = 5_000
#: Keys of one part that are looked at again: rows may be under way to another shard.
_AGAIN = 1_000
#: How often, and how far apart, shards and ledger are compared before they are said to differ.
_LOOKS, _LOOK_SECONDS = 5, 0.2


@dataclass(frozen=True, slots=True)
class _Listed:
    """A table whose keys stand in the directory."""

    name: TableName
    family: str
    #: Its first key column, as SQL.
    key: str


@dataclass(slots=True)
class _Astray:
    """Rows of one table on one shard whose keys live elsewhere, or nowhere."""

    rows: int = 0
    keys: list[str] = field(default_factory=list)
    owners: set[str] = field(default_factory=set)


def _rows_steps(examination: Examination) -> Steps[list[Finding]]:
    listed = {table.name: table for table in _tables(examination)}
    found: list[Finding] = []
    parts = yield from reading(examination).parts_steps(examination, list(listed))
    examination.expect_pages(sum(to_read(examination, part) for those in parts.values() for part in those))
    for node, those in parts.items():
        astray: dict[tuple[TableName, bool], _Astray] = {}
        for part in those:
            yield from _part_steps(examination, node, part, listed[part.table], astray)
        for (name, without), one in sorted(astray.items(), key=lambda pair: str(pair[0])):
            found.append(_finding(examination, node, name, without, one))
    if listed:
        found += yield from _editions_steps(examination)
    return found


def _tables(examination: Examination) -> Iterator[_Listed]:
    picture = examination.state.picture
    for name, placed in examination.domain.tables.items():
        table = picture.schema.tables.get(name)
        # What lies in partitions is read as their parent's.
        if not isinstance(placed, Sharded) or table is None or table.partition_of is not None:
            continue
        types = key_types(examination, name, placed)
        if types and picture.placer.lists(types):
            yield _Listed(name, family(types[0]), reading(examination).name(placed.columns[0]))


def _part_steps(
    examination: Examination,
    node: Node,
    part: Part,
    table: _Listed,
    astray: dict[tuple[TableName, bool], _Astray],
) -> Steps[None]:
    for source, pages in reading(examination).pieces(examination, part):
        sql = examination.queries["keys_of_rows"].replace("{key}", table.key).replace("{part}", source)

        def count_steps(link: Link, sql: str = sql) -> Steps[dict[str | None, int]]:
            rows = yield from link.run_steps(sql, None, prepare=False)
            return dict(rows.rows)

        counts = (yield from examination.ask_steps({node: count_steps})).get(node, {})
        examination.note_pages(pages)
        owners = yield from _owners_steps(examination, table, [key for key in counts if key is not None])
        wrong = sorted(key for key in counts if key is not None and owners.get(key) != node.shard)
        wrong = yield from _still_steps(examination, node, part, table, wrong[:_AGAIN])
        for key in wrong:
            one = astray.setdefault((table.name, key not in owners), _Astray())
            one.rows += counts[key]
            one.keys.append(key)
            one.owners.add(owners.get(key, ""))
        home = examination.state.picture.placer.owners[examination.state.picture.map.listed]
        if None in counts and home != node.shard:
            one = astray.setdefault((table.name, False), _Astray())
            one.rows += counts[None]
            one.keys.append("NULL")
            one.owners.add(home)


def _owners_steps(examination: Examination, table: _Listed, keys: Sequence[str]) -> Steps[dict[str, str]]:
    """Key → the shard that its entry names."""
    found: dict[str, str] = {}
    home = examination.primaries[0]
    slots = examination.state.picture.placer.owners
    for at in range(0, len(keys), _KEYS):
        asked = [(table.family, key) for key in keys[at : at + _KEYS]]

        def entries_steps(link: Link, asked: list[tuple[str, str]] = asked) -> Steps[list[ledger.EntryRow]]:
            return ledger.directory_entries_steps(link, asked)

        for _, key, slot, _ in (yield from examination.ask_steps({home: entries_steps})).get(home, []):
            found[key] = slots[slot] if slot < len(slots) else ""
    return found


def _still_steps(examination: Examination, node: Node, part: Part, table: _Listed, keys: list[str]) -> Steps[list[str]]:
    """Those of the keys that have rows here although their entry, before and after that look, is another shard's."""
    if not keys:
        return []
    sql = examination.queries["keys_there"].replace("{key}", table.key).replace("{part}", part.sql)

    def there_steps(link: Link) -> Steps[set[str]]:
        asked = ledger.words_of(link.engine).texts(keys)
        rows = yield from link.run_steps(sql, [asked], prepare=False)
        return {key for (key,) in rows.rows}

    before = yield from _owners_steps(examination, table, keys)
    there = (yield from examination.ask_steps({node: there_steps})).get(node, set())
    after = yield from _owners_steps(examination, table, keys)
    return [key for key in keys if key in there and node.shard != before.get(key) == after.get(key)]


def _finding(examination: Examination, node: Node, name: TableName, without: bool, one: _Astray) -> Finding:
    such = f"{one.rows:,} rows of {name} have keys such as {', '.join(one.keys[:3])}"
    if without:
        what = f"{such}, which have no entry: statements by their key do not find them"
        cure = f"`outgrow directory assign KEY {node.shard}`: they were written past outgrow, or entries were lost"
    else:
        what = f"{such}, which live on {several(sorted(one.owners))}: statements by their key do not find them"
        cure = "on this server, COPY them out and DELETE them, then load them through outgrow"
    return examination.find(Severity.ERROR, node.name, what, cure)


def _editions_steps(examination: Examination) -> Steps[list[Finding]]:
    """Each shard has the edition that the ledger says; a migration that is being committed is given time."""
    home = examination.primaries[0]
    apart: dict[Node, tuple[int, int]] = {}
    for look in range(_LOOKS):
        if look:
            yield Until(monotonic() + _LOOK_SECONDS)
        told = yield from examination.ask_steps({home: _page_steps})
        seen = yield from examination.ask_steps(dict.fromkeys(examination.primaries, _edition_steps))
        if home not in told:
            return []
        page = told[home]
        now = {
            node: (edition, page.editions.get(node.shard, 0))
            for node, edition in seen.items()
            if edition != page.editions.get(node.shard, 0)
        }
        apart = now if not look else {node: both for node, both in now.items() if apart.get(node) == both}
        if not apart:
            return []
    return [
        examination.find(
            Severity.ERROR,
            node.name,
            f"its edition of the directory is {there}, the ledger says {said}: statements on keys fail here",
            "`outgrow recover`; else one of the two was restored from an older backup: once `outgrow doctor --all` has "
            f"no wrong row, UPDATE outgrow.edition SET edition = {said} here",
        )
        for node, (there, said) in apart.items()
    ]


def _page_steps(link: Link) -> Steps[ledger.DirectoryPage]:
    return ledger.look_directory_steps(link, [])


def _edition_steps(link: Link) -> Steps[int]:
    rows = yield from link.run_steps(ledger.queries(link.engine)["edition"], None)
    edition: int = rows.rows[0][0]
    return edition


CHECKS = (Check("directory", _rows_steps),)
