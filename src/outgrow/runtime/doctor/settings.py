"""What servers, databases and roles are set to, as far as answers and durability depend on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from outgrow.runtime.doctor.examination import Check, Examination, Row, several
from outgrow.runtime.doctor.finding import Finding, Severity
from outgrow.topology import Node
from outgrow.waits import Steps

#: What one server and another must not have differently: the same statement would answer otherwise.
_MEANINGS = (
    *("DateStyle", "IntervalStyle", "TimeZone", "extra_float_digits", "bytea_output", "xmloption", "xmlbinary"),
    *(
        "standard_conforming_strings",
        "backslash_quote",
        "array_nulls",
        "transform_null_equals",
        "quote_all_identifiers",
    ),
    *("lc_monetary", "lc_numeric", "lc_time", "default_text_search_config", "default_transaction_isolation"),
)
_WATCHED = (
    *("max_prepared_transactions", "max_connections", "superuser_reserved_connections", "reserved_connections"),
    *("wal_level", "fsync", "full_page_writes", "synchronous_commit", "autovacuum", "data_checksums"),
    *("hot_standby_feedback",),
)
_RELOAD = "then SELECT pg_reload_conf()"

Known = Mapping[str, str]


def _settings_steps(examination: Examination) -> Steps[list[Finding]]:
    """Each node is set up for what outgrow does with it."""
    rows = yield from examination.each_steps(examination.nodes, "settings", [[*_WATCHED]])
    found: list[Finding] = []
    for node, answer in rows.items():
        known = {name: setting for name, setting, _ in answer}
        found += _of_transactions(examination, node, known)
        found += _of_durability(examination, node, known)
        found += _of_connections(examination, node, known)
        if waiting := [name for name, _, pending in answer if pending]:
            what = f"set, but without effect until the server restarts: {several(waiting)}"
            found.append(examination.find(Severity.INFO, node.name, what, "restart the server"))
    return found


def _of_transactions(examination: Examination, node: Node, known: Known) -> Iterator[Finding]:
    prepared, domain = int(known["max_prepared_transactions"]), examination.domain
    if len(domain.shards) > 1 and prepared < domain.pool.size_max:
        severity = Severity.WARNING if prepared else Severity.ERROR
        effect = "transactions over several shards cannot commit" if not prepared else "few can commit at once"
        yield examination.find(
            *(severity, node.name, f"max_prepared_transactions is {prepared}: {effect}"),
            f"ALTER SYSTEM SET max_prepared_transactions = {max(int(known['max_connections']), 100)}, then restart the "
            "server (its replicas first: theirs may not be smaller)",
        )
    if known["wal_level"] == "minimal":
        what = "wal_level is minimal: it can have no replica"
        cure = "ALTER SYSTEM SET wal_level = 'logical', then restart the server"
        yield examination.find(Severity.ERROR, node.name, what, cure)
    elif known["wal_level"] == "replica":
        what = "wal_level is replica: rows can be moved only under logical"
        cure = "ALTER SYSTEM SET wal_level = 'logical', then restart the server, when you plan to move rows"
        yield examination.find(Severity.INFO, node.name, what, cure)


def _of_durability(examination: Examination, node: Node, known: Known) -> Iterator[Finding]:
    for name in ("fsync", "full_page_writes"):
        if known[name] == "off":
            what = f"{name} is off: when the machine fails, the database is lost, not only its last commits"
            cure = f"ALTER SYSTEM SET {name} = on, {_RELOAD}"
            yield examination.find(Severity.ERROR, node.name, what, cure)
    if known["synchronous_commit"] == "off":
        what = "synchronous_commit is off: when the server fails, commits that were confirmed are lost"
        cure = "ALTER SYSTEM, ALTER DATABASE or ALTER ROLE (wherever it was set) SET synchronous_commit = on"
        yield examination.find(Severity.WARNING, node.name, what, cure)
    if known["autovacuum"] == "off":
        what = "autovacuum is off: tables grow without end, and the server stops before its transaction numbers wrap"
        cure = f"ALTER SYSTEM SET autovacuum = on, {_RELOAD}"
        yield examination.find(Severity.WARNING, node.name, what, cure)
    if known["data_checksums"] == "off":
        what = "it has no data checksums: a page that the disk has spoilt is read as if it were right"
        cure = "stop the server, run pg_checksums --enable, start it; replicas too"
        yield examination.find(Severity.INFO, node.name, what, cure)


def _of_connections(examination: Examination, node: Node, known: Known) -> Iterator[Finding]:
    # reserved_connections came with PostgreSQL 16.
    reserved = int(known["superuser_reserved_connections"]) + int(known.get("reserved_connections", "0"))
    room = int(known["max_connections"]) - reserved
    wanted = examination.domain.pool.size_max
    if room < wanted:
        what = f"takes {room} connections, and one process's pool may open {wanted}"
        cure = f"lower the domain's pool size_max in fleet.yaml to {max(room // 4, 1)}, or raise max_connections"
        yield examination.find(Severity.WARNING, node.name, what, cure)


def _meanings_steps(examination: Examination) -> Steps[list[Finding]]:
    """A statement means the same everywhere: each node is compared with the home shard's primary."""
    rows = yield from examination.each_steps(examination.nodes, "settings", [[*_MEANINGS]])
    if not rows:
        return []
    home = _measure(examination, rows)
    like = _by_name(rows[home])
    found = []
    for node, answer in rows.items():
        known = _by_name(answer)
        for name in _MEANINGS:
            if known.get(name) != like.get(name):
                what = f"{name} is {known.get(name)!r}, and {like.get(name)!r} on {home.name}: answers differ"
                cure = "set it alike on all servers, databases and roles (ALTER SYSTEM, ALTER DATABASE, ALTER ROLE)"
                found.append(examination.find(Severity.WARNING, node.name, what, cure))
    return found


