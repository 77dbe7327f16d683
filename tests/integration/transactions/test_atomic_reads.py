"""Atomic reads on real servers: a transaction that one shard shows and the other not yet, read in every way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import outgrow
from outgrow import Fleet, Session
from outgrow.errors import NotSupportedError, OperationalError
from outgrow.nodes import Stream, drive
from outgrow.runtime.transaction import atomic
from outgrow.runtime.transaction.branches import Transaction
from outgrow.transactions import Commit, agreement
from tests.integration.transactions.test_commit import at_rest

TOTAL = 40 * 100
SUM = "SELECT sum(amount) FROM accounts"
#: Needs rows of several shards on one server.
BROUGHT = "SELECT sum(a.amount) FROM accounts a JOIN accounts b ON a.account = 41 - b.account"

Read = Callable[[Session], Any]


def scattered(session: Session) -> Any:
    return session.execute(SUM).fetchall()[0][0]


def brought(session: Session) -> Any:
    return session.execute(BROUGHT).fetchall()[0][0]


def streamed(session: Session) -> Any:
    return sum(row[0] for row in session.stream("SELECT amount FROM accounts", chunk_rows=3))


def streamed_brought(session: Session) -> Any:
    return sum(row[0] for row in session.stream(BROUGHT))


def in_snapshot(session: Session) -> Any:
    with session.transaction(read_only=True):
        first = scattered(session)
        assert brought(session) == streamed(session) == first
    return first


def in_repeatable_read(session: Session) -> Any:
    with session.transaction("REPEATABLE READ"):
        return scattered(session)


def copied_out(session: Session) -> Any:
    with session.transaction(read_only=True), session.copy("COPY accounts (amount) TO STDOUT") as copy:
        return sum(int(row[0]) for row in copy.rows())


READS: tuple[Read, ...] = (scattered, brought, streamed, streamed_brought, in_snapshot, in_repeatable_read, copied_out)


@contextmanager
def half_shown(
    fleet: Fleet, keys: tuple[int, int], patch: pytest.MonkeyPatch, make: Callable[..., None] | None = None
) -> Iterator[None]:
    """A transfer that is committed, decided on s2, and not yet confirmed by s1; recovery is asleep."""
    patch.setattr(fleet._states[next(iter(fleet._states))], "need_recovery", lambda: None)
    with pytest.MonkeyPatch.context() as stopped, fleet.session() as session:
        stopped.setattr(Commit, "_phase_two_steps", lambda self, others: iter(()))
        (make or transfer)(session, keys, 30)
    try:
        yield
    finally:
        finish(fleet)


def finish(fleet: Fleet) -> None:
    """As recovery does, which leaves alone what is younger than a second."""
    while fleet.recover().left:
        time.sleep(0.1)


def transfer(session: Session, keys: tuple[int, int], amount: int) -> None:
    with session.transaction():
        session.execute("UPDATE accounts SET amount = amount - %s WHERE account = %s", [amount, keys[0]])
        session.execute("UPDATE accounts SET amount = amount + %s WHERE account = %s", [amount, keys[1]])


@pytest.mark.parametrize("read", READS)
def test_a_half_shown_transaction_is_waited_for(
    read: Read, fleet: Fleet, keys: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with half_shown(fleet, keys, monkeypatch):
        # (A replica may not have heard yet that s2 has decided.)
        with fleet.session(level="strong") as naive:
            assert read(naive) == TOTAL + 30, "a naive read was not torn: the test shows nothing"
        recovering = threading.Thread(target=finish, args=(fleet,))
        recovering.start()
        with fleet.session(atomic_reads=True) as session:
            assert read(session) == TOTAL
            assert not session.in_transaction
            assert read(session) == TOTAL
        recovering.join()


def test_a_savepoint_that_is_open_hides_nothing(
    fleet: Fleet, keys: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stamps are then written by subtransactions, whose xids no snapshot lists."""

    def make(session: Session, keys: tuple[int, int], amount: int) -> None:
        session.execute("BEGIN")
        session.execute("SAVEPOINT one")
        session.execute("UPDATE accounts SET amount = amount - %s WHERE account = %s", [amount, keys[0]])
        session.execute("SAVEPOINT two")
        session.execute("UPDATE accounts SET amount = amount + %s WHERE account = %s", [amount, keys[1]])
        session.execute("COMMIT")

    monkeypatch.setattr(agreement, "AGREE_SECONDS", 0.3)
    with fleet.session(atomic_reads=True) as session:
        assert scattered(session) == TOTAL
        with half_shown(fleet, keys, monkeypatch, make), pytest.raises(OperationalError) as caught:
            scattered(session)
        assert caught.value.code == "OG-TX-060"
        assert scattered(session) == TOTAL


