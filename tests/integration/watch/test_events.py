"""What is told of statements, transactions and errors, on real servers."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Callable
from typing import Any

import pytest

import outgrow
from outgrow import Fleet, NodeLost, Observe
from outgrow.doors import dbapi
from outgrow.events import ErrorMet, Event, StatementEnded, TransactionBegan, TransactionEnded
from outgrow.moving import LoadOptions
from outgrow.runtime import asking
from outgrow.runtime.events import telling
from outgrow.waits import Steps

POINT = "SELECT name FROM customers WHERE customer_id = %s"
INSERT = "INSERT INTO customers VALUES (%s, %s)"


def key_on(fleet: Fleet, shard: str, start: int = 1) -> int:
    def of(key: int) -> list[str]:
        shards: list[str] = fleet.explain(POINT, [key]).to_dict()["shards"]["shards"]
        return shards

    return next(key for key in range(start, start + 100) if of(key) == [shard])


def statements(events: list[Event]) -> list[StatementEnded]:
    return [event for event in events if isinstance(event, StatementEnded)]


def only(events: list[Event]) -> StatementEnded:
    [event] = statements(events)
    return event


def test_a_read_of_one_key(fleet: Fleet, events: list[Event]) -> None:
    key = key_on(fleet, "s2")
    with fleet.session(level="strong") as session:
        session.execute(POINT, [key])
    told = only(events)
    assert told == events[0]
    assert (told.kind, told.command, told.domain, told.level) == ("query", "SELECT", "app", "strong")
    assert (told.shards, told.nodes, told.why, told.rows) == (("s2",), ("app/s2/primary",), "key", 1)
    assert told.fingerprint.text == "select name from customers where customer_id = ?"
    assert told.fingerprint.summary == "SELECT customers"
    assert told.fingerprint.id == fleet.explain(POINT, [key]).to_dict()["statement"]["fingerprint"]
    [visit] = told.visits
    assert (visit.shard, visit.node, visit.role, visit.why) == ("s2", "app/s2/primary", "primary", "strong")
    assert 0 <= visit.offset_seconds <= visit.offset_seconds + visit.seconds <= told.seconds < 5
    assert (told.error, told.transaction, told.parameters, told.batch) == (None, None, None, 0)


def test_replicas_are_named_with_their_role(fleet: Fleet, events: list[Event]) -> None:
    with fleet.session(level="eventual") as session:
        session.execute(POINT, [1])
    [visit] = only(events).visits
    assert (visit.role, visit.why) in {("replica", "eventual"), ("primary", "no-replica")}
    assert ("replica" in visit.node) == (visit.role == "replica")


def test_a_scatter_tells_each_shards_share(fleet: Fleet, events: list[Event]) -> None:
    with fleet.session(level="strong") as session:
        rows = session.execute("SELECT customer_id FROM customers").rowcount
    told = only(events)
    assert (told.shards, told.why, told.rows) == (("s1", "s2"), "scatter", rows)
    assert [visit.shard for visit in told.visits] == ["s1", "s2"]
    assert sum(visit.rows for visit in told.visits) == rows
    assert all(visit.rows > 0 and 0 < visit.seconds <= told.seconds for visit in told.visits)


def test_writes_and_their_transactions(fleet: Fleet, events: list[Event]) -> None:
    with fleet.session() as session:
        session.execute("UPDATE customers SET name = 'a' WHERE customer_id = %s", [key_on(fleet, "s1")])
        assert only(events).visits[0].why == "write"
        events.clear()
        session.execute("UPDATE customers SET name = 'b'")
    began, ended, told = events
    assert isinstance(began, TransactionBegan) and isinstance(ended, TransactionEnded)
    assert isinstance(told, StatementEnded)
    assert began.transaction == ended.transaction == told.transaction
    assert (ended.outcome, ended.shards, ended.pending, ended.in_statement) == ("committed", ("s1", "s2"), (), True)
    assert ended.id is not None and str(fleet.outcome(ended.id)) == "committed"
    assert (told.why, {visit.why for visit in told.visits}) == ("change", {"branch"})
    assert told.rows == sum(visit.rows for visit in told.visits) == 8


def test_transactions_of_the_application(fleet: Fleet, events: list[Event]) -> None:
    key = key_on(fleet, "s1")
    with fleet.session() as session:
        with session.transaction():
            session.execute(POINT, [key])
        with pytest.raises(RuntimeError), session.transaction():
            session.execute(POINT, [key])
            raise RuntimeError
        session.execute("BEGIN")
        session.execute(POINT, [key])
        session.execute("COMMIT")
    ended = [event for event in events if isinstance(event, TransactionEnded)]
    assert [event.outcome for event in ended] == ["committed", "rolled back", "committed"]
    assert {event.shards for event in ended} == {("s1",)}
    assert [event.in_statement for event in ended] == [False, False, True]
    assert all(0 <= event.seconds <= event.open_seconds for event in ended)
    began = [event.transaction for event in events if isinstance(event, TransactionBegan)]
    assert [event.transaction for event in ended] == began and len(set(began)) == 3
    reads = [event.transaction for event in statements(events) if event.kind == "query"]
    assert reads == began


def test_a_commit_that_fails(fleet: Fleet, events: list[Event]) -> None:
    with fleet.session() as session:
        session.execute("BEGIN")
        with pytest.raises(outgrow.IntegrityError):
            session.execute(INSERT, [1, "again"])
        with pytest.raises(outgrow.OperationalError):
            session.execute("COMMIT")
    [ended] = [event for event in events if isinstance(event, TransactionEnded)]
    assert ended.outcome == "rolled back"
    assert ended.error is not None and ended.error.code == "OG-RUN-020"
    met = [event.error.code for event in events if isinstance(event, ErrorMet)]
    assert met == ["OG-NODE-110", "OG-RUN-020"], "each error is told of once"


def test_errors(fleet: Fleet, events: list[Event]) -> None:
    with fleet.session() as session, pytest.raises(outgrow.IntegrityError):
        session.execute(INSERT, [key_on(fleet, "s1"), "x"])
    met, told = events
    assert isinstance(met, ErrorMet) and isinstance(told, StatementEnded)
    error = met.error
    assert (error.code, error.sqlstate, error.shard, error.node) == ("OG-NODE-110", "23505", "s1", "app/s1/primary")
    assert (error.kind, error.from_server) == ("outgrow.errors.IntegrityError", True)
    assert (error.message, met.mended, met.fingerprint) == (None, False, told.fingerprint)
    assert (told.error, told.visits[0].error, told.rows) == (error, error, -1)


@pytest.mark.parametrize(
    ("sql", "code", "kind"),
    [
        ("SELECT nothing FROM customers", "OG-STMT-011", "opaque"),
        ("SELECT random() FROM customers", "OG-PLAN-018", "query"),
        ("SELEC 1", "OG-PLAN-002", "opaque"),
        ("SELECT 'never ends", "OG-STMT-003", "opaque"),
    ],
)
def test_what_never_reached_a_server(fleet: Fleet, events: list[Event], sql: str, code: str, kind: str) -> None:
    with fleet.session() as session, pytest.raises(outgrow.Error):
        session.execute(sql)
    told = only(events)
    assert told.error is not None
    assert (told.error.code, told.error.from_server, told.kind) == (code, False, kind)
    assert (told.shards, told.nodes, told.visits, told.why) == ((), (), (), "")


def test_a_statement_that_is_interrupted_is_told_of(fleet: Fleet, events: list[Event]) -> None:
    async def run() -> None:
        async with fleet.async_session() as session:
            sleeping = asyncio.ensure_future(session.execute("SELECT pg_sleep(30)"))
            await asyncio.sleep(0.3)
            sleeping.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sleeping

    asyncio.run(run())
    told = only(events)
    assert told.error is not None and told.error.code == "CancelledError"
    assert 0.2 < told.seconds < 10


def test_many_at_once_in_asyncio(fleet: Fleet, events: list[Event]) -> None:
    async def one(key: int) -> None:
        async with fleet.async_session(level="strong") as session:
            await session.execute(POINT, [key])

    async def run() -> None:
        await asyncio.gather(*(one(key) for key in range(1, 9)))

    asyncio.run(run())
    assert len(statements(events)) == 8
    assert all(len(event.visits) == 1 and event.rows == 1 for event in statements(events))


def test_what_is_more_than_a_statement(fleet: Fleet, events: list[Event]) -> None:
    """Streams, COPY, loads and batches are one event each."""

    def told(do: Callable[[Any], object]) -> StatementEnded:
        events.clear()
        with fleet.session(level="strong") as session:
            do(session)
        return only(events)

    def copy_in(session: outgrow.Session) -> None:
        with session.copy("COPY customers FROM STDIN") as copy:
            for key in range(100, 120):
                copy.write_row([key, "n"])

    def copy_out(session: outgrow.Session) -> None:
        with session.copy("COPY customers TO STDOUT") as copy:
            assert sum(len(bytes(block).splitlines()) for block in copy) == 48

    def load(session: outgrow.Session) -> None:
        file = io.BytesIO(b"customer_id,name\n" + b"".join(b"%d,a\n" % key for key in range(200, 220)))
        session.load(file, "customers", options=LoadOptions(append=True))

    def batch(session: outgrow.Session) -> None:
        with dbapi.connect(fleet) as connection:
            connection.cursor().executemany(
                "DELETE FROM customers WHERE customer_id = %s", [(k,) for k in range(9, 300)]
            )

    both = ("s1", "s2")
    event = told(copy_in)
    assert (event.kind, event.command, event.shards, event.rows) == ("copy", "COPY", both, 20)
    assert event.fingerprint.summary == "COPY customers"
    event = told(load)
    assert (event.kind, event.command, event.shards, event.rows) == ("copy", "LOAD", both, 20)
    event = told(copy_out)
    assert (event.command, event.shards, event.rows) == ("COPY", both, 48)
    event = told(lambda session: list(session.stream("SELECT * FROM customers")))
    assert (event.kind, event.shards, event.why, event.rows) == ("query", both, "scatter", 48)
    event = told(batch)
    assert (event.command, event.shards, event.rows, event.batch) == ("DELETE", both, 40, 291)


def test_a_stream_left_early_or_refused(fleet: Fleet, events: list[Event]) -> None:
    with fleet.session() as session:
        rows = session.stream("SELECT * FROM customers", chunk_rows=1)
        next(rows)
        session.execute(POINT, [1])
        rows.close()  # type: ignore[attr-defined]
        with pytest.raises(outgrow.NotSupportedError):
            list(session.stream("DELETE FROM customers"))
    other, early, refused = statements(events)
    assert (other.fingerprint.summary, len(other.visits)) == ("SELECT customers", 1)
    assert early.error is None and early.rows >= 1 and early.shards == ("s1", "s2")
    assert refused.error is not None and refused.error.code == "OG-RUN-012"


def test_shards_that_were_named_and_commands_of_the_session(fleet: Fleet, events: list[Event]) -> None:
    with fleet.session() as session:
        session.execute("SELECT count(*) FROM customers", shard="s2")
        session.execute("SET work_mem TO '4MB'")
        session.execute("SELECT 1")
        session.execute("COMMENT ON TABLE customers IS 'secret'")
    named, set_, any_, ddl = statements(events)
    assert (named.why, named.shards) == ("named", ("s2",))
    assert (set_.kind, set_.why, set_.fingerprint.text) == ("session", "session", "set work_mem to ?")
    assert any_.why == "any"
    assert (ddl.kind, ddl.why, ddl.shards) == ("ddl", "everywhere", ("s1", "s2"))
    assert ddl.fingerprint.text == "comment on table customers is ?"


def tell_secrets(fleet: Fleet, secret: str) -> None:
    """Statements of every kind that hold it, most of which fail."""
    with fleet.session() as session:
        for sql, parameters in [
            (POINT.replace("customer_id", "name"), [secret]),
            (f"SELECT '{secret}', $${secret}$$ FROM customers /* {secret} */", None),
            ("SELECT name::int FROM customers WHERE customer_id = 1 OR name = %(name)s", {"name": secret}),
            (f"SELECT '{secret}'::int", None),
            (f"INSERT INTO customers VALUES (1, '{secret}')", None),
            (f"INSERT INTO customers VALUES ('{secret}', 'x')", None),
            ("INSERT INTO customers VALUES (%s, 'x')", [secret]),
            (f"INSERT INTO countries VALUES ('{secret}'), ('{secret}')", None),
            (f"SET search_path TO {secret}", None),
            (f"SELECT nothing, '{secret}' FROM customers", None),
            (f"SELECT '{secret}", None),
            (f"COMMENT ON TABLE nothing IS '{secret}'", None),
            (f"NOTIFY there, '{secret}'", None),
        ]:
            try:
                session.execute(sql, parameters)
            except outgrow.Error:
                if session.in_transaction:
                    session.execute("ROLLBACK")
        with pytest.raises(outgrow.Error):
            list(session.stream(f"SELECT name::int FROM customers WHERE name <> '{secret}'"))
        with pytest.raises(outgrow.Error), session.copy("COPY customers FROM STDIN") as copy:
            copy.write_row([secret, secret])


def test_values_are_never_told(fleet: Fleet, events: list[Event], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        tell_secrets(fleet, "hunter2")
    assert len(statements(events)) > 14
    assert len([event for event in events if isinstance(event, ErrorMet)]) > 8
    assert "hunter2" not in repr(events)
    assert "hunter2" not in caplog.text


def test_values_are_told_where_asked_for(fleet: Fleet) -> None:
    events: list[Event] = []
    with outgrow.open(fleet.topology, observe=Observe(with_parameters=True)) as opened, opened.session() as session:
        opened.subscribe(events.append)
        session.execute(POINT, [1])
        with pytest.raises(outgrow.DataError):
            session.execute("INSERT INTO customers VALUES (%(id)s, 'x')", {"id": "hunter2"})
    read, write = statements(events)
    assert read.parameters == [1]
    assert write.parameters == {"id": "hunter2"}
    assert write.error is not None and "hunter2" in str(write.error.message)
    assert "'x'" not in repr(events), "literals are not, even then"


def test_a_callback_that_raises_breaks_no_statement(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    def wrong(event: Event) -> None:
        raise RuntimeError("no")

    leave = fleet.subscribe(wrong)
    try:
        with fleet.session() as session:
            assert session.execute(POINT, [1]).rowcount == 1
            assert session.execute("UPDATE customers SET name = 'x'").rowcount == 8
            with session.transaction():
                session.execute(POINT, [1])
            with pytest.raises(outgrow.IntegrityError):
                session.execute(INSERT, [1, "x"])
    finally:
        leave()
    assert [record.name for record in caplog.records] == ["outgrow.events"]


def test_an_event_that_cannot_be_made_breaks_no_statement(
    fleet: Fleet, events: list[Event], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def wrong(*rest: Any) -> StatementEnded:
        raise RuntimeError("no")

    monkeypatch.setattr(telling, "StatementEnded", wrong)
    with fleet.session() as session:
        assert session.execute(POINT, [1]).rowcount == 1
        assert session.execute(POINT, [1]).rowcount == 1
    assert events == []
    assert {record.name for record in caplog.records} == {"outgrow.events"}


def test_a_callback_may_ask_the_fleet(fleet: Fleet) -> None:
    counts: list[Any] = []
    leave = fleet.subscribe(lambda event: counts.append(fleet.execute("SELECT count(*) FROM customers").fetchone()))
    try:
        fleet.execute(POINT, [1])
    finally:
        leave()
    assert counts == [(8,)]


def test_unsubscribing(fleet: Fleet, events: list[Event]) -> None:
    told: list[Event] = []
    leave = fleet.subscribe(told.append)
    fleet.execute(POINT, [1])
    leave()
    fleet.execute(POINT, [1])
    assert (len(told), len(events)) == (1, 2)


def test_a_lost_node_is_told_of_though_nobody_noticed(
    fleet: Fleet, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_steps, lost = asking._ask_steps, []

    def failing_steps(state: Any, choice: Any, *rest: Any) -> Steps[Any]:
        if not lost:
            lost.append(choice.node.name)
            raise NodeLost("OG-NODE-011", "gone, and hunter2 with it", node=choice.node.name, shard=choice.node.shard)
        return (yield from ask_steps(state, choice, *rest))

    monkeypatch.setattr(asking, "_ask_steps", failing_steps)
    with fleet.session() as session:
        assert session.execute(POINT, [1]).rowcount == 1
    met, told = events
    assert isinstance(met, ErrorMet) and isinstance(told, StatementEnded)
    assert (met.mended, met.error.code, met.error.node) == (True, "OG-NODE-011", lost[0])
    assert (told.error, len(told.visits)) == (None, 1)