def _measure(examination: Examination, answers: Mapping[Node, object]) -> Node:
    """The node that the others are compared with: the home shard's primary, else the first that answers."""
    home = examination.primaries[0]
    return home if home in answers else next(iter(answers))


def _by_name(answer: list[Row]) -> dict[str, str]:
    return {name: setting for name, setting, _ in answer if name in _MEANINGS}


def _text_steps(examination: Examination) -> Steps[list[Finding]]:
    """Text is encoded and ordered alike, by collations that are still those of the indexes."""
    rows = yield from examination.each_steps(examination.nodes, "database")
    used = yield from examination.each_steps(examination.nodes, "collations")
    if not rows:
        return []
    home = _measure(examination, rows)
    found = []
    for node, [(encoding, provider, order, kind, made, now)] in rows.items():
        if encoding != "UTF8":
            what = f"the database's encoding is {encoding}: keys of text hash otherwise than outgrow computes"
            cure = "make the database anew with ENCODING 'UTF8' and copy its rows"
            found.append(examination.find(Severity.ERROR, node.name, what, cure))
        if made != now:
            found.append(_changed(examination, node, "the database's collation", made, now))
        if (provider, order, kind) != rows[home][0][1:4]:
            like = rows[home][0]
            what = f"text is ordered by {order}, {kind} ({provider}), and by {like[2]}, {like[3]} on {home.name}"
            cure = "make the database anew with the same locale and copy its rows"
            found.append(examination.find(Severity.WARNING, node.name, what, cure))
    for node, answer in used.items():
        found += [_changed(examination, node, f"the collation {name}", made, now) for name, made, now in answer]
    return found


def _changed(examination: Examination, node: Node, which: str, made: str | None, now: str | None) -> Finding:
    what = (
        f"{which} has version {now or 'none'} on this machine, and its indexes were made under {made or 'none'}: "
        "they may miss rows, and unique ones take duplicates"
    )
    cure = (
        "REINDEX what uses it, then ALTER DATABASE (or COLLATION) … REFRESH VERSION; all nodes need the same libraries"
    )
    return examination.find(Severity.ERROR, node.name, what, cure)


CHECKS = (
    Check("settings", _settings_steps, needs_picture=False),
    Check("meanings", _meanings_steps, needs_picture=False),
    Check("text", _text_steps, needs_picture=False),
)
