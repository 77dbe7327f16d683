"""What MariaDB servers say of themselves: who is who, versions, settings, replication, and what the user may do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from outgrow import ledger
from outgrow.clock import monotonic
from outgrow.errors import Error
from outgrow.nodes import Link
from outgrow.runtime.doctor.examination import Check, Examination, Row, several
from outgrow.runtime.doctor.finding import Finding, Severity
from outgrow.runtime.doctor.servers import Identity, identities_steps
from outgrow.topology import Node, Role, Single, TableName
from outgrow.waits import Steps, Until

#: A replica that has not replayed what its primary had committed this long ago (seconds) is behind at all.
_PATIENCE_SECONDS = 1.0
#: A replica further behind than that (transactions, seconds) is of little use to a session that reads its own writes.
_LAG_TRANSACTIONS = 10_000
_LAG_SECONDS = 10

Known = Mapping[str, str]
Following = Mapping[str, Any]


def _who_steps(examination: Examination) -> Steps[list[Finding]]:
    """Each address is a server of its own; a shard has one primary, and a GTID domain that no other shard has."""
    identities = yield from identities_steps(examination)
    found = list(_twins(examination, identities))
    twins = {finding.where for finding in found}
    domains: dict[int, list[str]] = defaultdict(list)
    for shard in examination.domain.shards:
        primary = next((node for node in shard.nodes if node in identities and not identities[node].replica), None)
        if primary is None:
            continue
        known = identities[primary]
        domains[known.system].append(shard.name)
        for node in shard.nodes:
            one = identities.get(node)
            if one is None or node is primary or node.name in twins:
                continue
            if not one.replica:
                what = f"takes writes (read_only is off), and so does {primary.name}: two primaries of one shard"
                cure = (
                    "SET GLOBAL read_only = 1 on the one that is to replicate, and in its configuration; compare what "
                    "both have written"
                )
                found.append(examination.find(Severity.ERROR, node.name, what, cure))
            elif one.database != known.database:
                what = f"is the database {one.database}, and its primary's is {known.database}"
                found.append(examination.find(Severity.ERROR, node.name, what, "correct the address in fleet.yaml"))
            elif one.system != known.system:
                what = f"its gtid_domain_id is {one.system}, and its primary's {known.system}"
                cure = "set it alike in both configurations: promoted, this server would begin a history of its own"
                found.append(examination.find(Severity.WARNING, node.name, what, cure))
    for number, shards in domains.items():
        if len(shards) > 1:
            what = f"{several(shards)} have the same gtid_domain_id, {number}: no server can ever replicate from both"
            cure = "give each shard its own gtid_domain_id, best before its first write"
            found.append(examination.find(Severity.WARNING, examination.domain.name, what, cure))
    return found


def _twins(examination: Examination, identities: dict[Node, Identity]) -> Iterator[Finding]:
    by_process: dict[tuple[str, str], list[Node]] = defaultdict(list)
    for node, known in identities.items():
        by_process[known.started, known.database].append(node)
    for first, *others in by_process.values():
        for node in others:
            what = f"is the same server and database as {first.name}"
            yield examination.find(Severity.ERROR, node.name, what, "correct one of the two addresses in fleet.yaml")


def _versions_steps(examination: Examination) -> Steps[list[Finding]]:
    """A replica is as new as its primary; shards are alike except while they are upgraded."""
    identities = yield from identities_steps(examination)
    found = []
    series: dict[str, list[str]] = defaultdict(list)
    for shard in examination.domain.shards:
        known = [(node, identities[node]) for node in shard.nodes if node in identities]
        primary = next(((node, one) for node, one in known if not one.replica), None)
        if primary is None:
            continue
        first, like = primary
        series[like.shown.rpartition(".")[0]].append(shard.name)
        for node, one in known:
            what = f"is MariaDB {one.shown}, and {first.name} is {like.shown}"
            if one.version // 100 < like.version // 100:
                cure = "upgrade the replica first: an older server may not understand its primary's log"
                found.append(examination.find(Severity.ERROR, node.name, what, cure))
            elif one.version != like.version:
                cure = "bring both to the newer version, the replica first"
                found.append(examination.find(Severity.INFO, node.name, what, cure))
    if len(series) > 1:
        shown = "; ".join(f"MariaDB {which} on {several(shards)}" for which, shards in sorted(series.items()))
        what = f"shards have different versions: {shown}"
        cure = "bring all to the newest: functions and plans differ from version to version"
        found.append(examination.find(Severity.INFO, examination.domain.name, what, cure))
    return found


def _settings_steps(examination: Examination) -> Steps[list[Finding]]:
    """Each node is set up for what outgrow does with it."""
    answers = yield from examination.each_steps(examination.nodes, "settings")
    found: list[Finding] = []
    ids: dict[tuple[str, str], str] = {}
    for node, rows in answers.items():
        known: Known = dict(rows)
        found += _of_log(examination, node, known)
        found += _of_durability(examination, node, known)
        other = ids.setdefault((node.shard, known["server_id"]), node.name)
        if other != node.name:
            what = (
                f"its server_id is {known['server_id']}, and so is that of {other}: it leaves out what that one wrote"
            )
            cure = "give every server of a shard its own server_id"
            found.append(examination.find(Severity.ERROR, node.name, what, cure))
        room, wanted = int(known["max_connections"]), examination.domain.pool.size_max
        if room < wanted:
            what = f"takes {room} connections, and one process's pool may open {wanted}"
            cure = f"lower the domain's pool size_max in fleet.yaml to {max(room // 4, 1)}, or raise max_connections"
            found.append(examination.find(Severity.WARNING, node.name, what, cure))
    return found


def _of_log(examination: Examination, node: Node, known: Known) -> Iterator[Finding]:
    if known["log_bin"] != "ON":
        what = "it writes no binary log: it can have no replica, and its commits no place to wait for"
        yield examination.find(Severity.ERROR, node.name, what, "set log_bin, and restart the server")
        return
    if known["binlog_format"] != "ROW":
        what = f"binlog_format is {known['binlog_format']}: a replica repeats statements, which may do otherwise there"
        yield examination.find(Severity.WARNING, node.name, what, "SET GLOBAL binlog_format = 'ROW'")
    if known["gtid_strict_mode"] != "ON":
        what = "gtid_strict_mode is off: a stray write on a replica gets numbers that its primary's log has too"
        yield examination.find(Severity.WARNING, node.name, what, "SET GLOBAL gtid_strict_mode = ON")
    if known["log_slave_updates"] != "ON":
        what = "log_slave_updates is off: promoted, it has no log of what it had replayed"
        cure = "set log_slave_updates, and restart the server"
        yield examination.find(Severity.INFO, node.name, what, cure)
    own, logged = known["gtid_domain_id"], known["gtid_binlog_pos"].split(",")
    others = {each.partition("-")[0] for each in logged if each} - {own}
    if others:
        what = (
            f"its log has GTIDs of {several(sorted(others))} beside its own domain, {own}: sessions do not wait for "
            "replicas to have what is written there"
        )
        cure = "write to it under its own gtid_domain_id only, the same on all servers of the shard"
        yield examination.find(Severity.INFO, node.name, what, cure)


def _of_durability(examination: Examination, node: Node, known: Known) -> Iterator[Finding]:
    for name in ("innodb_flush_log_at_trx_commit", "sync_binlog"):
        if known[name] != "1":
            what = f"{name} is {known[name]}: when the machine fails, commits that were confirmed are lost"
            if name == "sync_binlog" and known["innodb_flush_log_at_trx_commit"] == "1":
                what = (
                    f"{name} is {known[name]}: when the machine fails, log and tables may part, and replicas with them"
                )
            yield examination.find(Severity.WARNING, node.name, what, f"SET GLOBAL {name} = 1")
    if known["innodb_doublewrite"] == "OFF":
        what = "innodb_doublewrite is off: when the machine fails, a page may be half written, and the table lost"
        yield examination.find(Severity.ERROR, node.name, what, "set innodb_doublewrite, and restart the server")


def _meanings_steps(examination: Examination) -> Steps[list[Finding]]:
    """A statement means the same everywhere: each node is compared with the home shard's primary."""
    answers = yield from examination.each_steps(examination.nodes, "meanings")
    if not answers:
        return []
    home = examination.primaries[0] if examination.primaries[0] in answers else next(iter(answers))
    like: Known = dict(answers[home])
    found = []
    for node, rows in answers.items():
        known: Known = dict(rows)
        for name in sorted(like.keys() & known.keys()):
            if known[name] != like[name]:
                what = f"{name} is {known[name]!r}, and {like[name]!r} on {home.name}: answers differ"
                cure = "set it alike on all servers and databases"
                found.append(examination.find(Severity.WARNING, node.name, what, cure))
    return found


