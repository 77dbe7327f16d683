"""Which columns are equal in the rows of a join, for proofs of co-location.

*Strict* pairs hold for every row (WHERE, inner ON).  An outer join's ON holds only where its nullable side is real:
it becomes *edges* that may be followed from the nullable side outwards.  Two columns are equal for sure if both can
be reached from a column that a strict pair proves to be there.
"""

from __future__ import annotations

from dataclasses import dataclass

from outgrow.plan.blocks import Site

Pair = tuple[Site, Site]


@dataclass(frozen=True, slots=True)
class Equalities:
    strict: tuple[Pair, ...] = ()
    #: (from, to): if `from` is real, `to` equals it.
    edges: tuple[Pair, ...] = ()

    def __add__(self, other: Equalities) -> Equalities:
        return Equalities(self.strict + other.strict, self.edges + other.edges)

    def loosened(self) -> Equalities:
        """What remains outside of an outer join's nullable side."""
        both = tuple((right, left) for left, right in self.strict)
        return Equalities((), self.edges + self.strict + both)

    def same(self, one: Site, other: Site) -> bool:
        """The two columns are equal in every row in which the strict pairs hold."""
        if one == other:
            return True
        starts = {site for pair in self.strict for site in pair}
        follow: dict[Site, set[Site]] = {}
        for left, right in self.strict:
            follow.setdefault(left, set()).add(right)
            follow.setdefault(right, set()).add(left)
        for left, right in self.edges:
            follow.setdefault(left, set()).add(right)
        for start in starts:
            reached, stack = {start}, [start]
            while stack:
                for target in follow.get(stack.pop(), ()):
                    if target not in reached:
                        reached.add(target)
                        stack.append(target)
            if one in reached and other in reached:
                return True
        return False


NOTHING = Equalities()


def linked(pairs: list[Pair]) -> Equalities:
    """Columns that are the same column under two names: equal wherever either is real."""
    return Equalities((), tuple(pairs) + tuple((right, left) for left, right in pairs))
