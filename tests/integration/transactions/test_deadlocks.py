"""Deadlocks over shards, between processes too: the youngest gives up, the others go on; a mere wait is no deadlock."""

from __future__ import annotations

import asyncio
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

import pytest

import outgrow
from outgrow import Fleet, Session, local
from outgrow.runtime.transaction import waiting
from outgrow.topology import Topology
from outgrow.transactions import deadlocks
from tests.integration.transactions.coordinators import UPDATE, child


def _crossing(topology: Topology, keys: tuple[int, int], end: Connection) -> None:
    """In the child: update one, tell, wait for the word, update the other, commit; tell how it ended, and when."""
    with outgrow.open(topology) as fleet, fleet.session() as session:
        session.execute("BEGIN")
        session.execute(UPDATE, [1, keys[0]])
        end.send("has")
        end.recv()
        started = time.monotonic()
        try:
            session.execute(UPDATE, [-1, keys[1]])
            session.execute("COMMIT")
            end.send(("committed", None, "", time.monotonic() - started))
        except outgrow.Error as error:
            session.execute("ROLLBACK")
            end.send((error.code, error.sqlstate, error.message, time.monotonic() - started))
        end.recv()


def test_the_youngest_of_two_gives_up(fleet: Fleet, keys: tuple[int, int]) -> None:
    elder = child(_crossing, fleet.topology, keys)
    younger = child(_crossing, fleet.topology, keys[::-1])
    with elder as (_, first):
        assert first.recv() == "has"
        with younger as (_, second):
            assert second.recv() == "has"
            first.send("go")
            second.send("go")
            code, sqlstate, message, seconds = second.recv()
            assert (code, sqlstate) == ("OG-TX-063", "40P01")
            assert "s1 for accounts" in message and "s2 for accounts" in message
            assert seconds < waiting.LOOK_SECONDS + 4
            assert first.recv()[0] == "committed"
            first.send("end")
            second.send("end")


