"""`explain`: the values that execution uses, printed.  Nothing is computed for show.

With `analyze` the statement is run as well: see `analyzed`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from outgrow.errors import Error
from outgrow.keyspace import Entry, Keyspace, Lookup
from outgrow.plan import Located, locate
from outgrow.route import Check, choose, format_lsn
from outgrow.runtime import analyzed
from outgrow.runtime.conversation import Conversation
from outgrow.runtime.directories import directory
from outgrow.runtime.footing import Footing
from outgrow.runtime.prepared import Parameters, Prepared, values_of
from outgrow.runtime.reading import bringing, columnar
from outgrow.runtime.reading.staged import NotStaged
from outgrow.waits import Steps


@dataclass(frozen=True, slots=True)
class Explanation:
    """`to_dict()` for programs, `str()` for people."""

    facts: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return self.facts

    def __str__(self) -> str:
        told = {key: value for key, value in self.facts.items() if key != "analyzed"}
        if "analyzed" in self.facts:
            told["analyzed"] = analyzed.lines(self.facts["analyzed"])
        return "\n".join(_lines(told, 0))


def explain_steps(
    conversation: Conversation, prepared: Prepared, parameters: Parameters, analyze: bool
) -> Steps[Explanation]:
    """Where this statement would go now, or with `analyze` goes; without parameters, what is known before them."""
    known = parameters is not None or not prepared.parameters
    values = values_of(prepared.placeholders, parameters) if known or analyze else None
    if not analyze:
        return (yield from _explained_steps(conversation, prepared, values))
    analyzed.check(prepared)
    explanation = yield from _explained_steps(conversation, prepared, values)
    questions = _questions(conversation, prepared, values or (), explanation.facts)
    facts = yield from analyzed.analyzed_steps(conversation, prepared, parameters, questions)
    return Explanation({**explanation.facts, "analyzed": facts})


def _questions(
    conversation: Conversation, prepared: Prepared, values: Sequence[Any], facts: dict[str, Any]
) -> dict[str, tuple[str, Any]]:
    """By shard, what is run there as one statement of PostgreSQL's; its planner can say what it expects."""
    plan, shards = prepared.plan, facts.get("shards", {}).get("shards", ())
    if conversation.state.file.engine != "postgresql" or plan.across is not None:
        return {}
    if len(shards) == 1:
        return {shards[0]: (prepared.sql, values or None)}
    if plan.fragment_sql is None:
        return {}
    return dict.fromkeys(shards, (plan.fragment_sql, plan.fragment_values(values) or None))


def _explained_steps(
    conversation: Conversation, prepared: Prepared, values: Sequence[Any] | None
) -> Steps[Explanation]:
    plan, bound = prepared.plan, prepared.statement
    facts: dict[str, Any] = {
        "statement": {
            "fingerprint": prepared.fingerprint.id,
            "command": bound.command,
            "kind": str(bound.kind),
            "reads": [str(table) for table in bound.reads],
            "writes": [str(table) for table in bound.writes],
            "effects": [effect.what for effect in bound.effects],
            "access": plan.access,
        },
        "plan": plan.describe(),
    }
    if values is None:
        facts["route"] = "depends on the parameters: pass them to see it"
        return Explanation(facts)
    if plan.keyed_by_draws:
        facts["route"] = "depends on the numbers that it draws"
        return Explanation(facts)
    if plan.across is not None:
        at = plan.across.shard or conversation.preferred()
        facts["fragment"] = "the rows that the domains give"
        facts["route"] = {at: _route(conversation, at, prepared.read_only)}
        return Explanation(facts)
    values = values if plan.drawing is None else plan.drawing.given(values)
    try:
        located = yield from _located_steps(conversation, prepared, values)
    except Error as error:
        facts["refused"] = str(error)
        return Explanation(facts)
    except Lookup as lookup:
        facts["route"] = _unassigned(lookup)
        return Explanation(facts)
    facts["shards"] = {"shards": list(located.shards), "reasons": [reason.what for reason in located.reasons]}
    if located.rows:
        facts["fragment"] = "the rows of each shard, as the user wrote them"
    elif located.scatter and plan.is_brought:
        assert plan.brought is not None
        facts["finished_by"] = columnar.verdict(plan.brought, conversation.state.picture.domain.finish, values)
        facts["fragment"] = "the rows that are brought"
        try:
            facts["stages"] = yield from bringing.stages_steps(conversation, prepared, values)
        except (Error, NotStaged):
            facts["stages"] = ["not known: a shard does not say how many rows it expects"]
    elif located.scatter:
        facts["fragment"] = plan.fragment_sql
    else:
        facts["fragment"] = "as the user wrote it" if plan.drawing is None else bound.sql
    facts["route"] = {shard: _route(conversation, shard, prepared.read_only) for shard in located.shards}
    return Explanation(facts)


