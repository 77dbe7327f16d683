"""A query over tables of several domains: what each gives, and what the session's domain makes of it.

The mechanism is that of `bringing`: rows come as arrays to one PostgreSQL, here a server of the session's domain, whose
functions, types and collations the statement means.  What would be something else there is refused by name: types of
one domain alone, order of text by rules of another's servers, and everything that `vet` refuses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace

from outgrow.plan.blocks import first_items
from outgrow.plan.bringing.builder import vet_sums
from outgrow.plan.bringing.needed import mentioned_in, scans_of, with_dependents
from outgrow.plan.cutting.vetting import vet
from outgrow.plan.domains.elsewhere import vet_order
from outgrow.plan.domains.following import Follow, follows
from outgrow.plan.domains.foreign import Across, Portion
from outgrow.plan.domains.portions import Bringer, Narrowing
from outgrow.plan.model import Plan, Reason, Where
from outgrow.plan.placing import Places
from outgrow.plan.refusals import Refused, refused
from outgrow.plan.rendering import fragment
from outgrow.plan.viewing import seen_through
from outgrow.schema import Federation, TableKind
from outgrow.statement import transform
from outgrow.statement.model import Kind, Statement
from outgrow.statement.tree import Query, Relation, Scan, Tree
from outgrow.topology import Abroad, Copied, Sharded, Single

_STORED = (TableKind.TABLE, TableKind.PARTITIONED)


def build_across(statement: Statement, schema: Federation, places: Mapping[str, Places]) -> Plan:
    """The plan of a query that names tables of other domains; `places` has every domain's, by name.

    Raises NotSupportedError for what cannot be answered rightly.
    """
    try:
        statement, tree = _read(statement, schema, places)
        made = _across(statement, tree, schema, places)
    except Refused as refusal:
        raise refusal.error from None
    domains = ", ".join(dict.fromkeys(portion.domain for portion in made.portions))
    reason = Reason(
        "plan.across", f"it names tables of several domains: rows of {domains} are brought to {schema.domain}"
    )
    return Plan(statement, "read", Where.ACROSS, reasons=(reason,), across=made)


def _read(statement: Statement, schema: Federation, places: Mapping[str, Places]) -> tuple[Statement, Query]:
    """The query, with the session's views as what they are; refused for what is none."""
    tree = statement.tree
    if statement.kind is Kind.OPAQUE:
        raise refused("unparsed", statement.command, "; ".join(effect.what for effect in statement.effects))
    if statement.kind is not Kind.QUERY or not isinstance(tree, Query):
        names = (*statement.reads, *statement.writes)
        domains = dict.fromkeys(name.domain if isinstance(name, Abroad) else schema.domain for name in names)
        raise refused("across write", statement.command, ", ".join(domains))
    statement = _seen_through(statement, places[schema.domain])
    tree = statement.tree
    assert isinstance(tree, Query)
    return statement, tree


def _across(statement: Statement, tree: Query, schema: Federation, places: Mapping[str, Places]) -> Across:
    vet(statement, alone=True)
    vet_sums(tree)
    vet_order(tree)
    build = _Build(statement, tree, schema, places)
    plain = build.made(Staging(build, with_own=False, ordered=False))
    for with_own in (True, False):
        staging = Staging(build, with_own, ordered=True)
        if staging.sources:
            return replace(plain, keyed=build.made(staging))
    return plain


def _seen_through(statement: Statement, own: Places) -> Statement:
    """With the views of the session's domain as what they are, where no server has all of their rows."""
    if len(own.domain.shards) == 1:
        return statement
    seen = seen_through(statement, own)
    if seen.refusal is not None:
        raise Refused(seen.refusal)
    return seen.statement


def _finishing(tree: Tree, own: Places) -> str:
    """The shard of the session's domain that has its single tables; "" for any."""
    if len(own.domain.shards) == 1:
        return own.domain.home.name
    for scan in scans_of(tree):
        standing = None if isinstance(scan.table, Abroad) else own.of(scan.table)
        if isinstance(standing, Single):
            return standing.shard
    return ""


def _is_away(scan: Scan, places: Places, own: bool, here: str) -> bool:
    """Whether its rows have to be brought; refused where what they are depends on who asks, or where."""
    name = scan.table.there if isinstance(scan.table, Abroad) else scan.table
    table, standing = places.table(name), places.of(name)
    if scan.sample:
        raise refused("table form", f"TABLESAMPLE on {scan.table}")
    if table is None or table.row_security:
        raise refused("table form", f"row security on {scan.table}")
    alone = len(places.domain.shards) == 1
    if table.kind not in _STORED and (not alone or table.kind is TableKind.SEQUENCE):
        raise refused("unvetted", f"the {table.kind} {scan.table}")
    if not isinstance(standing, Copied | Single | Sharded):
        raise refused("unlisted table", str(name), places.domain.name, places.proposal(name))
    if own:
        return not (alone or isinstance(standing, Copied) or (isinstance(standing, Single) and standing.shard == here))
    return True


