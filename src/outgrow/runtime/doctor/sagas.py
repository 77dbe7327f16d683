"""Sagas that somebody should look at."""

from __future__ import annotations

from outgrow.runtime.doctor.examination import Check, Examination
from outgrow.runtime.doctor.finding import Finding, Severity
from outgrow.waits import Steps

#: A saga that has been due for so long has no worker that knows its definition.
_OVERDUE_SECONDS = 300.0


def _sagas_steps(examination: Examination) -> Steps[list[Finding]]:
    """None is stuck, and each that is due has somebody who works on it."""
    rows = yield from examination.each_steps(examination.primaries[:1], "sagas", [_OVERDUE_SECONDS])
    found = []
    for node, answer in rows.items():
        for name, version, stuck, trouble, overdue in answer:
            which = f"of the saga {name}, version {version},"
            if stuck:
                what = f"{stuck} {which} cannot be undone and are tried once an hour; the last said: {trouble}"
                cure = "outgrow saga list --state stuck; mend the cause, then outgrow saga retry ID"
                found.append(examination.find(Severity.WARNING, node.name, what, cure))
            if overdue:
                what = (
                    f"{overdue} {which} have been due for {_OVERDUE_SECONDS / 60:.0f} minutes, and nobody works on them"
                )
                cure = "run a worker that knows this version: fleet.sagas.work(…)"
                found.append(examination.find(Severity.WARNING, node.name, what, cure))
    return found


CHECKS = (Check("sagas", _sagas_steps),)
