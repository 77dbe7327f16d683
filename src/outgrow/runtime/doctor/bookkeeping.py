"""File, ledger and schema: what is written down about the fleet, and whether all shards have the same."""

from __future__ import annotations

from collections.abc import Iterator

from outgrow import ledger
from outgrow.keyspace import KINDS, family, ring_owners
from outgrow.runtime.definitions import comparing, ddl
from outgrow.runtime.doctor.examination import Check, Examination, several
from outgrow.runtime.doctor.finding import Finding, Severity
from outgrow.schema import TableKind
from outgrow.topology import Sharded, ShardMap
from outgrow.waits import Steps


def _installed_steps(examination: Examination) -> Steps[list[Finding]]:
    """Every shard has the ledger, in the version that this library knows, of this domain."""
    versions = yield from examination.ask_steps(dict.fromkeys(examination.primaries, ledger.version_steps))
    found = []
    ours = ledger.version_of(examination.domain.engine)
    for node, known in versions.items():
        if known is None:
            what, cure = "there is no outgrow ledger in its database", "run `outgrow init`"
            found.append(examination.find(Severity.ERROR, node.name, what, cure))
            continue
        version, domain = known
        if domain != examination.domain.name:
            what = f"its ledger is that of the domain {domain}: the database belongs to somebody else"
            cure = "correct the address (or the domain's name) in fleet.yaml"
            found.append(examination.find(Severity.ERROR, node.name, what, cure))
        if version < ours:
            what = f"its ledger has version {version}, and this library knows {ours}"
            found.append(examination.find(Severity.ERROR, node.name, what, "run `outgrow init`, which upgrades it"))
        elif version > ours:
            what = f"its ledger has version {version}, and this library knows only {ours}"
            found.append(examination.find(Severity.ERROR, node.name, what, "upgrade outgrow in this application"))
    return found


def _ledger_steps(examination: Examination) -> Steps[list[Finding]]:
    """File and ledger say the same."""
    state = examination.state
    home = examination.primaries[0]
    answers = yield from examination.ask_steps({home: lambda link: ledger.read_steps(link, state.name)})
    if (known := answers.get(home)) is None:
        return []
    differences = [*ledger.differs(state.file, known), *_strategy(state.file.strategy, known.shard_map)]
    return [
        examination.find(_weight(difference), state.name, f"{difference.code}: {difference}", difference.cure)
        for difference in differences
    ]


def _strategy(said: str, shard_map: ShardMap) -> Iterator[ledger.Difference]:
    """Which strategy dealt the hash slots does not stand in the ledger: its first map tells."""
    names, slots = shard_map.shards, shard_map.hashed
    made = {"hash": tuple(slot % len(names) for slot in range(slots)), "ring": ring_owners(names, slots)}
    owners = shard_map.owners[:slots]
    if said in made and shard_map.epoch == 1 and owners != made[said]:
        for other in made:
            if owners == made[other]:
                cure = f"write `strategy: {other}` into the file; a strategy is chosen before `outgrow init`"
                yield ledger.Difference("OG-LEDGER-015", "strategy", said, other, cure)


def _weight(difference: ledger.Difference) -> Severity:
    """A table that only the ledger places is as `outgrow place` makes it."""
    alone = difference.code == "OG-LEDGER-012" and not difference.file
    return Severity.INFO if alone else Severity.WARNING


def _unfinished_steps(examination: Examination) -> Steps[list[Finding]]:
    """No DDL was left in the middle."""
    home, name = examination.primaries[0], examination.domain.name
    asked = {home: lambda link: ledger.definitions_steps(link, name, ledger.UNFINISHED)}
    found = (yield from examination.ask_steps(asked)).get(home, ())
    return [
        examination.find(
            Severity.ERROR,
            one.failed_shard or examination.domain.name,
            f"DDL {one.number} ({ddl.shortened(one.sql)}) is done on {', '.join(one.done) or 'no shard'} of "
            f"{', '.join(one.shards)}" + (f"; it failed on {one.failed_shard}: {one.error}" if one.error else ""),
            f"mend the cause and run `outgrow schema resume`; or `outgrow schema abandon {one.number}`",
        )
        for one in found
    ]


def _schema_steps(examination: Examination) -> Steps[list[Finding]]:
    """Shards have the same tables, indexes, functions and so on."""
    read = yield from examination.ask_steps(dict.fromkeys(examination.primaries, comparing.read_steps))
    if not read:
        return []
    # Where the home shard does not answer, the others are compared with the first that does.
    like = next(iter(read)).shard
    comparison = comparing.compared(examination.state, like, {node.shard: objects for node, objects in read.items()})
    return [
        examination.find(
            Severity.ERROR if one.kind in ("table", "column", "enum") else Severity.WARNING,
            one.shard,
            f"{one} ({comparison.like} is compared with)",
            one.note or "`outgrow schema diff` shows the statements that mend it, and runs them with --mend",
        )
        for one in comparison.differences
    ]


def _placements_steps(examination: Examination) -> Steps[list[Finding]]:
    """Every table has a placement, and every placement a table; and ranges are about keys that there are."""
    yield from ()
    domain, known = examination.domain, examination.state.picture.schema.tables
    if len(domain.shards) == 1:
        return []
    found = [*_ranges(examination)]
    for name, table in known.items():
        wanted = table.kind in (TableKind.TABLE, TableKind.PARTITIONED) and table.partition_of is None
        if wanted and name not in domain.tables and name.schema not in ("pg_catalog", "information_schema"):
            key = several(table.primary_key) or "KEY"
            what = f"the table {name} has no placement: statements on it are refused"
            cure = f"`outgrow place {name} --shard-by {key}`, --copy or --single SHARD"
            found.append(examination.find(Severity.WARNING, domain.name, what, cure))
    missing = [name for name in domain.tables if name not in known]
    if missing:
        what = f"placed, but not made yet (or dropped past outgrow): {several(missing)}"
        cure = "CREATE TABLE through outgrow, or take it out of the file"
        found.append(examination.find(Severity.INFO, domain.name, what, cure))
    return found


def _ranges(examination: Examination) -> Iterator[Finding]:
    """Where keys lie by range: ranges that no table's keys are of, and tables whose keys have none."""
    domain, known = examination.domain, examination.state.picture.schema.tables
    by_family: dict[str, list[str]] = {}
    for name, placed in domain.tables.items():
        table = known.get(name)
        column = table.column(placed.columns[0]) if table is not None and isinstance(placed, Sharded) else None
        if column is not None and column.type in KINDS:
            by_family.setdefault(family(column.type), []).append(f"{name} (by {column.type})")
    ranged = {family(ranges.splits.type): ranges.splits.type for ranges in domain.ranges}
    for kind, type in ranged.items():
        if kind not in by_family:
            cure = "compare it with the type of the key columns: ranges of another type place none of their rows"
            what = f"no table's key is of type {type}, which has ranges"
            yield examination.find(Severity.WARNING, domain.name, what, cure)
    for kind, tables in by_family.items():
        if ranged and kind not in ranged:
            what = f"{several(sorted(tables))} lie by their hash: keys of their type have no ranges"
            yield examination.find(Severity.INFO, domain.name, what, "nothing to do, if that is meant")


INSTALLED = Check("installed", _installed_steps, needs_picture=False)
LEDGER = Check("ledger", _ledger_steps)
PLACEMENTS = Check("placements", _placements_steps)
CHECKS = (
    INSTALLED,
    LEDGER,
    Check("definitions", _unfinished_steps),
    Check("schema", _schema_steps),
    PLACEMENTS,
)
