"""What the runtime does otherwise for another engine: one record for each, looked up once for a domain."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from outgrow import ledger, sqlfile, transactions
from outgrow.errors import NotSupportedError
from outgrow.nodes import Asked
from outgrow.runtime import generation, leaving
from outgrow.runtime.generation import Questions
from outgrow.runtime.transaction.branch import MariadbBranch, PostgresBranch
from outgrow.statement import DefinitionFacts, Kind, Statement, definition_facts, mariadb_facts, name_sql
from outgrow.topology import TableName
from outgrow.transactions import ServerShards, TransactionId, Wires
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState
    from outgrow.runtime.footing import Footing


class Engine(NamedTuple):
    questions: Questions
    #: What is made of another engine's SQL, and not there yet.
    lacks: frozenset[str]
    #: A name as SQL, for savepoints; and a table.
    quoted: Callable[[str], str]
    table: Callable[[TableName], str]
    #: The server's own sequence of that name, as the ledger asks for its place.
    sequence: Callable[[TableName], str]
    #: Asks whether a table or view of that name is there: a row where it is.
    present: Callable[[TableName], Asked]
    #: What a DDL text says; and whether the server commits DDL by itself, and with which first words also other things.
    facts: Callable[[str], DefinitionFacts]
    commits_ddl: bool
    committing: frozenset[str]
    branch: type[PostgresBranch] | type[MariadbBranch]
    #: What a branch begins with: what the session said, the shard, and the name where it has one from the beginning.
    beginning: Callable[[str, str, TransactionId | None], list[str]]
    #: Branches have their transaction's name from the beginning; then the first one decides.
    named_early: bool
    #: The domain, its shards, and how to connect to them, as the kernel of atomic commit sees them.
    shards: Callable[[str, Sequence[str], Wires], ServerShards]
    #: Waits until a shard's primary shows what the session has seen on a replica.
    leave_steps: Callable[[DomainState, str, Footing, float | None], Steps[None]]
    #: A coordinator of the application's can decide its transactions.
    foreign: bool = False
    #: Its servers tell who waits for whom.
    tells_waits: bool = False


#: What an engine may lack.
OWN_NUMBERS = "a number of one shard's own"

#: First words of statements that commit the transaction they stand in.
_COMMITTING = frozenset(
    (
        "ALTER ANALYZE BEGIN CACHE CHANGE CHECK CREATE DROP FLUSH GRANT INSTALL LOCK OPTIMIZE RENAME REPAIR RESET "
        "REVOKE SET START STOP TRUNCATE UNINSTALL UNLOCK XA"
    ).split()
)
_PRESENT = sqlfile.load("outgrow.runtime")["present"]


def _postgres_table(table: TableName) -> str:
    return f"{name_sql(table.schema)}.{name_sql(table.name)}"


def _mariadb_name(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


_ENGINES = {
    "postgresql": Engine(
        questions=generation.POSTGRESQL,
        lacks=frozenset(),
        quoted=lambda name: '"' + name.replace('"', '""') + '"',
        table=_postgres_table,
        sequence=_postgres_table,
        present=lambda table: (_PRESENT, [[_postgres_table(table)]]),
        facts=definition_facts,
        commits_ddl=False,
        committing=frozenset(),
        branch=PostgresBranch,
        beginning=lambda begin, shard, id: [begin],
        named_early=False,
        shards=transactions.postgres_shards,
        leave_steps=leaving.postgres_steps,
        foreign=True,
        tells_waits=True,
    ),
    "mariadb": Engine(
        questions=generation.MARIADB,
        lacks=frozenset((OWN_NUMBERS,)),
        quoted=_mariadb_name,
        table=lambda table: _mariadb_name(table.name),
        # It has the name of its table and of the column.
        sequence=lambda sequence: "'" + sequence.schema.replace("\\", "\\\\").replace("'", "''") + "'",
        present=lambda table: (ledger.queries("mariadb")["present"], [json.dumps([table.name])]),
        facts=lambda sql: mariadb_facts(sql) or DefinitionFacts(),
        commits_ddl=True,
        committing=_COMMITTING,
        branch=MariadbBranch,
        beginning=transactions.beginning,
        named_early=True,
        shards=transactions.mariadb_shards,
        leave_steps=leaving.mariadb_steps,
    ),
}


def engine_of(name: str) -> Engine:
    return _ENGINES[name]


def check_keeps(engine: Engine, statement: Statement) -> None:
    """Inside of a transaction: the statement does not commit it unseen."""
    by_itself = statement.kind in (Kind.DDL, Kind.OPAQUE) or statement.command == "TRUNCATE"
    if not by_itself or not engine.committing:
        return
    word = statement.command.partition(" ")[0]
    if word in engine.committing:
        raise NotSupportedError(
            "OG-RUN-087",
            f"{word} would commit the transaction it stands in, and could not be undone",
            cure="run it outside of the transaction",
        )


def check_has(engine: Engine, domain: str, what: str) -> None:
    """`what` is one of the above."""
    if what in engine.lacks:
        raise NotSupportedError(
            "OG-RUN-086",
            f"{what} is not to be had in the domain {domain} with its engine",
            cure="let the INSERT draw it; what this engine has is in docs/mariadb.md",
        )