def _located_steps(conversation: Conversation, prepared: Prepared, values: Sequence[Any]) -> Steps[Located]:
    """As execution locates it, but for new keys of a directory: nothing is assigned, they are raised as Lookup."""

    def place(placer: Keyspace, absent: frozenset[Entry]) -> Located:
        try:
            return locate(prepared.plan, values, placer, absent)
        except Lookup as lookup:
            if lookup.keys <= absent:
                raise Unassigned(lookup) from None
            raise Lookup(lookup.keys) from None

    try:
        located, _ = yield from directory.resolved_steps(conversation.state, place, None)
        return located
    except Unassigned as unassigned:
        raise unassigned.lookup from None


class Unassigned(Exception):
    """Rows are given for keys that are in no directory."""

    def __init__(self, lookup: Lookup) -> None:
        super().__init__()
        self.lookup = lookup


def _unassigned(lookup: Lookup) -> str:
    shown = ", ".join(sorted(repr(value) for _, value in lookup.keys))
    return f"the directory has no entry for {shown} yet: each gets a shard when its first row is given"


def _route(conversation: Conversation, shard: str, read_only: bool) -> dict[str, str]:
    state = conversation.state
    seats = state.health.seats(state.name, shard)
    footing: Footing = conversation.footing(shard)
    if not read_only:
        route = {"node": seats.primary.name, "reason": "writes go to the primary"}
    elif conversation.transaction is not None:
        route = {"node": seats.primary.name, "reason": "inside a transaction its branch answers"}
    else:
        choice = choose(seats, conversation.level, footing.floor, footing.last, state.health, 0, state.file.reads)
        route = {"node": choice.node.name, "reason": choice.reason}
        if choice.check is not Check.NOTHING:
            route["check"] = choice.check.value
        if footing.floor is not None:
            route["floor"] = f"{footing.floor.generation}:{format_lsn(footing.floor.lsn)}"
    if footing.ahead and route["node"] == seats.primary.name:
        route["before"] = "the primary must show what this session has seen on a replica"
    return route


def _lines(value: Any, depth: int) -> list[str]:
    pad = "  " * depth
    lines: list[str] = []
    for key, item in value.items():
        if isinstance(item, dict):
            lines.append(f"{pad}{key}:")
            lines += _lines(item, depth + 1)
        elif isinstance(item, (list, tuple)):
            if item and all(not isinstance(entry, (dict, list, tuple)) and len(str(entry)) < 30 for entry in item):
                lines.append(f"{pad}{key}: {', '.join(map(str, item))}")
            elif item:
                lines.append(f"{pad}{key}:")
                for entry in item:
                    if isinstance(entry, dict):
                        first, *rest = _lines(entry, depth + 2)
                        lines.append(f"{pad}  - {first.strip()}")
                        lines += rest
                    else:
                        lines.append(f"{pad}  - {entry}")
        elif item not in (None, ""):
            lines.append(f"{pad}{key}: {item}")
    return lines
