"""Replicas that follow, and what is kept for those that do not."""

from __future__ import annotations

from collections.abc import Iterator

from outgrow.clock import monotonic
from outgrow.runtime.doctor.examination import Check, Examination, Row
from outgrow.runtime.doctor.finding import Finding, Severity
from outgrow.topology import Node
from outgrow.waits import Steps, Until

#: A replica further behind than that (bytes, seconds) is of little use to a session that reads its own writes.
_LAG_BYTES = 16 * 2**20
_LAG_SECONDS = 10.0
#: A replica that has not replayed what its primary had written this long ago (seconds) is behind at all.
_PATIENCE_SECONDS = 1.0
#: So much log (bytes) held back for nobody is worth a word, and so much a worry.
_HELD_BYTES = 64 * 2**20
_HELD_BYTES_ERROR = 10 * 2**30


def _streaming_steps(examination: Examination) -> Steps[list[Finding]]:
    """Replicas receive and replay; lag is measured against what the primary had written before they were asked."""
    written = yield from examination.each_steps(examination.primaries, "written")
    replicas = [
        node
        for shard, primary in zip(examination.domain.shards, examination.primaries, strict=True)
        for node in shard.nodes
        if node is not primary and written.get(primary)
    ]
    goals = {
        node: rows[0][0]
        for primary, rows in written.items()
        for node in replicas
        if rows and node.shard == primary.shard
    }
    until = monotonic() + _PATIENCE_SECONDS
    answers = yield from examination.each_steps(replicas, "replayed")
    while monotonic() < until and any(rows and (rows[0][0] or 0) < goals[node] for node, rows in answers.items()):
        yield Until(monotonic() + 0.1)
        answers = yield from examination.each_steps(replicas, "replayed")
    return [
        finding
        for node, rows in answers.items()
        if rows
        for finding in _of_replica(examination, node, rows[0], goals[node])
    ]


def _of_replica(examination: Examination, node: Node, row: Row, goal: int) -> Iterator[Finding]:
    replayed, receivers, state, age = row
    behind = max(0, goal - (replayed or 0))
    if state != "not paused":
        what = f"replay is paused; it is {_size(behind)} behind"
        yield examination.find(Severity.WARNING, node.name, what, "SELECT pg_wal_replay_resume() there, as a superuser")
        return
    if not receivers:
        what = f"nothing streams its primary's log to it; it is {_size(behind)} behind"
        cure = "see its server's log: primary_conninfo, pg_hba.conf of the primary, or a slot that is gone"
        yield examination.find(Severity.WARNING, node.name, what, cure)
    elif behind > _LAG_BYTES or (behind and age is not None and age > _LAG_SECONDS):
        seconds = f", its last commit is {age:.0f} s old" if age is not None else ""
        what = f"is {_size(behind)} behind{seconds}"
        cure = "look for a long query or a lock that stands in replay's way, for a slow disk or network"
        yield examination.find(Severity.WARNING, node.name, what, cure)


def _slots_steps(examination: Examination) -> Steps[list[Finding]]:
    """No replication slot keeps log for a reader who has gone; there is room for another replica."""
    idle = yield from examination.each_steps(examination.primaries, "slots")
    counts = yield from examination.each_steps(examination.primaries, "senders")
    found = []
    for node, rows in idle.items():
        for slot, kind, held, status in rows:
            if status == "lost":
                what = f"the {kind} replication slot {slot} has lost log that its reader still needs"
                cure = f"make its reader anew, or SELECT pg_drop_replication_slot('{slot}')"
                found.append(examination.find(Severity.ERROR, node.name, what, cure))
            elif held >= _HELD_BYTES:
                severity = Severity.ERROR if held >= _HELD_BYTES_ERROR else Severity.WARNING
                what = f"the {kind} replication slot {slot} has no reader and holds back {_size(held)} of log"
                cure = f"start its reader, or SELECT pg_drop_replication_slot('{slot}') before the disk is full"
                found.append(examination.find(severity, node.name, what, cure))
            else:
                what = f"the {kind} replication slot {slot} has no reader; it holds back {_size(held)} of log so far"
                cure = f"start its reader, or SELECT pg_drop_replication_slot('{slot}')"
                found.append(examination.find(Severity.INFO, node.name, what, cure))
    for node, [(senders, senders_max, slots, slots_max)] in counts.items():
        for used, most, setting in (
            (senders, senders_max, "max_wal_senders"),
            (slots, slots_max, "max_replication_slots"),
        ):
            if used >= most > 0:
                what = f"all {most} of {setting} are taken: another replica, a backup or a move finds none"
                cure = f"ALTER SYSTEM SET {setting} = {most * 2}, then restart the server (its replicas first)"
                found.append(examination.find(Severity.WARNING, node.name, what, cure))
    return found


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB" if size_bytes >= 100_000 else f"{size_bytes:,} bytes"


CHECKS = (
    Check("replication", _streaming_steps, needs_picture=False),
    Check("replication slots", _slots_steps, needs_picture=False),
)
