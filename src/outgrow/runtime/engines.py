"""What the runtime does otherwise for another engine: one record for each, looked up once for a domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from outgrow.errors import NotSupportedError
from outgrow.runtime import generation
from outgrow.runtime.generation import Questions


class Engine(NamedTuple):
    questions: Questions
    #: What is made of another engine's SQL, and not there yet.
    lacks: frozenset[str]
    #: Several shards that write can commit together.
    atomic: bool
    #: A name as SQL, for savepoints.
    quoted: Callable[[str], str]


#: What an engine may lack.
SEQUENCES, DEFINITIONS, COMPARISON, LOADS = "a fleet sequence", "recorded DDL", "a comparison of schemas", "a bulk load"
NEW_ID, RECOVERY, DOCTOR, PLACING = "new_id()", "recovery", "the doctor", "a placement in the ledger"

_ENGINES = {
    "postgresql": Engine(generation.POSTGRESQL, frozenset(), True, lambda name: '"' + name.replace('"', '""') + '"'),
    "mariadb": Engine(
        generation.MARIADB,
        frozenset((SEQUENCES, DEFINITIONS, COMPARISON, LOADS, NEW_ID, RECOVERY, DOCTOR, PLACING)),
        False,
        lambda name: "`" + name.replace("`", "``") + "`",
    ),
}


def engine_of(name: str) -> Engine:
    return _ENGINES[name]


def check_has(engine: Engine, domain: str, what: str) -> None:
    """`what` is one of the above."""
    if what in engine.lacks:
        raise NotSupportedError(
            "OG-RUN-086",
            f"{what} is not there yet for the domain {domain}, whose engine has another SQL",
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
