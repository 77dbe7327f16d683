"""What the runtime does otherwise for another engine: one record for each, looked up once for a domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from outgrow.errors import NotSupportedError
from outgrow.runtime import generation
from outgrow.runtime.generation import Questions


class Engine(NamedTuple):
    questions: Questions
    #: Its databases hold a ledger: map, placements and epochs come from there.  Without one, from the file.
    ledger: bool
    #: Several shards that write can commit together.
    atomic: bool
    #: A name as SQL, for savepoints.
    quoted: Callable[[str], str]
    #: A coordinator of the application's can decide its transactions.
    foreign: bool = False


_ENGINES = {
    "postgresql": Engine(
        generation.POSTGRESQL, True, True, lambda name: '"' + name.replace('"', '""') + '"', foreign=True
    ),
    "mariadb": Engine(generation.MARIADB, False, False, lambda name: "`" + name.replace("`", "``") + "`"),
}


def engine_of(name: str) -> Engine:
    return _ENGINES[name]


def check_ledger(engine: Engine, domain: str, what: str) -> None:
    """`what` reads or writes a ledger, or asks servers in PostgreSQL's words."""
    if not engine.ledger:
        raise NotSupportedError(
            "OG-RUN-086",
            f"{what} is not there yet for the domain {domain}, whose engine has no ledger here",
            cure="use it with a PostgreSQL domain; what this engine has is in docs/mariadb.md",
        )


def check_writer(engine: Engine, shard: str, wrote: Sequence[str]) -> None:
    """Before `shard` writes in a transaction: no other shard may have, where they could not commit together."""
    others = [other for other in wrote if other != shard]
    if others and not engine.atomic:
        raise NotSupportedError(
            "OG-RUN-085",
            f"the transaction has written {others[0]} and would write {shard} too: they could not commit together",
            cure="write one shard in a transaction: this engine has no transaction over shards here yet",
            shard=shard,
        )
