"""Random statements on the shards of one real server, beside one database with all rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from psycopg.conninfo import make_conninfo

from tests.differential.statements import statement
from tests.integration.plan import narrowing
from tests.integration.plan.__main__ import judge
from tests.integration.plan.shards import Failure, OneServer, difference
from tests.servers import Servers

SEED = 20240611


@pytest.fixture(scope="module")
def dsn(fleet_servers: Servers) -> str:
    node = fleet_servers.domain.shards[0].primary
    return make_conninfo(node.dsn, user="postgres", password="", host=fleet_servers.sockets, dbname="postgres")


@pytest.fixture(scope="module")
def server(dsn: str) -> Iterator[OneServer]:
    server = OneServer(dsn, seed=SEED)
    yield server
    server.close()


def test_random_statements(server: OneServer) -> None:
    verdicts: Counter[str] = Counter()
    for number in range(400):
        case = statement(SEED, number)
        verdict, detail = judge(server, case)
        assert verdict != "wrong", f"{detail}: {case.render()}"
        verdicts[verdict] += 1
    assert verdicts["right"] > 200, verdicts


def test_narrowing(dsn: str) -> None:
    """Statements that are made to be wrong wherever narrowing goes too far."""
    server = OneServer(dsn, shards=4, seed=SEED, tables=narrowing.TABLES, rows=narrowing.rows)
    shards: Counter[int] = Counter()
    try:
        for number in range(500):
            text = narrowing.Narrowing(f"{SEED}/{number}").statement()
            answer = server.sharded(text, None)
            if isinstance(answer, Failure):
                assert answer.code.startswith("OG-PLAN-"), (answer, text)
                continue
            whole = server.one(text, None)
            assert not isinstance(whole, Failure), text
            wrong = difference(whole, answer, "none", (), None)
            assert wrong is None, f"{wrong} from {answer.shards}: {text}"
            shards[len(answer.shards)] += 1
    finally:
        server.close()
    assert shards[1] > 50, shards
    assert shards[4] > 50, shards
