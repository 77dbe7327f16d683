"""Several shards of a MariaDB domain are read, as `mariadb_meaning` allows, and not written."""

from __future__ import annotations

from dataclasses import replace

from .model import Plan, Reason
from .refusals import Refused, refused


def over_mariadb(plan: Plan) -> Plan:
    """The plan with what it may do over several shards of MariaDB, or the refusal."""
    if plan.change is not None or plan.move is not None or (plan.fragment_sql and plan.access == "write"):
        return _without(plan, refused("MariaDB write", plan.statement.command))
    return plan


def _without(plan: Plan, refusal: Refused) -> Plan:
    reason = Reason("plan.mariadb", f"over several shards it is refused: {refusal.error.message}")
    return replace(
        plan, change=None, move=None, fragment_sql=None, finish=None, refusal=refusal.error,
        reasons=(*plan.reasons, reason),
    )  # fmt: skip
