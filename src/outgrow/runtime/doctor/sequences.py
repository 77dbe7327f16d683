"""Sequences: the fleet's are ahead of each shard's own, and none is near its end."""

from __future__ import annotations

from outgrow.runtime.doctor.examination import Check, Examination, several
from outgrow.runtime.doctor.finding import Finding, Severity
from outgrow.topology import TableName
from outgrow.waits import Steps

#: The share of a sequence's numbers that may be used before somebody should think of it, and the share that is late.
_USED = 0.75
_USED_ERROR = 0.95


def _sequences_steps(examination: Examination) -> Steps[list[Finding]]:
    primaries = examination.primaries
    own = yield from examination.each_steps(primaries, "sequences")
    fleet = yield from examination.each_steps(primaries[:1], "fleet_sequences", [examination.domain.name])
    found = []
    next_of: dict[TableName, tuple[int, int]] = {}
    for schema, name, next_, increment, minimum, maximum, cycle in fleet.get(primaries[0], []):
        sequence = TableName(schema, name)
        next_of[sequence] = (int(next_), increment)
        if one := _nearly_used(
            examination, examination.domain.name, sequence, int(next_), increment, minimum, maximum, cycle
        ):
            found.append(one)
    for node, rows in own.items():
        if hidden := [TableName(row[0], row[1]) for row in rows if not row[7]]:
            what = f"the role of its address may not read the sequences {several(hidden)}: not examined"
            cure = "GRANT SELECT ON SEQUENCE … TO the role, if they matter to this application"
            found.append(examination.find(Severity.INFO, node.name, what, cure))
        for schema, name, last, increment, minimum, maximum, cycle, _ in rows:
            sequence = TableName(schema, name)
            if last is None:
                continue
            if sequence not in next_of:
                if one := _nearly_used(examination, node.name, sequence, last, increment, minimum, maximum, cycle):
                    found.append(one)
                continue
            next_, step = next_of[sequence]
            if last >= next_ if step > 0 else last <= next_:
                what = (
                    f"its own sequence {sequence} has handed out {last:,}, and the fleet's goes on at {next_:,}: "
                    "the numbers between come twice"
                )
                cure = f"fleet.sequence({str(sequence)!r}).skip_to({last + step}); draw numbers through outgrow only"
                found.append(examination.find(Severity.ERROR, node.name, what, cure))
    return found


def _nearly_used(
    examination: Examination,
    where: str,
    sequence: TableName,
    at: int,
    increment: int,
    minimum: int,
    maximum: int,
    cycle: bool,
) -> Finding | None:
    used = (at - minimum if increment > 0 else maximum - at) / max(maximum - minimum, 1)
    # A handful of numbers that go round is somebody's plan.
    if cycle or used < _USED:
        return None
    left = max(0, (maximum - at if increment > 0 else at - minimum) // abs(increment))
    what = f"the sequence {sequence} has used {used:.1%} of its numbers; {left:,} are left"
    cure = "ALTER the column to bigint and ALTER SEQUENCE … AS bigint, through outgrow"
    return examination.find(Severity.ERROR if used >= _USED_ERROR else Severity.WARNING, where, what, cure)


CHECKS = (Check("sequences", _sequences_steps),)