def crossed(first: Session, second: Session, keys: tuple[int, int]) -> list[Any]:
    """Two transactions of this process in each other's way; how each ended."""
    ends: list[Any] = [None, None]
    barrier = threading.Barrier(2)

    def work(at: int, session: Session, mine: tuple[int, int]) -> None:
        try:
            with session.transaction():
                session.execute(UPDATE, [1, mine[0]])
                barrier.wait(20)
                session.execute(UPDATE, [-1, mine[1]])
            ends[at] = "committed"
        except outgrow.Error as error:
            ends[at] = error.code

    threads = [
        threading.Thread(target=work, args=(at, session, keys if at == 0 else keys[::-1]))
        for at, session in enumerate((first, second))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return ends


@pytest.mark.long
def test_without_looks_the_lock_timeout_ends_it(
    fleet: Fleet, keys: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the looks are good for: without them both wait for ten seconds."""
    monkeypatch.setattr(deadlocks, "cycle", lambda before, after, presence: ())
    with fleet.session() as first, fleet.session() as second:
        started = time.monotonic()
        ends = crossed(first, second, keys)
        assert "OG-TX-008" in ends
        assert time.monotonic() - started > 9


@pytest.mark.long
def test_branches_that_do_not_show_whose_they_are(
    fleet: Fleet, keys: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first branch of each has nothing to show before somebody looks."""
    monkeypatch.setattr(waiting._Watch, "_show_steps", lambda self: iter(()))
    with fleet.session() as first, fleet.session() as second:
        assert "OG-TX-008" in crossed(first, second, keys)


def test_a_wait_is_no_deadlock(fleet: Fleet, keys: tuple[int, int]) -> None:
    """A row that somebody holds for seconds, and who waits for it goes on."""
    ends = []

    def wait(at: int) -> None:
        with fleet.session() as session, session.transaction():
            session.execute(UPDATE, [0, keys[0] if at else 39])
            session.execute(UPDATE, [1, keys[1]])
        ends.append(at)

    with fleet.session() as holder, holder.transaction():
        holder.execute(UPDATE, [1, keys[1]])
        waiters = [threading.Thread(target=wait, args=(at,)) for at in range(2)]
        for waiter in waiters:
            waiter.start()
        time.sleep(4 * waiting.LOOK_SECONDS)
        assert ends == []
    for waiter in waiters:
        waiter.join(30)
    assert sorted(ends) == [0, 1]


def test_several_shards_at_once_wait_and_are_found(fleet: Fleet, keys: tuple[int, int]) -> None:
    """One statement on both shards: a wait of its own on each, looked at by each."""
    with fleet.session() as holder, fleet.session() as session:
        ends: list[Any] = []

        def work() -> None:
            try:
                with session.transaction():
                    session.execute(UPDATE, [1, keys[0]])
                    session.execute("UPDATE accounts SET amount = amount WHERE account >= 0")
                ends.append("committed")
            except outgrow.Error as error:
                ends.append(error.code)

        holder.execute("BEGIN")
        holder.execute(UPDATE, [1, keys[1]])
        waiter = threading.Thread(target=work)
        waiter.start()
        time.sleep(2.5 * waiting.LOOK_SECONDS)
        assert ends == []
        # It began last, and now waits for itself.
        holder.execute(UPDATE, [1, keys[0]])
        holder.execute("COMMIT")
        waiter.join(30)
        assert ends == ["OG-TX-063"]


def test_one_that_is_on_one_shard_only_may_stand_between(fleet: Fleet, keys: tuple[int, int]) -> None:
    """One waits for a stranger, who waits for the other, who waits for the one."""
    other = keys[1] + 1
    while fleet.explain(UPDATE, [0, other]).to_dict()["shards"]["shards"] != ["s2"]:
        other += 1
    ends: dict[str, Any] = {}
    ready = threading.Barrier(3)

    def work(name: str, *accounts: int) -> None:
        try:
            with fleet.session() as session, session.transaction():
                session.execute(UPDATE, [0, accounts[0]])
                ready.wait(20)
                time.sleep(0.2)
                for account in accounts[1:]:
                    session.execute(UPDATE, [0, account])
            ends[name] = "committed"
        except outgrow.Error as error:
            ends[name] = error.code

    threads = [
        threading.Thread(target=work, args=("one", keys[0], other)),
        threading.Thread(target=work, args=("between", other, keys[1])),
        threading.Thread(target=work, args=("two", keys[1], keys[0])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert ends.pop("between") == "committed"
    assert sorted(ends.values()) == ["OG-TX-063", "committed"]


def test_run_does_it_again(fleet: Fleet, keys: tuple[int, int]) -> None:
    """Both come through, however often they meet."""
    tries: list[int] = []
    barrier = threading.Barrier(2)

    def run(mine: tuple[int, int]) -> None:
        met = False

        def work(session: Session) -> str:
            nonlocal met
            tries.append(1)
            session.execute(UPDATE, [1, mine[0]])
            if not met:
                met = True
                barrier.wait(20)
            session.execute(UPDATE, [-1, mine[1]])
            return "done"

        assert fleet.run(work) == "done"
        tries.append(100)

    threads = [threading.Thread(target=run, args=(mine,)) for mine in (keys, keys[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    assert sum(tries) == 203
    # (Replicas get one shard's part before the other's.)
    with fleet.session(level="strong") as session:
        assert session.execute("SELECT sum(amount) FROM accounts").fetchall()[0][0] == 4000


def test_run_gives_up_what_does_not_help(fleet: Fleet) -> None:
    calls = []

    def work(session: Session) -> None:
        calls.append(1)
        session.execute("INSERT INTO accounts VALUES (1, 1)")

    with pytest.raises(outgrow.IntegrityError):
        fleet.run(work)
    assert len(calls) == 1


def test_three_shards_three_transactions() -> None:
    with local.temporary(shards=3) as (_, directory), outgrow.open(directory / "fleet.yaml", install=True) as fleet:
        fleet.place("accounts", shard_by="account")
        fleet.execute("CREATE TABLE accounts (account int8 PRIMARY KEY, amount int8 NOT NULL)")
        placed: dict[str, int] = {}
        for account in range(1, 41):
            fleet.execute("INSERT INTO accounts VALUES (%s, 100)", [account])
            (shard,) = fleet.explain(UPDATE, [0, account]).to_dict()["shards"]["shards"]
            placed.setdefault(shard, account)
        one, two, three = placed.values()
        ends: list[str] = []
        ready = threading.Barrier(3)

        def work(mine: int, others: int) -> None:
            try:
                with fleet.session() as session, session.transaction():
                    session.execute(UPDATE, [0, mine])
                    ready.wait(20)
                    session.execute(UPDATE, [0, others])
                ends.append("committed")
            except outgrow.Error as error:
                ends.append(error.code)

        pairs = ((one, two), (two, three), (three, one))
        threads = [threading.Thread(target=work, args=pair) for pair in pairs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(ends) == ["OG-TX-063", "committed", "committed"]


def test_run_async(fleet: Fleet) -> None:
    calls = []

    async def work(session: outgrow.AsyncSession) -> int:
        calls.append(1)
        if len(calls) < 3:
            raise outgrow.OperationalError("OG-TX-063", "a deadlock", cure="again", sqlstate="40P01")
        return (await session.execute("SELECT 1")).fetchall()[0][0]

    assert asyncio.run(fleet.run_async(work)) == 1
    assert len(calls) == 3