def _replication_steps(examination: Examination) -> Steps[list[Finding]]:
    """Replicas receive and replay their own primary's log; lag is measured against what the primary had committed."""
    pairs = [
        (primary, node)
        for shard, primary in zip(examination.domain.shards, examination.primaries, strict=True)
        for node in shard.nodes
        if node is not primary
    ]
    primaries = yield from examination.each_steps(dict.fromkeys(primary for primary, _ in pairs), "places")
    until = monotonic() + _PATIENCE_SECONDS
    replicas = [node for _, node in pairs]
    places = yield from examination.each_steps(replicas, "places")
    while monotonic() < until and any(
        _behind(primaries[primary][0], places[node][0])
        for primary, node in pairs
        if node in places and primary in primaries
    ):
        yield Until(monotonic() + 0.1)
        places = yield from examination.each_steps(replicas, "places")
    following = yield from examination.ask_steps(
        dict.fromkeys(replicas, lambda link: _following_steps(link, examination.queries["following"]))
    )
    found: list[Finding] = []
    for primary, node in pairs:
        if node in places and node in following:
            of_primary = primaries[primary][0] if primary in primaries else None
            found += _of_replica(examination, node, following[node], places[node][0], primary, of_primary)
    return found


def _following_steps(link: Link, sql: str) -> Steps[list[Following]]:
    answer = yield from link.run_steps(sql)
    return [dict(zip((field.name for field in answer.fields), row, strict=True)) for row in answer.rows]