def test_what_never_ends_is_an_error(fleet: Fleet, keys: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "AGREE_SECONDS", 0.5)
    with half_shown(fleet, keys, monkeypatch), fleet.session(atomic_reads=True) as session:
        for read in READS:
            with pytest.raises(OperationalError) as caught:
                read(session)
            assert caught.value.code == "OG-TX-060" and caught.value.sqlstate == "40001"
            assert "s1" in caught.value.message
        # One shard alone has nothing to agree on.
        assert session.execute("SELECT amount FROM accounts WHERE account = %s", [keys[1]]).fetchall() == [(130,)]
    with fleet.session(atomic_reads=True) as session:
        assert scattered(session) == TOTAL


def savepoint_fails(session: Session) -> None:
    with pytest.raises(OperationalError) as caught, session.transaction():
        scattered(session)
    assert caught.value.code == "OG-TX-060"


def stream_fails(session: Session) -> None:
    with pytest.raises(OperationalError) as caught:
        streamed(session)
    assert caught.value.code == "OG-TX-060"


def interrupted(session: Session) -> None:
    """While it waits for snapshots that agree."""
    steps = session._conversation.execute_steps(SUM, None, None, None)
    due = time.monotonic() + 0.2

    def watched_steps() -> Any:
        past, wait = False, steps.send(None)
        while True:
            ready = yield wait
            if not past and time.monotonic() > due:
                past, wait = True, steps.throw(KeyboardInterrupt())
            else:
                wait = steps.send(ready)

    with pytest.raises(KeyboardInterrupt):
        drive(watched_steps())


@pytest.mark.parametrize("fail", [savepoint_fails, stream_fails, interrupted])
def test_snapshots_that_do_not_agree_are_read_by_nobody(
    fail: Callable[[Session], None], fleet: Fleet, keys: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes on in the same transaction gets new ones, or an error: never those."""
    monkeypatch.setattr(agreement, "AGREE_SECONDS", 0.5)
    with (
        half_shown(fleet, keys, monkeypatch),
        fleet.session(atomic_reads=True) as session,
        session.transaction("REPEATABLE READ"),
    ):
        session.execute("SAVEPOINT before")
        fail(session)
        session.execute("ROLLBACK TO before")
        with pytest.raises(OperationalError) as caught:
            scattered(session)
        assert caught.value.code == "OG-TX-060"
        session.execute("ROLLBACK TO before")
        finish(fleet)
        assert scattered(session) == brought(session) == TOTAL
    assert at_rest(fleet)


def test_a_shard_that_cannot_be_opened_leaves_nothing_open(
    fleet: Fleet, keys: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One branch is open when the other is refused: it is not forgotten when all are opened again."""
    opened, open_steps = [], Transaction._open_steps

    def refused_steps(self: Transaction, shard: str, until: float | None) -> Any:
        if shard == "s2" and not opened:
            opened.append(shard)
            raise OperationalError("OG-NODE-001", "no", cure="wait")
        yield from open_steps(self, shard, until)

    monkeypatch.setattr(Transaction, "_open_steps", refused_steps)
    with fleet.session(atomic_reads=True) as session, session.transaction("REPEATABLE READ"):
        session.execute("SAVEPOINT before")
        with pytest.raises(OperationalError):
            scattered(session)
        session.execute("ROLLBACK TO before")
        assert scattered(session) == TOTAL
    assert at_rest(fleet)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, OperationalError])
