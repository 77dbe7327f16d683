"""A fleet of two shards with people whose e-mail addresses are unique in the whole domain."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import outgrow
from outgrow import Fleet
from outgrow.topology import Sharded, TableName
from tests.servers import Servers

PEOPLE = "CREATE TABLE people (id int8 PRIMARY KEY, email text UNIQUE, tax numeric, land text, UNIQUE (land, tax))"


@pytest.fixture
def fleet(fleet_servers: Servers) -> Iterator[Fleet]:
    topology = fleet_servers.fresh({TableName("public", "people"): Sharded(("id",))})
    try:
        with outgrow.open(topology, install=True) as opened:
            with opened.session() as session:
                session.execute(PEOPLE)
            opened.unique().build("people", "email")
            yield opened
    finally:
        fleet_servers.drop(topology)