def _of_replica(
    examination: Examination, node: Node, sources: list[Following], place: Row, primary: Node, of_primary: Row | None
) -> Iterator[Finding]:
    behind = _behind(of_primary, place) if of_primary is not None else 0
    if not sources:
        what = f"replicates from nobody; it is {_count(behind)} behind {primary.name}"
        cure = "CHANGE MASTER TO … MASTER_USE_GTID = slave_pos, then START SLAVE"
        yield examination.find(Severity.WARNING, node.name, what, cure)
    for source in sources:
        stopped = [which for which in ("IO", "SQL") if source[f"Slave_{which}_Running"] == "No"]
        error = source["Last_SQL_Error"] or source["Last_IO_Error"]
        if stopped or source["Slave_IO_Running"] != "Yes":
            thread = f"its {' and '.join(stopped)} thread stands" if stopped else "it cannot reach its primary"
            what = f"{thread}; it is {_count(behind)} behind" + (f": {error[:200]}" if error else "")
            cure = "mend what the message says, then START SLAVE" if error else "START SLAVE there"
            yield examination.find(Severity.WARNING, node.name, what, cure)
        elif behind >= _LAG_TRANSACTIONS or (behind and (source["Seconds_Behind_Master"] or 0) >= _LAG_SECONDS):
            what = f"is {_count(behind)} and {source['Seconds_Behind_Master']} s behind"
            cure = "look for a long statement or a lock on it, for tables without a primary key, a slow disk or network"
            yield examination.find(Severity.WARNING, node.name, what, cure)
        if source["Using_Gtid"] == "No":
            what = "replicates by log file and position, not by GTID: it cannot follow another primary"
            cure = "STOP SLAVE; CHANGE MASTER TO MASTER_USE_GTID = slave_pos; START SLAVE"
            yield examination.find(Severity.WARNING, node.name, what, cure)
        if of_primary is not None and source["Master_Server_Id"] not in (0, of_primary[2]):
            what = (
                f"replicates from the server {source['Master_Server_Id']}, and its primary {primary.name} is the "
                f"server {of_primary[2]}"
            )
            cure = "let it follow its shard's primary, or correct its address in fleet.yaml"
            yield examination.find(Severity.ERROR, node.name, what, cure)


