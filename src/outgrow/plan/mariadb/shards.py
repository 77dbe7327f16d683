"""Several shards of a MariaDB domain are read as `meaning` allows, and written as `writes` does."""

from __future__ import annotations

from dataclasses import replace

from outgrow.plan.mariadb.writes import check_meeting, over_shards
from outgrow.plan.model import Plan, Reason
from outgrow.plan.placing import Places
from outgrow.plan.refusals import Refused


def over_mariadb(plan: Plan, places: Places) -> Plan:
    """The plan with what it may do over several shards of MariaDB, or the refusal.

    Raises NotSupportedError for what no shard may do.
    """
    try:
        check_meeting(plan, places)
    except Refused as refusal:
        raise refusal.error from None
    if plan.change is None and plan.move is None and not (plan.fragment_sql and plan.access == "write"):
        return plan
    if plan.statement.command == "TRUNCATE":
        return plan
    try:
        return over_shards(plan, places)
    except Refused as refusal:
        return _without(plan, refusal)


def _without(plan: Plan, refusal: Refused) -> Plan:
    reason = Reason("plan.mariadb", f"over several shards it is refused: {refusal.error.message}")
    return replace(
        plan, change=None, move=None, fragment_sql=None, finish=None, refusal=refusal.error,
        reasons=(*plan.reasons, reason),
    )  # fmt: skip
