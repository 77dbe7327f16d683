from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from outgrow.nodes import Link, LinkSettings, Pool, drive, link_steps
from outgrow.topology import Node, PoolLimits, Role
from tests.integration.nodes.server import Server


def node_of(dsn: str) -> Node:
    return Node("sales/s1/primary", "sales", "s1", Role.PRIMARY, dsn, "127.0.0.1")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    started = Server()
    try:
        with psycopg.connect(started.dsn(), autocommit=True) as connection:
            connection.execute("CREATE ROLE guarded LOGIN PASSWORD 'open sesame'")
            connection.execute("CREATE TYPE mood AS ENUM ('sad', 'happy')")
            connection.execute("CREATE TYPE pair AS (a int, b text)")
            connection.execute("CREATE DOMAIN positive AS int CHECK (VALUE > 0)")
            connection.execute("CREATE TABLE things (id int8 PRIMARY KEY, name text NOT NULL, size int2)")
            connection.execute("CREATE TABLE parts (id int PRIMARY KEY, thing int8 REFERENCES things, n positive)")
        yield started
    finally:
        started.remove()


@pytest.fixture
def node(server: Server) -> Node:
    return node_of(server.dsn())


@pytest.fixture
def link(node: Node) -> Iterator[Link]:
    opened = drive(link_steps(node, LinkSettings()))
    yield opened
    opened.close()


@pytest.fixture
def pool(node: Node) -> Iterator[Pool]:
    opened = Pool(node, PoolLimits(size_max=4, wait_timeout_seconds=5))
    yield opened
    opened.close()


@pytest.fixture
def admin(server: Server) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("TRUNCATE things, parts")
        yield connection