def _behind(primary: Row, replica: Row) -> int:
    """Transactions of the primary's domain that the replica has not."""
    written, domain, _ = primary
    return max(0, _number(written, domain) - _number(replica[0], domain))


def _count(transactions: int) -> str:
    return f"{transactions:,} transaction{'' if transactions == 1 else 's'}"


def _number(places: str | None, domain: int) -> int:
    for each in (places or "").split(","):
        which, _, rest = each.partition("-")
        if which.strip() == str(domain):
            return int(rest.rpartition("-")[2])
    return 0


def _overrides_steps(examination: Examination) -> Steps[list[Finding]]:
    """A replica takes no writes from the user of its address."""
    replicas = [node for node in examination.nodes if node not in examination.primaries]
    answers = yield from examination.each_steps(replicas, "overrides")
    return [
        examination.find(
            *(Severity.WARNING, node.name, f"the user of its address has {rows[0][0]}: read_only does not bind it"),
            "REVOKE READ ONLY ADMIN ON *.* from it (SUPER before MariaDB 10.11): one stray write ends replication",
        )
        for node, rows in answers.items()
        if rows
    ]


def _log_position_steps(examination: Examination) -> Steps[list[Finding]]:
    """Where there are replicas, the user may ask a primary where its log ends: sessions that leave a replica do."""
    primaries = [
        primary
        for shard, primary in zip(examination.domain.shards, examination.primaries, strict=True)
        if len(shard.nodes) > 1
    ]
    answers = yield from examination.ask_steps(dict.fromkeys(primaries, _may_ask_steps))
    what = "the user of its address may not ask where the binary log ends: a session that has read a replica fails here"
    return [
        examination.find(Severity.ERROR, node.name, what, "GRANT BINLOG MONITOR ON *.* TO it")
        for node, may in answers.items()
        if not may
    ]


def _may_ask_steps(link: Link) -> Steps[bool]:
    try:
        yield from link.run_steps(ledger.queries("mariadb")["written"], None)
    except Error as error:
        if error.sqlstate != "42501":
            raise
        return False
    return True


def _rights_steps(examination: Examination) -> Steps[list[Finding]]:
    """The user may read and write every placed table wherever its rows are; of others it does not even know."""
    answers = yield from examination.each_steps(examination.primaries, "rights")
    found = []
    for node, rows in answers.items():
        refused: dict[str, list[TableName]] = defaultdict(list)
        for name, readable, _ in rows:
            table = TableName("public", name)
            placed = examination.domain.tables.get(table)
            if placed is None or (isinstance(placed, Single) and placed.shard != node.shard):
                continue
            refused["write" if readable else "read"].append(table)
        for doing, tables in refused.items():
            what = f"the user of its address may not {doing} {several(tables)}"
            cure = "GRANT SELECT, INSERT, UPDATE, DELETE ON the table TO the user"
            found.append(examination.find(Severity.WARNING, node.name, what, cure))
    return found


def _read_only_steps(examination: Examination) -> Steps[list[Finding]]:
    """A shard whose every server is read-only takes no writes."""
    identities = yield from identities_steps(examination)
    return [
        examination.find(
            *(Severity.ERROR, shard.primary.name, "read_only is on, and no other server of the shard takes writes"),
            "SET GLOBAL read_only = 0 on the server that is to be the primary",
        )
        for shard in examination.domain.shards
        if shard.primary.role is Role.PRIMARY
        and all(node in identities and identities[node].replica for node in shard.nodes)
    ]


CHECKS = (
    Check("identity", _who_steps, needs_picture=False),
    Check("versions", _versions_steps, needs_picture=False),
    Check("settings", _settings_steps, needs_picture=False),
    Check("meanings", _meanings_steps, needs_picture=False),
    Check("replication", _replication_steps, needs_picture=False),
    Check("read-only", _read_only_steps, needs_picture=False),
    Check("overrides", _overrides_steps, needs_picture=False),
    Check("log position", _log_position_steps, needs_picture=False),
    Check("rights", _rights_steps),
)