def test_a_stream_that_cannot_be_ended_leaves_nothing_open(
    kind: type[BaseException], fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    close_steps, closed = Stream.close_steps, []

    def refused_steps(self: Stream) -> Any:
        closed.append(self)
        if len(closed) == 1:
            raise OperationalError("OG-NODE-001", "no", cure="wait") if kind is OperationalError else kind()
        yield from close_steps(self)

    monkeypatch.setattr(Stream, "close_steps", refused_steps)
    with fleet.session(atomic_reads=True) as session:
        rows = session.stream("SELECT amount FROM accounts ORDER BY account", chunk_rows=3)
        assert next(rows) == (100,)
        with pytest.raises(kind):
            rows.close()
        assert at_rest(fleet)
        assert scattered(session) == TOTAL
    assert at_rest(fleet)


def test_stamps_not_compared_are_missed(fleet: Fleet, keys: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "lagging", lambda seen: {})
    with half_shown(fleet, keys, monkeypatch), fleet.session(atomic_reads=True) as session:
        assert scattered(session) == TOTAL + 30


def test_a_read_transaction_is_of_one_moment(fleet: Fleet, keys: tuple[int, int]) -> None:
    with fleet.session(atomic_reads=True) as reader, fleet.session() as writer:
        with reader.transaction(read_only=True):
            before = reader.execute("SELECT amount FROM accounts WHERE account = %s", [keys[0]]).fetchall()
            transfer(writer, keys, 7)
            writer.execute("UPDATE accounts SET amount = amount + 1 WHERE account = %s", [keys[1]])
            assert scattered(reader) == brought(reader) == TOTAL
            assert reader.execute("SELECT amount FROM accounts WHERE account = %s", [keys[0]]).fetchall() == before
        assert scattered(reader) == TOTAL + 1
        with pytest.raises(outgrow.Error) as caught, reader.transaction(read_only=True):
            reader.execute("DELETE FROM accounts WHERE account = %s", [keys[0]])
        assert caught.value.sqlstate == "25006"


def test_it_writes_in_repeatable_read(fleet: Fleet, keys: tuple[int, int]) -> None:
    with fleet.session(atomic_reads=True) as session, session.transaction("REPEATABLE READ"):
        transfer_in(session, keys)
        assert scattered(session) == TOTAL
    with fleet.session(atomic_reads=True) as session, fleet.session() as other:
        with pytest.raises(outgrow.Error) as caught, session.transaction("REPEATABLE READ"):
            assert scattered(session) == TOTAL
            transfer(other, keys, 1)
            transfer_in(session, keys)
        assert caught.value.sqlstate == "40001"


def transfer_in(session: Session, keys: tuple[int, int]) -> None:
    session.execute("UPDATE accounts SET amount = amount - 1 WHERE account = %s", [keys[0]])
    session.execute("UPDATE accounts SET amount = amount + 1 WHERE account = %s", [keys[1]])


@pytest.mark.parametrize(
    "asked",
    [
        lambda session: session.execute(SUM, allow_partial=True),
        lambda session: session.execute("SELECT account FROM accounts FOR UPDATE"),
        lambda session: session.execute("INSERT INTO accounts SELECT 1000 + account, amount FROM accounts"),
        lambda session: session.execute(
            "UPDATE accounts SET amount = (SELECT max(b.amount) FROM accounts b) WHERE account > 0"
        ),
        lambda session: session.copy("COPY accounts TO STDOUT").__enter__(),
        lambda session: in_read_committed(session),
        lambda session: stream_in_read_committed(session),
        lambda session: set_back(session),
    ],
)
def test_what_could_be_torn_is_refused(asked: Read, fleet: Fleet) -> None:
    with fleet.session(atomic_reads=True) as session:
        with pytest.raises(NotSupportedError) as caught:
            asked(session)
        assert caught.value.code == "OG-TX-061"
        assert scattered(session) == TOTAL
        # What only writes goes on as ever.
        assert session.execute("UPDATE accounts SET amount = amount").rowcount == 40


def in_read_committed(session: Session) -> Any:
    with session.transaction():
        return scattered(session)


def stream_in_read_committed(session: Session) -> Any:
    with session.transaction():
        return streamed(session)


def set_back(session: Session) -> Any:
    """The transaction's level is changed before its snapshots are taken."""
    with session.transaction("REPEATABLE READ"):
        session.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        return scattered(session)


def test_under_writers_and_with_the_gate(fleet: Fleet, keys: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Commits wait as soon as one try has not helped: nothing is torn, and nobody waits for ever."""
    monkeypatch.setattr(agreement, "TRIES_MAX", 1)
    gated = []
    close_steps = agreement.Agreement._close_gate_steps
    monkeypatch.setattr(
        agreement.Agreement, "_close_gate_steps", lambda self, limit: gated.append(1) or close_steps(self, limit)
    )
    until, failed, transfers = time.monotonic() + 4.0, [], [0, 0]

    def write(number: int) -> None:
        try:
            with fleet.session() as session:
                while time.monotonic() < until:
                    transfer(session, keys, 1 if transfers[number] % 2 else -1)
                    transfers[number] += 1
        except Exception as error:
            failed.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for writer in writers:
        writer.start()
    sums = set()
    with fleet.session(atomic_reads=True) as session:
        while time.monotonic() < until:
            sums.add(scattered(session))
    for writer in writers:
        writer.join(30)
    assert (sums, failed) == ({TOTAL}, [])
    assert gated and min(transfers) > 10


def test_a_sleeping_reader_does_not_keep_the_gate(fleet: Fleet, keys: tuple[int, int]) -> None:
    state = next(iter(fleet._states.values()))
    gate = atomic.gate_of(state)
    drive(gate.close_steps(["s1", "s2"], time.monotonic() + 5))
    try:
        started = time.monotonic()
        with fleet.session() as session:
            transfer(session, keys, 1)
        assert 0.5 < time.monotonic() - started < 6.0
    finally:
        gate.abandon()


def test_it_is_told_as_one_statement(fleet: Fleet) -> None:
    told: list[Any] = []
    end = fleet.subscribe(told.append)
    try:
        with fleet.session(atomic_reads=True) as session:
            for read in (scattered, brought, streamed):
                told.clear()
                read(session)
                names = [type(event).__name__ for event in told]
                assert names == ["StatementEnded"], names
                assert {visit.shard for visit in told[0].visits} == {"s1", "s2"}
    finally:
        end()
