"""DDL inside a transaction: on the branch of every shard, in order, and atomic with the rest of it.

Until the transaction ends nobody else may see what it defined, so our picture of the schema cannot know it either:
statements that name a table which this transaction has changed are refused, by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgrow import ledger, statement
from outgrow.errors import Error, NotSupportedError, OperationalError
from outgrow.nodes import Link
from outgrow.runtime.definitions import ddl, exclusive, new_tables, parts
from outgrow.runtime.definitions.observing import Seen, observe_steps
from outgrow.runtime.prepared import Prepared
from outgrow.runtime.result import Result
from outgrow.topology import TableName
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState
    from outgrow.runtime.transaction.branches import Transaction


def define_steps(
    state: DomainState, transaction: Transaction, prepared: Prepared, until: float | None
) -> Steps[Result]:
    """Run one DDL on every branch."""
    facts = statement.definition_facts(prepared.sql)
    if facts.alone:
        raise NotSupportedError(
            "OG-RUN-030",
            f"{prepared.statement.command} cannot run inside a transaction block",
            cure="run it outside the transaction",
            sqlstate="25001",
        )
    had = transaction.definitions
    try:
        return (yield from _on_branches_steps(state, transaction, prepared, facts, until))
    except BaseException as error:
        # Some branches have it and some not, or are in no state to go on: only a rollback makes them equal again.
        links = [branch.link for branch in transaction.branches.values()]
        if transaction.definitions > had or any(link.broken or link.in_failed_transaction for link in links):
            transaction.failed = transaction.failed or _failure(error)
        raise


def _failure(error: BaseException) -> Error:
    if isinstance(error, Error):
        return error
    return OperationalError("OG-RUN-061", "a DDL of the transaction was interrupted", cure="run the transaction again")


def _on_branches_steps(
    state: DomainState,
    transaction: Transaction,
    prepared: Prepared,
    facts: statement.DefinitionFacts,
    until: float | None,
) -> Steps[Result]:
    home = yield from transaction.link_steps(state.picture.domain.home.name, True, until)
    yield from _lock_steps(state, home, until)
    domain = yield from ddl.known_steps(state, home)
    placements = domain.tables
    if facts.new_table is not None:
        placements = yield from new_tables.placed_steps(state, home, domain, facts.new_table, until)
    before = yield from observe_steps(home)
    _note(state, transaction, facts, before)
    transaction.definitions += 1
    nodes = []
    for shard in domain.shards:
        status = yield from _on_branch_steps(transaction, shard.name, prepared.sql, until)
        nodes.append(transaction.branches[shard.name].node.name)
    seen = before.compared(placements, (yield from observe_steps(home)), several=len(domain.shards) > 1)
    for old, new in seen.moved:
        yield from ledger.drop_placement_steps(home, state.name, old)
        if new is not None:
            transaction.defined.tables.add(new)
            yield from ledger.put_placement_steps(home, state.name, new, placements[old])
    return Result((), [], status, -1, tuple(nodes), seen.notices)


def _lock_steps(state: DomainState, home: Link, until: float | None) -> Steps[None]:
    """The domain's lock until the transaction ends; the first DDL of a transaction also looks for unfinished ones."""
    answer = yield from home.run_steps(ledger.queries()["definition_lock_in_block"], None, until=until)
    if not answer.rows[0][0]:
        raise (yield from exclusive.busy_steps(home))
    for definition in (yield from ledger.definitions_steps(home, state.name, ledger.UNFINISHED)):
        raise OperationalError(
            "OG-RUN-052",
            f"DDL {definition.number} ({ddl.shortened(definition.sql)}) was left unfinished",
            cure="run `outgrow schema resume`, or give it up: "
            f"`outgrow schema abandon {definition.number}`; then run the transaction again",
        )
    yield from ledger.raise_schema_epoch_steps(home, state.name)


def _on_branch_steps(transaction: Transaction, shard: str, sql: str, until: float | None) -> Steps[str]:
    """One branch's part, waiting for locks no longer than DDL may; the transaction's own limit holds again after it."""
    link = yield from transaction.link_steps(shard, True, until)
    answer = yield from link.run_steps("SHOW lock_timeout", None, until=until)
    yield from link.run_steps(parts.QUERIES["lock_timeout"], [f"{parts.LOCK_SECONDS * 1000:.0f}ms"], until=until)
    rows = yield from link.run_steps(sql, None, until=until, prepare=False)
    yield from link.run_steps(parts.QUERIES["lock_timeout"], [answer.rows[0][0]], until=until)
    status: str = rows.status
    return status


def _note(state: DomainState, transaction: Transaction, facts: statement.DefinitionFacts, before: Seen) -> None:
    defined = transaction.defined
    only = facts.only
    if only is None:
        defined.everything = True
        return
    schema = state.picture.schema
    names = [TableName(only[0], only[1])] if only[0] else [TableName(path, only[1]) for path in schema.search_path]
    defined.tables.update(names)
    if facts.new_table is None and not set(names) & set(before.tables.values()):
        # A view, a sequence, or a table that is not there: whatever it is, we do not know what hangs on it.
        defined.everything = True
