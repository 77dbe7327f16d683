"""Which anomalies each isolation level lets through, on one shard and over two: the table of docs/consistency.md.

The schedules are Hermitage's (Kleppmann), with accounts in place of its table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Waiting
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest

import outgrow
from outgrow import Fleet
from outgrow.transactions import Commit
from tests.integration.transactions.test_atomic_reads import finish

WAITS_SECONDS = 0.3


class Keys(NamedTuple):
    """Two accounts with 10 and 20, and two that are not there yet, beside the first and beside the second."""

    x: int
    y: int
    by_x: int
    by_y: int


class Client:
    """One session in a thread of its own, so that it may wait."""

    def __init__(self, fleet: Fleet, atomic: bool, stack: ExitStack) -> None:
        self._thread = stack.enter_context(ThreadPoolExecutor(1))
        self._session = stack.enter_context(fleet.session(level="strong", atomic_reads=atomic))
        self.failed: str | None = None

    def start(self, sql: str, *params: Any) -> Future[list[tuple[Any, ...]]]:
        return self._thread.submit(self._run, sql, params)

    def _run(self, sql: str, params: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        if self.failed is not None and sql != "COMMIT":
            return []
        try:
            result = self._session.execute("ROLLBACK" if self.failed is not None else sql, list(params) or None)
            return result.fetchall() if result.columns else []
        except outgrow.Error as error:
            assert error.sqlstate == "40001", error
            self.failed = error.sqlstate
            return []

    def do(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        return self.start(sql, *params).result(20)

    def get(self, *keys: int) -> list[int]:
        return [self.do("SELECT amount FROM accounts WHERE account = %s", key)[0][0] for key in keys if not self.failed]

    def put(self, key: int, amount: int) -> None:
        self.do(*_put(key, amount))

    def start_put(self, key: int, amount: int) -> Future[Any]:
        """An update that has to wait for somebody's lock."""
        future = self.start(*_put(key, amount))
        with pytest.raises(Waiting):
            future.result(WAITS_SECONDS)
        return future


def _put(key: int, amount: int) -> tuple[Any, ...]:
    return "UPDATE accounts SET amount = %s WHERE account = %s", amount, key


Clients = tuple[Client, Client, Client]


def g0(clients: Clients, k: Keys) -> bool:
    one, two, _ = clients
    one.put(k.x, 11)
    waiting = two.start_put(k.x, 12)
    one.put(k.y, 21)
    one.do("COMMIT")
    waiting.result(20)
    two.put(k.y, 22)
    two.do("COMMIT")
    return one.get(k.x, k.y) not in ([11, 21], [12, 22])


def g1a(clients: Clients, k: Keys) -> bool:
    one, two, _ = clients
    one.put(k.x, 101)
    seen = two.get(k.x, k.y)
    one.do("ROLLBACK")
    seen += two.get(k.x, k.y)
    two.do("COMMIT")
    return 101 in seen


def g1b(clients: Clients, k: Keys) -> bool:
    one, two, _ = clients
    one.put(k.x, 101)
    seen = two.get(k.x, k.y)
    one.put(k.x, 11)
    one.do("COMMIT")
    seen += two.get(k.x, k.y)
    two.do("COMMIT")
    return 101 in seen


def g1c(clients: Clients, k: Keys) -> bool:
    one, two, _ = clients
    one.put(k.x, 11)
    two.put(k.y, 22)
    seen = one.get(k.y) + two.get(k.x)
    one.do("COMMIT")
    two.do("COMMIT")
    return seen == [22, 11]


def otv(clients: Clients, k: Keys, recover: Callable[[], None] = lambda: None) -> bool:
    """One's commit is decided; over shards the other shard has not heard of it yet."""
    one, _, three = clients
    one.put(k.x, 11)
    one.put(k.y, 19)
    one.do("COMMIT")
    first = three.start("SELECT amount FROM accounts WHERE account = %s", k.y)
    try:
        first.result(2 * WAITS_SECONDS)
    except Waiting:
        recover()
    seen = [first.result(20)[0][0], *three.get(k.x)]
    three.do("COMMIT")
    recover()
    return seen not in ([20, 10], [19, 11])


def pmp(clients: Clients, k: Keys) -> bool:
    one, two, _ = clients
    assert one.do("SELECT account FROM accounts WHERE account = %s AND amount = 30", k.x) == []
    two.do("INSERT INTO accounts VALUES (%s, 30)", k.by_y)
    two.do("COMMIT")
    sql = "SELECT account FROM accounts WHERE account IN (%s, %s, %s) AND amount %% 3 = 0"
    found = one.do(sql, k.x, k.y, k.by_y)
    one.do("COMMIT")
    return found == [(k.by_y,)]


