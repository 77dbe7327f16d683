"""ALTER … RESTART: it would set back the sequence of each shard, and leave the fleet's where it is."""

from __future__ import annotations

from itertools import pairwise

from outgrow.plan.numbers.ids import own_shard
from outgrow.plan.placing import Copied, Places, Sharded
from outgrow.plan.refusals import refuse
from outgrow.statement.lexer import Lex, lex, significant
from outgrow.statement.model import Statement
from outgrow.topology import TableName

#: What stands before a name, so that a column or table called restart is no RESTART.
_NAMING = frozenset(("alter", "column", "add", "drop", "to", "rename", "constraint", "exists", "sequence", "only", "."))


def check_restart(statement: Statement, places: Places) -> None:
    """Raises the refusal; a sequence that only single tables draw from is its shard's own business."""
    if statement.command not in ("ALTER SEQUENCE", "ALTER TABLE") or not any(
        _belongs_to_the_fleet(name, places) for name in statement.writes
    ):
        return
    tokens = significant(lex(statement.sql))
    for before, token in pairwise(tokens):
        if token.kind is Lex.WORD and token.value == "restart" and before.value not in _NAMING:
            raise refuse("restart", ", ".join(map(str, statement.writes)))


def _belongs_to_the_fleet(name: TableName, places: Places) -> bool:
    if name in places.schema.sequences:
        return own_shard(name, places) is None
    return isinstance(places.of(name), Sharded | Copied)