class _Build:
    """One statement, and what it is over."""

    def __init__(self, statement: Statement, tree: Query, schema: Federation, places: Mapping[str, Places]) -> None:
        self.statement, self.tree, self.schema, self.places = statement, tree, schema, places
        self.own = places[schema.domain]
        self.bound = Places(schema, self.own.domain)
        self.here = _finishing(tree, self.own)
        self.mentioned = mentioned_in(tree)
        self.follows = follows(tree, lambda scan: self.bound.table(scan.table))
        #: By domain, what has to be brought; and what the finishing server has itself, but for copied tables.
        self.away: dict[str, list[Scan]] = defaultdict(list)
        self.local: list[Scan] = []
        for scan in scans_of(tree):
            domain = scan.table.domain if isinstance(scan.table, Abroad) else schema.domain
            if _is_away(scan, places[domain], domain == schema.domain, self.here):
                self.away[domain].append(scan)
            elif len(self.own.domain.shards) == 1 or not isinstance(self.own.of(scan.table), Copied):
                self.local.append(scan)

    def bringer(self, domain: str) -> Bringer:
        return Bringer(domain, self.places[domain], self.bound, self.tree, self.mentioned, domain == self.schema.domain)

    def made(self, staging: Staging) -> Across:
        first = self.statement.placeholders.count + 1
        portions: list[Portion] = []
        instead: dict[int, Relation] = {}
        params: dict[tuple[int, str], int] = {}
        for domain in (domain for stage in staging.stages for domain in stage):
            bringer = staging.bringers[domain]
            bringer.few = staging.few
            for scan, narrowings in staging.narrowed.items():
                bringer.narrowed[scan] = [
                    each if each.within else each._replace(param=params[each.source, each.source_column])
                    for each in narrowings
                    if each.within or (each.source, each.source_column) in params
                ]
            first = bringer.bring(staging.scans[domain], first, instead)
            params |= bringer.params
            portions.append(bringer.portion())
        tree = with_dependents(self.tree, self.bound)
        sql, used = fragment(transform(tree, lambda node: instead.get(id(node), node)))
        names = tuple(item.name for item in first_items(self.tree))
        sizes = tuple(len(stage) for stage in staging.stages)
        return Across(tuple(portions), sql, used, names, self.here, self.own.domain.finish, sizes)


class Staging:
    """In which order domains are asked, so that what comes first says which rows of the others matter.

    A domain is asked once, so that each of its shards is seen as of one moment; so it comes before or after another as
    a whole.  First come those of which the statement says something; others follow where conditions equate columns.
    """

    def __init__(self, build: _Build, with_own: bool, ordered: bool) -> None:
        """`with_own`: what the finishing server has is brought too, because it says what else matters."""
        self.scans = {domain: list(scans) for domain, scans in build.away.items()}
        local = build.local if with_own else []
        if local:
            self.scans[build.schema.domain] = [*self.scans.get(build.schema.domain, ()), *local]
        self.bringers = {domain: build.bringer(domain) for domain in self.scans}
        self._domain_of = {id(scan): domain for domain, scans in self.scans.items() for scan in scans}
        self._follows = [f for f in build.follows if f.scan in self._domain_of and f.source in self._domain_of]
        self.narrowed: dict[int, list[Narrowing]] = defaultdict(list)
        #: Occurrences whose values go to other domains.
        self.sources: set[int] = set()
        #: Occurrences of which not all rows come.
        self._known = {
            id(scan)
            for domain, scans in self.scans.items()
            for scan in scans
            if self.bringers[domain].conditions(scan)[0]
        }
        self.stages = self._staged() if ordered else self._at_once()
        brought_for_it = {id(scan) for scan in local}
        if with_own and not brought_for_it & self.sources:
            # It would be brought for nothing.
            self.sources = set()
        self.few = frozenset(self.sources | brought_for_it)

    def _at_once(self) -> list[tuple[str, ...]]:
        for domain in self.scans:
            self._spread(domain)
        return [tuple(self.scans)]

    def _staged(self) -> list[tuple[str, ...]]:
        waiting = dict.fromkeys(self.scans)
        first = [domain for domain in waiting if any(id(scan) in self._known for scan in self.scans[domain])]
        stages = [first]
        while stages[-1]:
            for domain in stages[-1]:
                del waiting[domain]
                self._spread(domain)
            stages.append([domain for domain in waiting if self._led(domain, waiting)])
        # Of the rest nothing is known: they need not wait for anybody.
        return [(*stages[0], *waiting), *(tuple(stage) for stage in stages[1:] if stage)]

    def _led(self, domain: str, waiting: Collection[str]) -> bool:
        """Whether rows of the domain follow some that have come; then they are narrowed so."""
        found = False
        for each in self._follows:
            source = self._domain_of[each.source]
            if self._domain_of[each.scan] != domain or source in waiting or each.source not in self._known:
                continue
            if not self.bringers[domain].takes(each):
                continue
            self._narrow(each, within=False)
            self.sources.add(each.source)
            found = True
        self._known |= {id(scan) for scan in self.scans[domain] if self.narrowed.get(id(scan))}
        return found

    def _spread(self, domain: str) -> None:
        """Within a domain of one shard: what follows a narrowed table is narrowed by it, in the same statement."""
        if not self.bringers[domain].joins:
            return
        again = True
        while again:
            again = False
            for each in self._follows:
                inside = self._domain_of[each.scan] == self._domain_of[each.source] == domain
                if inside and each.source in self._known and each.scan not in self._known:
                    self._narrow(each, within=True)
                    self._known.add(each.scan)
                    again = True

    def _narrow(self, follow: Follow, within: bool) -> None:
        narrowing = Narrowing(follow.column, follow.type, follow.source, follow.source_column, within)
        self.narrowed[follow.scan].append(narrowing)


__all__ = ["build_across"]
