"""`explain` of a statement that is run: what came from where, in which order, how much of it, and how long it took."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from outgrow.clock import monotonic
from outgrow.errors import NotSupportedError
from outgrow.plan import staging
from outgrow.runtime import asking
from outgrow.runtime.measuring import BRING, DESCRIBE, FINISH, FRAGMENT, Came, Measuring, Part
from outgrow.statement import Kind
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.nodes import Rows
    from outgrow.runtime.conversation import Conversation
    from outgrow.runtime.prepared import Parameters, Prepared


def check(prepared: Prepared) -> None:
    """Only what changes nothing is run to see how long it takes."""
    if not prepared.read_only or prepared.statement.kind is not Kind.QUERY:
        raise NotSupportedError(
            "OG-RUN-170",
            f"explain(analyze=True) runs the statement, and this {prepared.statement.command} is not only a read",
            cure="explain it without `analyze`, or analyze a SELECT that neither writes, locks, nor draws numbers",
        )


def analyzed_steps(
    conversation: Conversation, prepared: Prepared, parameters: Parameters, questions: Mapping[str, tuple[str, Any]]
) -> Steps[dict[str, Any]]:
    """Run it; `questions`: what each shard is asked, where its planner can say beforehand how many rows to expect."""
    noting = conversation.noting
    noting.measuring = measuring = Measuring()
    began = monotonic()
    try:
        result = yield from conversation.execute_steps(prepared.statement.text, parameters, None, None)
        seconds = monotonic() - began
    finally:
        noting.measuring = None
    expected = {}
    if any(part.phase == FRAGMENT for part in measuring.parts):
        for shard, (sql, params) in questions.items():
            expected[shard] = yield from _expected_steps(conversation, shard, sql, params)
    return facts_of(measuring, expected, seconds, result.rowcount)


def _expected_steps(conversation: Conversation, shard: str, sql: str, params: Any) -> Steps[float]:
    question, transaction = f"EXPLAIN (FORMAT JSON) {sql}", conversation.transaction
    rows: Rows
    if transaction is not None:
        (rows,) = yield from transaction.run_steps([(shard, question)], params, False, None)
    else:
        footing, level = conversation.footing(shard), conversation.level
        rows, _ = yield from asking.read_steps(conversation.state, shard, footing, level, question, params, None)
    plan = rows.rows[0][0]
    return staging.top_rows(json.loads(plan) if isinstance(plan, str) else plan)


# --- as values -------------------------------------------------------------------------------------------------------


def facts_of(measuring: Measuring, expected: Mapping[str, float], seconds: float, rows: int) -> dict[str, Any]:
    facts: dict[str, Any] = {"rows": rows, "seconds": round(seconds, 6)}
    asked = [part for part in measuring.parts if part.phase in (FRAGMENT, BRING)]
    facts["parts"] = [_part(part, expected) for part in asked]
    if measuring.came:
        facts["brought"] = [_came(came) for came in measuring.came]
    facts["finish"] = _finish(measuring, asked)
    return facts


def _part(part: Part, expected: Mapping[str, float]) -> dict[str, Any]:
    found: dict[str, Any] = {"stage": part.stage, "asked_for": part.what or part.phase, "node": part.node}
    found["rows"] = part.rows
    shard = part.node.split("/")[1]
    if part.phase == FRAGMENT and shard in expected:
        found["rows_expected"] = round(expected[shard])
    found["bytes"] = part.bytes
    if part.bytes_sent:
        found["bytes_sent"] = part.bytes_sent
    found["seconds"] = round(part.seconds, 6)
    return found


def _came(came: Came) -> dict[str, Any]:
    found: dict[str, Any] = {"bring": came.bring, "rows": came.rows, "bytes": came.bytes}
    if came.expected is not None:
        found["rows_expected"] = round(came.expected)
    return found


def _finish(measuring: Measuring, asked: Sequence[Part]) -> dict[str, Any]:
    """Who finished what had come; DuckDB asks a server for names, types, and the tables that the server has."""
    came = {"rows_in": sum(part.rows for part in asked), "bytes_in": sum(part.bytes for part in asked)}
    own = measuring.finish
    if own is not None:
        found = {"by": own.by, "at": "this process", **came, "rows": own.rows, "seconds": round(own.seconds, 6)}
        described = [part for part in measuring.parts if part.phase == DESCRIBE]
        if described:
            found["rows_of_server"] = sum(part.rows for part in described)
            found["seconds_of_server"] = round(sum(part.seconds for part in described), 6)
        return found
    for part in measuring.parts:
        if part.phase == FINISH:
            came["bytes_in"] = part.bytes_sent
            seconds = round(part.seconds, 6)
            return {"by": "PostgreSQL", "at": part.node, **came, "rows": part.rows, "seconds": seconds}
    return {"by": "nobody: one shard answered"}


# --- as people read it -----------------------------------------------------------------------------------------------


def lines(facts: Mapping[str, Any]) -> list[str]:
    """Under the heading `analyzed`."""
    found = [f"{facts['rows']:,} rows in {_milliseconds(facts['seconds'])}"]
    for part in facts["parts"]:
        sent = f", sent {_bytes(part['bytes_sent'])}" if "bytes_sent" in part else ""
        told = f"{part['stage']}. {part['asked_for']} of {part['node']}: {_rows(part)}, {_bytes(part['bytes'])}"
        found.append(f"{told}{sent}, {_milliseconds(part['seconds'])}")
    found += [f"{came['bring']}: {_rows(came)}, {_bytes(came['bytes'])}" for came in facts.get("brought", ())]
    finish = facts["finish"]
    if "seconds" not in finish:
        return [*found, f"finished by {finish['by']}"]
    took = f"{finish['rows_in']:,} rows, {_bytes(finish['bytes_in'])} → {finish['rows']:,} rows"
    found.append(f"finished by {finish['by']} at {finish['at']}: {took}, {_milliseconds(finish['seconds'])}")
    if "seconds_of_server" in finish:
        rows, seconds = finish["rows_of_server"], _milliseconds(finish["seconds_of_server"])
        found.append(f"before: types, and {rows:,} rows of tables that a server has itself, {seconds}")
    return found


def _rows(facts: Mapping[str, Any]) -> str:
    expected = f" (some {facts['rows_expected']:,} expected)" if "rows_expected" in facts else ""
    return f"{facts['rows']:,} rows{expected}"


def _bytes(number: int) -> str:
    return f"{number:,} bytes" if number < 10_000 else f"{number / 1000:,.0f} kB"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms"
