"""Where the rows of a FROM clause or query are when each shard evaluates it alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from outgrow.plan.blocks import Site
from outgrow.plan.cutting.equalities import NOTHING, Equalities

#: One way to say the key of a row: a site per key column.
Key = tuple[Site, ...]


@dataclass(frozen=True, slots=True)
class Locus:
    """`sharded`: the shards' rows together are the true rows, each once.  Else every shard has all rows.

    `keys` are equivalent ways to say on which shard a row is; `families` the hash families of their columns.  `weak`
    ones say it only where they are not NULL: those of an outer join's nullable side.
    """

    sharded: bool
    keys: tuple[Key, ...] = ()
    weak: tuple[Key, ...] = ()
    families: tuple[str | None, ...] = ()
    #: For messages: the sharded table, and its key columns.
    table: str = ""
    columns: tuple[str, ...] = ()


COPIED = Locus(False)


@dataclass(frozen=True, slots=True)
class Settled:
    locus: Locus
    equal: Equalities = NOTHING


def meets(one: Locus, other: Locus, equal: Equalities) -> bool:
    """Both sides' keys are equal, column by column, so that rows that belong together share a shard.

    Columns that are proved equal are proved to be there, so weak keys serve as well.
    """
    if not one.sharded or not other.sharded or one.families != other.families or None in one.families:
        return False
    return any(
        all(equal.same(left, right) for left, right in zip(left_key, right_key, strict=True))
        for left_key in (*one.keys, *one.weak)
        for right_key in (*other.keys, *other.weak)
    )


def covers(sites: set[Site], locus: Locus, equal: Equalities) -> bool:
    """Some key of the locus is determined by these columns.

    Not where the key's values can be equal and lie apart, as under a nondeterministic collation.
    """
    if None in locus.families:
        return False
    return any(all(any(equal.same(column, site) for site in sites) for column in key) for key in locus.keys)


def positions_of(settled: Settled, sites: Sequence[Site | None]) -> tuple[tuple[int, ...], ...]:
    """For each key that is wholly among the output columns `sites`: where its parts are."""
    if None in settled.locus.families:
        return ()
    found = (
        tuple(
            next((at for at, site in enumerate(sites) if site and settled.equal.same(site, column)), -1)
            for column in key
        )
        for key in settled.locus.keys
    )
    return tuple(positions for positions in found if -1 not in positions)
