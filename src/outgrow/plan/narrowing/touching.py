"""Which slots a key set touches, where keys lie by their first column and are not known one by one.

By range an order narrows too; by directory only values do.

Like the key set, the slots are an over-approximation: a condition that is not understood touches all of them.
"""

from __future__ import annotations

from outgrow.errors import DataError
from outgrow.keyspace import Entry, Lookup, Unknowable
from outgrow.plan.model import Placer
from outgrow.plan.narrowing.candidates import Params, candidate_values, span_bounds
from outgrow.plan.narrowing.keyset import Candidate, Choice, Everything, KeySet, Span, folded, meeting

#: Slots; None for all of them.
Slots = set[int] | None


def slots_touched(
    keys: KeySet, types: tuple[str, ...], params: Params, placer: Placer, absent: frozenset[Entry] = frozenset()
) -> Slots:
    """The slots that can have keys of the set; None for all, and where a key's hash says which slot it has.

    Raises Lookup for keys that the directory must be asked for; those of `absent` have no slot.
    """
    if isinstance(keys, Everything) or placer.slots_between(types, None, None, False) is None:
        return None
    unknown: set[Entry] = set()
    # A key lies where its first column says.
    slots = folded(
        keys, lambda match: meeting(_chosen(choice, types, params, placer, unknown) for choice in match.columns[0])
    )
    if unknown - absent:
        raise Lookup(unknown)
    return slots


def _chosen(choice: Choice, types: tuple[str, ...], params: Params, placer: Placer, unknown: set[Entry]) -> Slots:
    slots: set[int] = set()
    for candidate in choice:
        try:
            slots.update(_of_candidate(candidate, types, params, placer, unknown))
        except Unknowable:
            return None
    return slots


def _of_candidate(
    candidate: Candidate, types: tuple[str, ...], params: Params, placer: Placer, unknown: set[Entry]
) -> set[int] | range:
    if not isinstance(candidate, Span):
        rest = (None,) * (len(types) - 1)
        slots: set[int] = set()
        for value in candidate_values(candidate, types[0], params, None):
            try:
                slots.add(placer.slot(types, (value, *rest)))
            except Lookup as lookup:
                unknown |= lookup.keys
        return slots
    low = high = None
    try:
        if candidate.low is not None:
            found = span_bounds(candidate.low, candidate.type, types[0], params)
            if found is None:
                return set()
            low = found[0]
            if candidate.low_open and isinstance(low, int):
                # Integers, days and microseconds: what is greater is greater by one.
                low += 1
        if candidate.high is not None:
            found = span_bounds(candidate.high, candidate.type, types[0], params)
            if found is None:
                return set()
            high = found[1]
    except DataError:
        # The server shall refuse it, in its own words.
        raise Unknowable from None
    between = placer.slots_between(types, low, high, candidate.high_open)
    if between is None:
        raise Unknowable
    return between
