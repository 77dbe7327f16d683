"""What the role of the file's addresses may do."""

from __future__ import annotations

from outgrow.runtime.doctor.examination import Check, Examination, several
from outgrow.runtime.doctor.finding import Finding, Severity
from outgrow.topology import Single, TableName
from outgrow.waits import Steps


def _rights_steps(examination: Examination) -> Steps[list[Finding]]:
    """The role may read and write every placed table wherever its rows are."""
    tables = sorted(examination.domain.tables, key=str)
    columns = [[table.schema for table in tables], [table.name for table in tables]]
    rows = yield from examination.each_steps(examination.primaries, "table_rights", columns)
    found = []
    for node, answer in rows.items():
        unreadable: list[TableName] = []
        unwritable: list[TableName] = []
        for schema, name, readable, _ in answer:
            table = TableName(schema, name)
            placed = examination.domain.tables[table]
            if isinstance(placed, Single) and placed.shard != node.shard:
                continue
            (unwritable if readable else unreadable).append(table)
        for refused, doing in ((unreadable, "read"), (unwritable, "write")):
            if refused:
                what = f"the role of its address may not {doing} {several(refused)}"
                cure = "GRANT SELECT, INSERT, UPDATE, DELETE ON the table (and USAGE ON its schema) TO the role"
                found.append(examination.find(Severity.WARNING, node.name, what, cure))
    return found


def _read_only_steps(examination: Examination) -> Steps[list[Finding]]:
    """Primaries take writes from the role."""
    rows = yield from examination.each_steps(examination.primaries, "read_only")
    return [
        examination.find(
            *(Severity.ERROR, node.name, f"default_transaction_read_only is on for {role}: writes fail"),
            "ALTER SYSTEM, ALTER DATABASE or ALTER ROLE (wherever it was set) RESET default_transaction_read_only",
        )
        for node, [(read_only, role)] in rows.items()
        if read_only
    ]


CHECKS = (
    Check("read-only", _read_only_steps, needs_picture=False),
    Check("rights", _rights_steps),
)
