"""Emptying the databases that a test has used, so that the next one need not wait for new ones."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from outgrow import sqlfile

if TYPE_CHECKING:
    from tests.servers import Servers

_SQL = sqlfile.parse(Path(__file__).with_name("databases.sql").read_text(encoding="utf-8"))


def emptied(servers: Servers, name: str) -> list[Any]:
    """What is left in the database of that name, on each shard, once all that can be dropped is dropped.

    Equal to what it says of new databases where they are as new; empty where a shard cannot say.
    """
    left: list[Any] = []
    for shard in servers.domain.shards:
        # Replicas first: whoever reads there would keep the replica from replaying what is dropped.
        for node in (*shard.replicas, shard.primary):
            with contextlib.suppress(psycopg.OperationalError):
                servers.sql(node, _SQL["disconnect"], [name], database="postgres")
        try:
            servers.sql(shard.primary, _SQL["empty"], database=name)
            left += servers.sql(shard.primary, _SQL["left"], database=name)
        except psycopg.Error:
            return []
    return left
