"""Parameters → key values → shards.  Runs once per execution: the common case, one key, has a short way.

Where keys stand in a directory, a key that nobody has looked up yet raises `Lookup`, with all that the statement needs:
whoever can ask the ledger does so and locates again, with those that are in no directory as `absent`.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any

from outgrow.keyspace import Entry, Lookup, NoRow, Unknowable, coerce
from outgrow.plan.model import KeyChange, Located, Placer, Plan, Reason, ScanKeys, Where
from outgrow.plan.narrowing.candidates import Params, candidate_values
from outgrow.plan.narrowing.keyset import Choice, Everything, KeySet, Match, folded, meeting
from outgrow.plan.narrowing.touching import slots_touched
from outgrow.plan.refusals import refuse
from outgrow.plan.writes.change import GivenRows
from outgrow.plan.writes.moments import says_moment
from outgrow.plan.writes.rowwise import check_runs

#: More combinations of a compound key than this, and all shards are asked.
PRODUCT_LIMIT = 10_000

Key = tuple[Any, ...]
#: Keys that are in no directory: no row has them.
Absent = frozenset[Entry]
NONE: Absent = frozenset()


@lru_cache(maxsize=1024)
def _one(shard: str) -> Located:
    return Located((shard,), reasons=(Reason("plan.locate", f"every key that is needed lies on {shard}"),))


def locate(plan: Plan, params: Params, placer: Placer, absent: Absent = NONE) -> Located:
    """The shards that one execution needs.

    Raises the plan's refusal when it needs several shards and cannot have them, DataError for a wrong-typed key, and
    Lookup for keys that the directory must be asked for.
    """
    quick = plan.quick
    if quick is not None:
        value = params[quick.index]
        if value is not None:
            try:
                return _one(placer.shards_for(quick.types, (coerce(quick.type, value),)))
            except (NoRow, Unknowable, Lookup):
                pass
    return _locate(plan, params, placer, absent)


def _locate(plan: Plan, params: Params, placer: Placer, absent: Absent) -> Located:
    if plan.where is Where.KEYS:
        return _by_keys(plan, params, placer, absent)
    home = placer.shards[0]
    if plan.where is Where.ACROSS:
        raise refuse("across here", "no one shard")
    if plan.where is Where.ANY:
        return Located((home,), any=True, reasons=(Reason("plan.locate", "any one shard can answer"),))
    if plan.where is Where.ALL:
        if plan.refusal is not None and len(placer.shards) > 1:
            raise plan.refusal
        together = plan.change is not None and len(placer.shards) > 1
        for index in plan.change.timed if plan.change is not None else ():
            if says_moment(params[index - 1]):
                raise refuse("moment", f"the word in ${index}")
        return Located(placer.shards, together, reasons=(Reason("plan.locate", "every shard, in order"),))
    if plan.where is Where.CHOSEN and len(placer.shards) > 1:
        why = "; ".join(effect.what for effect in plan.statement.effects)
        raise refuse("unparsed", plan.statement.command, why)
    return Located((home,), reasons=(Reason("plan.locate", f"{home} is the home shard"),))


def _by_keys(plan: Plan, params: Params, placer: Placer, absent: Absent) -> Located:
    every = placer.shards
    if len(every) == 1:
        return Located(every, reasons=(Reason("plan.locate", "the domain has one shard"),))
    if plan.change is not None and plan.change.always:
        return Located(every, True, reasons=(Reason("plan.locate", "where its rows go is known when they are read"),))
    needed: set[str] = set(plan.fixed)
    reasons: list[Reason] = []
    rows: tuple[str, ...] = ()
    given = plan.change.given if plan.change is not None else None
    wanted: set[Entry] = set()
    to_give: set[Entry] = set()
    for scan in plan.scans:
        try:
            if given is not None and _gives(scan):
                rows = _rows_of(given, scan, params, placer)
                shards = set(rows)
            else:
                shards = shards_of(scan, params, placer, absent)
        except Lookup as lookup:
            wanted |= lookup.keys
            to_give |= lookup.keys if _gives(scan) else NONE
            continue
        needed.update(shards)
        shown = ", ".join(name for name in every if name in shards) or "no shard"
        reasons.append(Reason("plan.locate", f"{scan.describe()}: {shown}"))
    if wanted:
        raise Lookup(wanted, to_give)
    if plan.brought is not None and plan.change is not None and len(needed) > 1:
        return _supplied(plan, params, placer, absent, tuple(reasons))
    if not needed:
        needed.add(every[0])
        reasons.append(Reason("plan.locate", f"no row can match: {every[0]} gives the empty result its columns"))
    if len(needed) == 1:
        if all(_unchanged(change, params) for change in plan.key_changes):
            return Located(tuple(needed), reasons=tuple(reasons))
        if plan.move is None:
            raise plan.refusal or refuse("key update", str(plan.key_changes[0].table))
        return Located(tuple(needed), True, reasons=tuple(reasons))
    if plan.refusal is not None and plan.brought is None:
        raise plan.refusal
    if given is not None:
        check_runs(plan, given, rows)
        if set(rows) != needed:
            why = f"{', '.join(sorted(needed - set(rows)))} is given no rows, but has others to change"
            raise refuse("parts apart", plan.statement.command, why)
    return Located(tuple(name for name in every if name in needed), True, rows=rows, reasons=tuple(reasons))


def _supplied(plan: Plan, params: Params, placer: Placer, absent: Absent, reasons: tuple[Reason, ...]) -> Located:
    """The shards that have rows to change; what they read beside those is brought to them."""
    assert plan.brought is not None
    written = {plan.brought.shard} if plan.brought.shard else set()
    for scan in plan.scans:
        if scan.role == "writes":
            written |= shards_of(scan, params, placer, absent)
    shards = tuple(name for name in placer.shards if name in written)
    return Located(shards or placer.shards[:1], True, reasons=reasons)


def _gives(scan: ScanKeys) -> bool:
    """Rows are given for it; what an INSERT … SELECT adds stays where it is read."""
    return scan.role == "inserts into" and not isinstance(scan.keys, Everything)


def _rows_of(given: GivenRows, scan: ScanKeys, params: Params, placer: Placer) -> tuple[str, ...]:
    """The shard of each row of an INSERT … VALUES."""
    shards: list[str] = []
    unknown: set[Entry] = set()
    for row in given.keys:
        keys = key_values(row, scan.types, params, scan.typmods)
        if keys is None:
            raise refuse("insert key unknown", str(scan.table), ", ".join(scan.columns))
        (key,) = keys
        try:
            shards.append(placer.shards_for(scan.types, key))
        except Lookup as lookup:
            unknown |= lookup.keys
    if unknown:
        raise Lookup(unknown)
    return tuple(shards)


def shards_of(scan: ScanKeys, params: Params, placer: Placer, absent: Absent = NONE) -> set[str]:
    """The shards on which a scan can find rows that matter."""
    inserting = scan.role == "inserts into"
    if inserting and isinstance(scan.keys, Everything):
        # What is selected stays on the shard that selects it.
        return set()
    keys = key_values(scan.keys, scan.types, params, scan.typmods if inserting else None)
    if keys is None:
        if inserting:
            raise refuse("insert key unknown", str(scan.table), ", ".join(scan.columns))
        slots = slots_touched(scan.keys, scan.types, params, placer, absent)
        return set(placer.shards) if slots is None else {placer.owners[slot] for slot in slots}
    shards: set[str] = set()
    unknown: set[Entry] = set()
    for key in keys:
        try:
            shards.add(placer.shards_for(scan.types, key))
        except Lookup as lookup:
            unknown |= lookup.keys
    # A key that rows are given for has been assigned, or it is looked for once more.
    if unknown - (NONE if inserting else absent):
        raise Lookup(unknown)
    return shards


def _unchanged(change: KeyChange, params: Params) -> bool:
    """The key assigned is the one that the rows have."""
    before = key_values(change.before, change.types, params, None)
    after = key_values(change.after, change.types, params, change.typmods)
    return before is not None and after is not None and (not before or (len(before) == 1 and before == after))


def key_values(
    keys: KeySet, types: tuple[str, ...], params: Params, typmods: tuple[int, ...] | None
) -> set[Key] | None:
    """The keys of a key set, None for all of them.  `typmods` are given where values are written, not compared."""
    return folded(keys, lambda match: _match(match, types, params, typmods))


def _match(match: Match, types: tuple[str, ...], params: Params, typmods: tuple[int, ...] | None) -> set[Key] | None:
    columns: list[set[Any]] = []
    unknown = False
    for position, choices in enumerate(match.columns):
        typmod = None if typmods is None else typmods[position]
        values = meeting(_choice(choice, types[position], params, typmod) for choice in choices)
        if values is None:
            unknown = True
        elif not values:
            return set()
        else:
            columns.append(values)
    combinations = 1
    for column in columns:
        combinations *= len(column)
    return None if unknown or combinations > PRODUCT_LIMIT else set(product(*columns))


def _choice(choice: Choice, type: str, params: Params, typmod: int | None) -> set[Any] | None:
    values: set[Any] = set()
    for candidate in choice:
        try:
            values.update(candidate_values(candidate, type, params, typmod))
        except Unknowable:
            return None
    return values


def locate_brings(plan: Plan, params: Params, placer: Placer, absent: Absent = NONE) -> list[set[str]]:
    """The shards that have rows for each of the plan's brings."""
    assert plan.brought is not None
    places = [shards_of(scan, params, placer, absent) for scan in plan.scans]
    return [
        {bring.shard}
        if bring.shard
        else set.intersection(*(set().union(*(places[at] for at in scans)) for scans in bring.scans))
        for bring in plan.brought.brings
    ]
