"""Statement → plan: where it may run, which keys each scan needs, and what happens if that is several shards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from outgrow.errors import Error
from outgrow.plan.blocks import Ctes, Shared, family
from outgrow.plan.bringing.builder import bringing
from outgrow.plan.cutting.scatter import scatter
from outgrow.plan.mariadb.ids import with_numbers
from outgrow.plan.mariadb.shards import over_mariadb
from outgrow.plan.model import KeyChange, Plan, Quick, Reason, ScanKeys, Where
from outgrow.plan.narrowing.keyset import Everything, Match, Value
from outgrow.plan.narrowing.survey import Found, Inserted, Surveyor
from outgrow.plan.numbers.ids import with_draws
from outgrow.plan.numbers.restarts import check_restart
from outgrow.plan.placing import Catalogue, Places, Unlisted
from outgrow.plan.refusals import Refused, refuse
from outgrow.plan.viewing import seen_through
from outgrow.plan.walking import everything_below
from outgrow.plan.writes.alike import alike
from outgrow.plan.writes.cascades import check_cascades
from outgrow.plan.writes.change import Change, Gather
from outgrow.plan.writes.changing import spread
from outgrow.plan.writes.delivering import delivering, may_deliver
from outgrow.plan.writes.flows import flowing, has_parts
from outgrow.plan.writes.locking import lock
from outgrow.plan.writes.meeting import check_meeting
from outgrow.plan.writes.merging import merging
from outgrow.plan.writes.relay import relayed
from outgrow.plan.writes.relocating import relocating
from outgrow.plan.writes.supplying import may_supply, supplying
from outgrow.plan.writes.truncating import truncate
from outgrow.plan.writes.writing import inserted_keys, key_change
from outgrow.schema import Schema, TableKind
from outgrow.statement.model import Kind, Statement
from outgrow.statement.tree import Delete, Insert, Merge, Parameter, Scan, Tree, Update, With
from outgrow.topology import Copied, Domain, Sharded, Single, TableName


@dataclass(slots=True)
class _Draft:
    """What building gathers."""

    scans: list[ScanKeys] = field(default_factory=list)
    fixed: list[str] = field(default_factory=list)
    changes: list[KeyChange] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    catalogues: list[TableName] = field(default_factory=list)
    #: Copied tables that the statement writes.
    copies: list[TableName] = field(default_factory=list)
    #: Why the rows of an INSERT … SELECT cannot be placed before they are read.
    unplaced: Error | None = None
    #: Why several shards cannot do it in any way.
    alone: Error | None = None

    def say(self, who: str, what: str) -> None:
        reason = Reason(f"plan.{who}", what)
        if reason not in self.reasons:
            self.reasons.append(reason)


def build(statement: Statement, schema: Schema, domain: Domain) -> Plan:
    """The plan of one statement, whatever its parameters.

    Raises ProgrammingError for a table without a placement, and NotSupportedError for writes that can never be
    routed.  A scatter that cannot be done is no error here: the plan carries it as `refusal`.
    """
    plan = _planned(statement, schema, domain)
    return over_mariadb(plan, Places(schema, domain)) if schema.engine == "mariadb" else plan


def _planned(statement: Statement, schema: Schema, domain: Domain) -> Plan:
    access = "read" if statement.read_only else "write"
    if statement.kind is Kind.DDL and len(domain.shards) > 1:
        check_restart(statement, Places(schema, domain))
    alone = _without_tree(statement, access)
    if alone is not None:
        return alone
    if len(domain.shards) == 1:
        reason = Reason("plan.builder", "the domain has one shard: the statement runs there as written")
        return Plan(statement, access, Where.KEYS, reasons=(reason,))
    if statement.command == "TRUNCATE":
        return truncate(statement, schema, domain)
    places = Places(schema, domain)
    if isinstance(statement.tree, Merge):
        return _merged(statement, places)
    draft = _Draft()
    try:
        _check_meetings(statement.tree, places)
        drawn = (with_numbers if schema.engine == "mariadb" else with_draws)(statement, places)
        statement, draft.unplaced = drawn.statement, drawn.left
        for what in drawn.drawing.shown if drawn.drawing is not None else ():
            draft.say("ids", f"{what} is drawn for the whole fleet beforehand")
        for shard in drawn.fixed:
            draft.fixed.append(shard)
            draft.say("ids", f"it asks a sequence that only single tables on {shard} draw from")
        seen = seen_through(statement, places)
        statement, draft.alone = seen.statement, seen.refusal
        for view in seen.views:
            draft.say("views", f"the view {view.name} is its SELECT over {', '.join(map(str, view.statement.reads))}")
        _survey(statement, places, draft)
    except Refused as refusal:
        raise refusal.error from None
    where = _where(statement, draft)
    plan = Plan(
        statement,
        "read" if statement.read_only else "write",
        where,
        tuple(draft.scans),
        tuple(dict.fromkeys(draft.fixed)),
        tuple(draft.changes),
        reasons=tuple(draft.reasons),
        drawing=drawn.drawing,
        listed=any(family(scan.types[0]) in places.listed for scan in draft.scans),
        views=seen.views,
    )
    plan = replace(plan, quick=_quick(plan))
    if draft.unplaced is not None:
        if draft.alone is not None:
            raise draft.alone
        return _always_delivered(plan, places)
    return _finished(plan, places, draft) if where is Where.KEYS or draft.copies else plan


def _always_delivered(plan: Plan, places: Places) -> Plan:
    """Its rows are read first in any case."""
    try:
        if has_parts(plan.statement.tree):
            return _relaying(plan, places, always=True)
        made = delivering(plan, places, _building(places))
    except Refused as refusal:
        raise refusal.error from None
    assert made.change is not None
    return replace(made, change=replace(made.change, always=True))


def _merged(statement: Statement, places: Places) -> Plan:
    try:
        seen = seen_through(statement, places)
        if seen.refusal is not None:
            raise Refused(seen.refusal)
        return replace(merging(seen.statement, places, _building(places)), views=seen.views)
    except Refused as refusal:
        raise refusal.error from None


def _relaying(plan: Plan, places: Places, *, always: bool) -> Plan:
    """The writing parts one after another; `always`: where one of them writes is known only when it has run."""
    relay = relayed(plan.statement, places, _building(places))
    change = Change(Gather.RELAY, always=always)
    reason = Reason("plan.relay", "no part needs what another one writes but by what it returns: one after another")
    return replace(plan, change=change, relay=relay, refusal=None, reasons=(*plan.reasons, reason))


def _without_tree(statement: Statement, access: str) -> Plan | None:
    """Plans of statements that are not relational."""
    match statement.kind:
        case Kind.DDL:
            where, why = Where.ALL, "it defines things, so it runs on every shard in order"
        case Kind.TRANSACTION | Kind.SESSION:
            where, why = Where.SESSION, "it speaks to the session"
        case Kind.COPY:
            where, why = Where.SESSION, "COPY is for `session.copy`"
        case Kind.QUERY | Kind.WRITE if statement.tree is not None or statement.command == "TRUNCATE":
            return None
        case _:
            where, why = Where.CHOSEN, f"{statement.command} is not understood: only a chosen shard may run it"
    return Plan(statement, access, where, reasons=(Reason("plan.builder", why),))


def _check_meetings(tree: Tree | None, places: Places) -> None:
    """As the user wrote it: columns that are left out are filled by the fleet."""
    for node in everything_below(tree) if places.schema.engine == "postgresql" else ():
        if isinstance(node, Insert):
            check_meeting(node, places)


def _survey(statement: Statement, places: Places, draft: _Draft) -> None:
    tree = statement.tree
    assert tree is not None
    names = {*statement.reads, *statement.writes, *_tables(tree)}
    keys_of = {name: tuple(column.name for column in places.key_columns(name)) for name in names}
    keyed = {name: columns for name, columns in keys_of.items() if columns}
    surveyor = Surveyor(places.schema, tree, keyed, places.ranged, places.ranged | places.listed).run()
    for found in surveyor.found:
        _place(found, places, draft)
    ctes = {cte.name: Shared(cte, None) for cte in getattr(tree, "with_", With()).ctes}
    for inserted in surveyor.inserts:
        target = inserted.tree.table
        standing = places.of(target)
        if isinstance(standing, Sharded):
            scan = _inserted(inserted, tree, places, ctes, draft)
            draft.scans.append(scan)
            draft.say("writing", scan.describe())
            assigned = set(inserted.tree.conflict_assigns) & set(keys_of[target])
            if assigned:
                raise Refused(refuse("key update", str(target)))
        else:
            _place(Found(target, inserted.tree.alias, "writes", Match(())), places, draft)
    for updated in surveyor.updates:
        if isinstance(places.of(updated.tree.table), Sharded):
            change = key_change(updated, places)
            if change is not None:
                draft.changes.append(change)
                draft.say("writing", f"the key of {change.table} is assigned")
    for node in everything_below(tree):
        if isinstance(node, Insert | Update | Delete):
            check_cascades(node, places)
    missing = names - {found.table for found in surveyor.found} - {one.tree.table for one in surveyor.inserts}
    for name in sorted(missing, key=str):
        _place(Found(name, name.name, "reads", Match(())), places, draft)


def _inserted(inserted: Inserted, tree: Tree, places: Places, ctes: Ctes, draft: _Draft) -> ScanKeys:
    """The keys that rows are inserted with; where only who reads the rows can tell, the draft says why."""
    try:
        return inserted_keys(inserted, places, ctes)
    except Refused as refusal:
        if places.schema.engine != "postgresql" or not (has_parts(tree) or may_deliver(tree, places)):
            raise
        draft.unplaced = draft.unplaced or refusal.error
    columns = places.key_columns(inserted.tree.table)
    return ScanKeys(
        inserted.tree.table,
        inserted.tree.alias,
        tuple(column.name for column in columns),
        tuple(column.type for column in columns),
        tuple(column.typmod for column in columns),
        Everything(),
        "inserts into",
    )


def _tables(tree: Tree) -> list[TableName]:
    return [node.table for node in everything_below(tree) if isinstance(node, Scan | Insert | Update | Delete)]


def _place(found: Found, places: Places, draft: _Draft) -> None:
    """What one occurrence of a table demands."""
    name = found.table
    match places.of(name):
        case Sharded():
            columns = places.key_columns(name)
            scan = ScanKeys(
                name,
                found.alias,
                tuple(column.name for column in columns),
                tuple(column.type for column in columns),
                tuple(column.typmod for column in columns),
                found.keys,
                found.role,
            )
            draft.scans.append(scan)
            draft.say("keys", scan.describe())
        case Copied():
            if found.role == "writes":
                draft.copies.append(name)
            draft.say("placing", f"{name} is copied to every shard")
        case Single(shard=shard):
            draft.fixed.append(shard)
            draft.say("placing", f"{name} lives on {shard} only")
        case Catalogue():
            draft.catalogues.append(name)
            draft.say("placing", f"{name} is each server's own catalogue")
        case Unlisted():
            kind = places.kind(name)
            if kind is TableKind.VIEW and found.role == "writes":
                raise Refused(refuse("view written", str(name)))
            if kind is not TableKind.TABLE and kind is not TableKind.PARTITIONED:
                raise Refused(refuse("unlisted table", f"{name} (a {kind})", places.domain.name, f"{name}: …"))
            raise Refused(refuse("unlisted table", str(name), places.domain.name, places.proposal(name)))


def _where(statement: Statement, draft: _Draft) -> Where:
    if draft.copies:
        return Where.ALL
    if draft.scans or draft.fixed:
        return Where.KEYS
    if draft.catalogues:
        draft.say("builder", "catalogue queries stick to the home shard")
        return Where.HOME
    if statement.effects or statement.kind is Kind.WRITE:
        shown = "; ".join(effect.what for effect in statement.effects) or "it writes"
        draft.say("builder", f"the home shard, because it is more than a read: {shown}")
        return Where.HOME
    draft.say("builder", "any shard has what it reads")
    return Where.ANY


def _quick(plan: Plan) -> Quick | None:
    """The short way for one keyed parameter."""
    if plan.where is not Where.KEYS or len(plan.scans) != 1 or plan.fixed or plan.key_changes:
        return None
    scan = plan.scans[0]
    if scan.role == "inserts into" or len(scan.types) != 1 or not isinstance(scan.keys, Match):
        return None
    choices = scan.keys.columns[0]
    if len(choices) != 1 or len(choices[0]) != 1:
        return None
    candidate = choices[0][0]
    if not isinstance(candidate, Value) or not isinstance(candidate.expr, Parameter):
        return None
    if candidate.type != scan.types[0]:
        return None
    return Quick(candidate.expr.index - 1, scan.types[0], (scan.types[0],))


def _finished(plan: Plan, places: Places, draft: _Draft) -> Plan:
    """The plan with what happens if several shards are needed: a fragment and its finish, or the refusal."""
    if draft.alone is not None:
        return _refused(plan, draft.alone)
    try:
        if draft.catalogues:
            raise Refused(refuse("catalogue", str(draft.catalogues[0])))
        if has_parts(plan.statement.tree) and not plan.fixed and not plan.key_changes:
            return flowing(plan, places, _elsewhere(plan, places))
        if draft.copies:
            return alike(plan, places, _elsewhere(plan, places))
        if plan.fixed:
            raise Refused(_single_apart(plan, places))
        if plan.key_changes:
            return relocating(plan, places)
        if plan.statement.kind is Kind.WRITE:
            return spread(plan, places)
        if any(effect.kind == "locking" for effect in plan.statement.effects):
            return lock(plan, places)
        return scatter(plan, places)
    except Refused as refusal:
        otherwise = _otherwise(plan, places)
        if otherwise is not None:
            return otherwise
        refused = _refused(plan, refusal.error)
        return bringing(refused, places) if plan.statement.read_only else refused


def _refused(plan: Plan, error: Error) -> Plan:
    reason = Reason("plan.scatter", f"over several shards it is refused: {error.message}")
    return replace(plan, refusal=error, reasons=(*plan.reasons, reason))


def _building(places: Places) -> Callable[[Statement], Plan]:
    """How a query that is a part of the statement is planned."""
    return lambda statement: build(statement, places.schema, places.domain)


def _otherwise(plan: Plan, places: Places) -> Plan | None:
    """How a write that the shards cannot do each for itself is done all the same; None where it is not."""
    tree = plan.statement.tree
    try:
        if has_parts(tree):
            return _relaying(plan, places, always=False)
        if may_deliver(tree, places):
            return delivering(plan, places, _building(places))
        return supplying(plan, places, _building(places)) if may_supply(tree, places) else None
    except Refused:
        return None


def _elsewhere(plan: Plan, places: Places) -> list[TableName]:
    """The tables of a statement that not every shard has whole."""
    tree = plan.statement.tree
    assert tree is not None
    return [name for name in _tables(tree) if not isinstance(places.of(name), Copied)]


def _single_apart(plan: Plan, places: Places) -> Error:
    tree = plan.statement.tree
    assert tree is not None
    name = next((name for name in _tables(tree) if isinstance(places.of(name), Single)), "a table")
    return refuse("single apart", str(name), ", ".join(plan.fixed))
