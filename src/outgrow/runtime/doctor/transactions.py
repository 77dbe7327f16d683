"""Transactions that nobody ends, and the numbers that they come from."""

from __future__ import annotations

from outgrow.runtime.doctor.examination import Check, Examination, several
from outgrow.runtime.doctor.finding import Finding, Severity
from outgrow.transactions import TransactionId, owner_of, read_marker
from outgrow.waits import Steps

#: A prepared transaction older than that belongs to nobody who is still at work on it.
_IN_DOUBT_SECONDS = 60.0
#: So long a session may say nothing within a transaction, and so long work on in one.
_IDLE_SECONDS = 300.0
_WORKING_SECONDS = 3600.0
#: How many of the two thousand million transaction numbers may be in use.  Autovacuum keeps it at a tenth.
_AGE = 500_000_000
_AGE_ERROR = 1_500_000_000


def _in_doubt_steps(examination: Examination) -> Steps[list[Finding]]:
    """No prepared transaction waits for its end, holding its locks."""
    rows = yield from examination.each_steps(examination.primaries, "in_doubt", [_IN_DOUBT_SECONDS])
    markers = {gid: read_marker(gid) for answer in rows.values() for gid, _, _ in answer}
    #: What a coordinator of the application's has to decide is told of once, where it is decided.
    foreign = {marker.number for marker in markers.values() if marker is not None}
    found = []
    for node, answer in rows.items():
        for gid, owner, seconds in answer:
            marker, id = markers[gid], owner_of(gid)
            if marker is not None:
                severity, who = Severity.WARNING, f"the transaction {marker.xid} of {owner}"
                cure = "let the application's coordinator end it: tpc_recover(), then tpc_commit or tpc_rollback"
            elif id is not None and id.number in foreign:
                continue
            else:
                severity, who = Severity.ERROR, f"the transaction {gid!r} of {owner}"
                theirs = "COMMIT PREPARED or ROLLBACK PREPARED it there, by its owner"
                cure = theirs if id is None else "run `outgrow recover`" + awaited(id)
            what = f"{who} has been prepared for {seconds:.0f} s, holding its locks"
            found.append(examination.find(severity, node.name, what, cure))
    return found


def awaited(id: TransactionId) -> str:
    """What recovery may wait for."""
    where = id.decider or "the shard that decides"
    return f"; a key's migration, it ends when a replica of {where} follows" if id.replicated else ""


def _long_steps(examination: Examination) -> Steps[list[Finding]]:
    """No session sits in a transaction for minutes: vacuum can clean up nothing that is younger."""
    asked = [_IDLE_SECONDS, _WORKING_SECONDS]
    rows = yield from examination.each_steps(examination.nodes, "long_transactions", asked)
    found = []
    for node, answer in rows.items():
        for pid, user, application, state, seconds in answer:
            who = f"the session {pid} of {user}" + (f" ({application})" if application else "")
            if state == "active":
                what = f"{who} has been at work in one transaction for {seconds:,.0f} s; vacuum waits for it"
                severity = Severity.INFO
            else:
                what = f"{who} has been idle in a transaction for {seconds:,.0f} s; its locks stay, vacuum waits"
                severity = Severity.WARNING
            cure = f"end it, or SELECT pg_terminate_backend({pid}); idle_in_transaction_session_timeout does it"
            found.append(examination.find(severity, node.name, what, cure))
    return found


def _wraparound_steps(examination: Examination) -> Steps[list[Finding]]:
    """Old rows are frozen before the transaction numbers come round again."""
    rows = yield from examination.each_steps(examination.primaries, "ages")
    found = []
    for node, [(age, members, oldest)] in rows.items():
        for used, which in ((age, "transactions"), (members, "multixacts")):
            if used >= _AGE:
                severity = Severity.ERROR if used >= _AGE_ERROR else Severity.WARNING
                what = (
                    f"its oldest rows are {used:,} {which} old; at 2,147,483,647 the server takes no more writes "
                    f"(the oldest tables: {several(oldest or [], 3)})"
                )
                cure = "end old transactions, prepared ones and unread slots, then VACUUM (FREEZE) the oldest tables"
                found.append(examination.find(severity, node.name, what, cure))
    return found


CHECKS = (
    Check("in doubt", _in_doubt_steps, needs_picture=False),
    Check("long transactions", _long_steps, needs_picture=False),
    Check("wraparound", _wraparound_steps, needs_picture=False),
)
