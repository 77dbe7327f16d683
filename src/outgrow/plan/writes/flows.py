"""A statement with several writing parts: WITH … AS (DELETE … RETURNING …) INSERT …

All parts see the same rows, those from before the statement, and know of each other only what RETURNING hands on.  So
where each part is proved to stay with its shard, rows handed on included, every shard can run the whole statement for
its own rows; and where all parts write copied tables, all shards run it alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from outgrow.plan.blocks import Ctes, Shared, first_items
from outgrow.plan.cutting.scatter import gathered
from outgrow.plan.cutting.vetting import vet_change
from outgrow.plan.model import Plan
from outgrow.plan.narrowing.keyset import Everything
from outgrow.plan.placing import Places
from outgrow.plan.refusals import Refused, refused
from outgrow.plan.rendering import fragment
from outgrow.plan.spec import Finish, Output, Position
from outgrow.plan.writes.alike import checked
from outgrow.plan.writes.change import Change, Gather, GivenRows
from outgrow.plan.writes.changing import check_literals, check_triggers, per_row, prove, returned, told, with_defaults
from outgrow.plan.writes.moments import Once
from outgrow.plan.writes.rowwise import given_below
from outgrow.plan.writes.written import Write, writing_parts
from outgrow.schema import Table
from outgrow.statement import render
from outgrow.statement.tree import Delete, Insert, Query, Tree, Update, Values
from outgrow.topology import Copied, Sharded, TableName


def has_parts(tree: Tree | None) -> bool:
    """Something under WITH writes."""
    with_ = getattr(tree, "with_", None)
    return with_ is not None and any(isinstance(cte.query, Insert | Update | Delete) for cte in with_.ctes)


def flowing(plan: Plan, places: Places, elsewhere: Sequence[TableName]) -> Plan:
    """The plan of a statement with writing parts; `elsewhere` are its tables that not every shard has whole."""
    tree = plan.statement.tree
    assert tree is not None
    written = [part.table for part in writing_parts(tree)]
    copied = [name for name in written if isinstance(places.of(name), Copied)]
    if tree.with_.recursive:
        raise _apart(plan, "WITH RECURSIVE")
    if copied and elsewhere:
        raise _apart(plan, f"{copied[0]} is copied to every shard, {elsewhere[0]} is not")
    return _alike(plan, tree, places) if copied else _spread(plan, tree, places)


def _apart(plan: Plan, why: str) -> Refused:
    return refused("parts apart", plan.statement.command, why)


def _rebuilt(tree: Tree, change: Callable[[Write], Write]) -> Tree:
    """The tree with each writing part changed."""
    with_ = tree.with_
    ctes = tuple(
        replace(cte, query=change(cte.query)) if isinstance(cte.query, Insert | Update | Delete) else cte
        for cte in with_.ctes
    )
    # Each kind of query is a dataclass, though `Query` is none.
    tree = replace(tree, with_=replace(with_, ctes=ctes))  # type: ignore[type-var]
    return change(tree) if isinstance(tree, Insert | Update | Delete) else tree


# --- sharded tables ------------------------------------------------------------------------------------------------


def _spread(plan: Plan, tree: Tree, places: Places) -> Plan:
    once = Once(plan.statement.placeholders.count)
    tree = _rebuilt(
        once.moments(tree), lambda part: with_defaults(part, _table(part, places), once, places, copied=False)
    )
    evaluated: set[int] = set()
    for part in writing_parts(tree):
        table = _table(part, places)
        if not isinstance(places.of(part.table), Sharded):
            raise _apart(plan, f"{part.table} is not sharded")
        check_triggers(part, table)
        check_literals(part, table)
        evaluated |= per_row(part)
    vet_change(plan.statement, tree, evaluated)
    _prove_all(tree, places)
    given = _given(plan, tree, places)
    gather = Gather.FINISH if isinstance(tree, Query) else Gather.SUM
    change = Change(gather, tuple(once.sql), given, returns=len(getattr(tree, "returning", ())))
    plan = told(replace(plan, change=change), "each part stays with its shard, and so do the rows that it hands on")
    if isinstance(tree, Query):
        return gathered(plan, tree, places)
    assert isinstance(tree, Insert | Update | Delete)
    sql, params = fragment(tree)
    return replace(plan, fragment_sql=sql, fragment_params=params, finish=returned(tree))


def _given(plan: Plan, tree: Tree, places: Places) -> GivenRows | None:
    """Rows given under WITH, each for its own shard; None where there are none."""
    found = [
        part for part in writing_parts(tree) if isinstance(part, Insert) and isinstance(part.source, Values | None)
    ]
    if not found:
        return None
    cte = next((cte for cte in tree.with_.ctes if cte.query is found[0]), None)
    keyed = [scan for scan in plan.scans if scan.role == "inserts into" and not isinstance(scan.keys, Everything)]
    if len(found) > 1 or cte is None or found[0].source is None or len(keyed) > 1:
        raise _apart(plan, f"the rows given for {found[-1].table} could belong to several shards")
    if isinstance(tree, Query) and gathered(plan, tree, places).fragment_sql != render(tree):
        raise _apart(plan, "what it selects is put together from parts, beside rows that are given")
    return given_below(tree, cte.name, places)


def _table(part: Write, places: Places) -> Table:
    table = places.table(part.table)
    assert table is not None
    return table


def _prove_all(tree: Tree, places: Places) -> None:
    """Each writing part on its own; what it reads from the parts before it is proved along."""
    before: Ctes = {}
    for cte in tree.with_.ctes:
        if isinstance(cte.query, Insert | Update | Delete):
            prove(cte.query, places, before)
        before = {**before, cte.name: Shared(cte, None)}
    if isinstance(tree, Insert | Update | Delete):
        prove(tree, places, before)


# --- copied tables -------------------------------------------------------------------------------------------------


def _alike(plan: Plan, tree: Tree, places: Places) -> Plan:
    once = Once(plan.statement.placeholders.count)
    timed: set[int] = set()

    def change(part: Write) -> Write:
        part, found = checked(plan.statement, part, once, places)
        timed.update(found)
        return part

    tree = _rebuilt(once.moments(tree), change)
    if isinstance(tree, Query):
        vet_change(plan.statement, tree, ())
    sql, params = fragment(tree)
    names = [item.name for item in (first_items(tree) if isinstance(tree, Query) else tree.returning)]
    if "*" in names:
        raise refused("table form", "* of columns that outgrow does not know")
    finish = Finish(tuple(Output(name, Position(at)) for at, name in enumerate(names)), len(names), len(names))
    why = "every shard has copies of all the tables, and all of them change alike"
    done = Change(Gather.SAME, tuple(once.sql), timed=tuple(sorted(timed)), returns=len(finish.outputs))
    return told(replace(plan, fragment_sql=sql, fragment_params=params, change=done, finish=finish), why)