def p4(clients: Clients, k: Keys) -> bool:
    one, two, _ = clients
    one.get(k.x)
    two.get(k.x)
    one.put(k.x, 11)
    waiting = two.start_put(k.x, 11)
    one.do("COMMIT")
    waiting.result(20)
    two.do("COMMIT")
    return two.failed is None


def g_single(clients: Clients, k: Keys) -> bool:
    one, two, _ = clients
    one.get(k.x)
    two.get(k.x, k.y)
    two.put(k.x, 12)
    two.put(k.y, 18)
    two.do("COMMIT")
    seen = one.get(k.y)
    one.do("COMMIT")
    return seen == [18]


def g2_item(clients: Clients, k: Keys) -> bool:
    one, two, _ = clients
    one.get(k.x, k.y)
    two.get(k.x, k.y)
    one.put(k.x, 11)
    two.put(k.y, 21)
    one.do("COMMIT")
    two.do("COMMIT")
    return one.failed is None and two.failed is None


def g2(clients: Clients, k: Keys) -> bool:
    one, two, _ = clients
    for client in (one, two):
        sql = "SELECT account FROM accounts WHERE account IN (%s, %s, %s, %s) AND amount %% 3 = 0"
        assert client.do(sql, *k) == []
    one.do("INSERT INTO accounts VALUES (%s, 30)", k.by_x)
    two.do("INSERT INTO accounts VALUES (%s, 42)", k.by_y)
    one.do("COMMIT")
    two.do("COMMIT")
    return one.failed is None and two.failed is None


SCHEDULES: dict[str, Callable[..., bool]] = {
    "G0": g0,
    "G1a": g1a,
    "G1b": g1b,
    "G1c": g1c,
    "OTV": otv,
    "PMP": pmp,
    "P4": p4,
    "G-single": g_single,
    "G2-item": g2_item,
    "G2": g2,
}
#: (level, over shards, atomic_reads) → what is let through; everything else is not.
ALLOWED: dict[tuple[str, bool, bool], set[str]] = {
    ("READ COMMITTED", False, False): {"PMP", "P4", "G-single", "G2-item", "G2"},
    ("REPEATABLE READ", False, False): {"G2-item", "G2"},
    ("SERIALIZABLE", False, False): set(),
    ("READ COMMITTED", True, False): {"OTV", "PMP", "P4", "G-single", "G2-item", "G2"},
    ("REPEATABLE READ", True, False): {"OTV", "PMP", "G-single", "G2-item", "G2"},
    ("SERIALIZABLE", True, False): {"OTV", "PMP", "G-single", "G2-item", "G2"},
    ("REPEATABLE READ", True, True): {"G2-item", "G2"},
    ("SERIALIZABLE", True, True): {"G2-item", "G2"},
}


@pytest.fixture
def at(fleet: Fleet) -> Iterator[Callable[[bool], Keys]]:
    """Keys on one shard, or on two."""
    placed: dict[str, list[int]] = {}
    for account in range(1, 81):
        (shard,) = fleet.explain("SELECT * FROM accounts WHERE account = %s", [account]).to_dict()["shards"]["shards"]
        placed.setdefault(shard, []).append(account)

    def keys(over: bool) -> Keys:
        first, second = placed["s1"], placed["s2"] if over else placed["s1"]
        return Keys(first[0], second[1], first[-1], second[-2])

    yield keys


@pytest.mark.parametrize(("level", "over", "atomic"), list(ALLOWED))
def test_what_a_level_lets_through(
    level: str, over: bool, atomic: bool, fleet: Fleet, at: Callable[[bool], Keys], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, seen = at(over), set()
    monkeypatch.setattr(next(iter(fleet._states.values())), "need_recovery", lambda: None)
    for name, schedule in SCHEDULES.items():
        with fleet.session() as session, session.transaction():
            session.execute("DELETE FROM accounts WHERE account > 40")
            session.execute("UPDATE accounts SET amount = 10 WHERE account = %s", [keys.x])
            session.execute("UPDATE accounts SET amount = 20 WHERE account = %s", [keys.y])
        with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
            clients = tuple(Client(fleet, atomic, stack) for _ in range(3))
            for client in clients:
                client.do(f"BEGIN ISOLATION LEVEL {level}")
            if name == "OTV" and over:
                patch.setattr(Commit, "_phase_two_steps", lambda self, others: iter(()))
                found = schedule(clients, keys, lambda: finish(fleet))
            else:
                found = schedule(clients, keys)
            if found:
                seen.add(name)
    assert seen == ALLOWED[level, over, atomic]
