"""Spans and durations as OpenTelemetry's SDK receives them."""

from __future__ import annotations

import asyncio
import builtins
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, Metric
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import outgrow
from outgrow import Fleet, Observe
from outgrow.doors import dbapi
from outgrow.events import Event, StatementEnded
from outgrow.nodes import drive
from outgrow.topology import dsn
from outgrow.watch import instrument
from tests.integration.watch.test_events import INSERT, POINT, key_on, tell_secrets

POOL = "db.client.connection.pool.name"


class Traced:
    """A fleet whose spans and metrics are kept in memory."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self._exporter = InMemorySpanExporter()
        self._tracers = TracerProvider()
        self._tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._reader = InMemoryMetricReader()
        self._meters = MeterProvider(metric_readers=[self._reader])
        self.tracer = self._tracers.get_tracer("tests")
        self.leave = instrument(fleet, tracer_provider=self._tracers, meter_provider=self._meters)

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    @property
    def points(self) -> list[HistogramDataPoint]:
        metric = self.metrics()["db.client.operation.duration"]
        assert metric.unit == "s"
        return list(metric.data.data_points)  # type: ignore[arg-type]

    def metrics(self) -> dict[str, Metric]:
        """By name."""
        data = self._reader.get_metrics_data()
        if data is None:
            return {}
        return {metric.name: metric for metric in data.resource_metrics[0].scope_metrics[0].metrics}


@pytest.fixture
def traced(fleet: Fleet) -> Iterator[Traced]:
    traced = Traced(fleet)
    yield traced
    traced.leave()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def id_of(span: Any) -> int:
    return int(span.get_span_context().span_id)


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def test_a_statement_is_a_span_under_the_current_one(traced: Traced, fleet: Fleet) -> None:
    key = key_on(fleet, "s2")
    with fleet.session(level="strong") as session, traced.tracer.start_as_current_span("request") as request:
        session.execute(POINT, [key])
    span, _ = traced.spans
    host, port, database = dsn.address(fleet.topology.domains[0].shard("s2").primary.dsn)
    assert (span.name, span.kind, parent_of(span)) == ("SELECT customers", SpanKind.CLIENT, id_of(request))
    assert span.status.status_code is StatusCode.UNSET
    told = attributes(span)
    assert {name: value for name, value in told.items() if not name.startswith("outgrow.")} == {
        "db.system.name": "postgresql",
        "db.namespace": database,
        "db.operation.name": "SELECT",
        "db.query.summary": "SELECT customers",
        "db.query.text": "select name from customers where customer_id = ?",
        "server.address": host,
        "server.port": int(port),
    }
    assert told["outgrow.nodes"] == ("app/s2/primary",)
    assert (told["outgrow.why"], told["outgrow.role"], told["outgrow.level"]) == ("key", "primary", "strong")
    assert span.start_time is not None and span.end_time is not None
    assert 0 < span.end_time - span.start_time < 5e9


def test_durations_are_the_spans(traced: Traced, fleet: Fleet) -> None:
    with fleet.session(level="strong") as session:
        for _ in range(3):
            session.execute(POINT, [1])
        with pytest.raises(outgrow.IntegrityError):
            session.execute(INSERT, [1, "x"])
    point, failed = sorted(traced.points, key=lambda point: -point.count)
    assert tuple(point.explicit_bounds) == (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
    assert (point.count, failed.count) == (3, 1)
    lasted = [(span.end_time or 0) - (span.start_time or 0) for span in traced.spans]
    assert point.sum == pytest.approx(sum(lasted[:3]) / 1e9, abs=1e-6)
    assert set(point.attributes or ()) == {
        *("db.system.name", "db.namespace", "db.operation.name", "db.query.summary", "server.address", "server.port"),
    }
    assert (failed.attributes or {})["error.type"] == (failed.attributes or {})["db.response.status_code"] == "23505"


def test_a_scatter_has_a_child_for_each_shard(traced: Traced, fleet: Fleet) -> None:
    with fleet.session(level="strong") as session:
        session.execute("SELECT count(*) FROM customers")
    *children, parent = traced.spans
    assert [attributes(child)["outgrow.shard"] for child in children] == ["s1", "s2"]
    assert [attributes(child)["outgrow.node"] for child in children] == ["app/s1/primary", "app/s2/primary"]
    for child in children:
        assert (child.name, child.kind, parent_of(child)) == (parent.name, SpanKind.CLIENT, id_of(parent))
        assert child.start_time is not None and child.end_time is not None
        assert parent.start_time is not None and parent.end_time is not None
        assert parent.start_time <= child.start_time <= child.end_time <= parent.end_time
    ports = {attributes(child)["server.port"] for child in children}
    assert len(ports) == 2 and "server.port" not in attributes(parent), "no one server"
    assert sum(point.count for point in traced.points) == 1, "a statement counts once"


def test_asyncio_tasks_keep_to_their_own_spans(traced: Traced, fleet: Fleet) -> None:
    async def one(key: int) -> tuple[int, int]:
        async with fleet.async_session(level="strong") as session:
            with traced.tracer.start_as_current_span(f"task {key}") as task:
                await session.execute(POINT, [key])
                await session.execute("SELECT count(*) FROM customers")
                return key, id_of(task)

    async def run() -> list[tuple[int, int]]:
        return await asyncio.gather(*(one(key) for key in range(1, 7)))

    tasks = {span: key for key, span in asyncio.run(run())}
    below: dict[int | None, list[str]] = {}
    for span in traced.spans:
        if span.name.startswith("SELECT") and "db.query.text" in attributes(span):
            below.setdefault(parent_of(span), []).append(attributes(span)["outgrow.why"])
    assert below == {task: ["key", "scatter"] for task in tasks}


def test_ends_of_transactions(traced: Traced, fleet: Fleet) -> None:
    with fleet.session() as session:
        session.execute("UPDATE customers SET name = 'u'")
        with session.transaction():
            session.execute(POINT, [1])
        session.execute("BEGIN")
        session.execute(POINT, [1])
        session.execute("ROLLBACK")
        session.execute("BEGIN")
        session.execute("COMMIT")
    names = [span.name for span in traced.spans]
    update, select = "UPDATE customers", "SELECT customers"
    assert names == [update, update, "COMMIT", update, select, "COMMIT", select, "ROLLBACK"]
    assert parent_of(traced.spans[2]) == id_of(traced.spans[3]), "a statement's own commit is part of it"
    assert parent_of(traced.spans[5]) is None
    transaction = [attributes(span)["outgrow.transaction"] for span in traced.spans[4:]]
    assert transaction[0] == transaction[1] != transaction[2] == transaction[3]
    assert attributes(traced.spans[7])["outgrow.outcome"] == "rolled back"


def test_errors(traced: Traced, fleet: Fleet) -> None:
    with fleet.session() as session:
        with pytest.raises(outgrow.IntegrityError):
            session.execute(INSERT, [1, "x"])
        with pytest.raises(outgrow.NotSupportedError):
            session.execute("SELECT random() FROM customers")
    broken, refused = traced.spans
    told = attributes(broken)
    assert (told["error.type"], told["db.response.status_code"]) == ("23505", "23505")
    assert (broken.status.status_code, broken.status.description) == (StatusCode.ERROR, "OG-NODE-110")
    told = attributes(refused)
    assert (told["error.type"], "db.response.status_code" in told) == ("OG-PLAN-018", False)
    assert told["db.namespace"], "where it would have gone"
    assert broken.events == refused.events == ()


def test_a_batch(traced: Traced, fleet: Fleet) -> None:
    with dbapi.connect(fleet) as connection:
        connection.cursor().executemany("UPDATE customers SET name = %s WHERE customer_id = %s", [("x", 1), ("y", 2)])
    [batch] = [span for span in traced.spans if "db.operation.batch.size" in attributes(span)]
    assert (batch.name, attributes(batch)["db.operation.name"]) == ("BATCH UPDATE customers", "BATCH UPDATE")
    assert attributes(batch)["db.operation.batch.size"] == 2


def test_no_value_is_in_a_span(traced: Traced, fleet: Fleet) -> None:
    tell_secrets(fleet, "hunter2")
    assert len(traced.spans) > 14
    assert "hunter2" not in "".join(span.to_json() for span in traced.spans)
    assert "hunter2" not in repr(traced.points)


def test_parameters_where_asked_for(fleet: Fleet) -> None:
    topology = replace(fleet.topology, observe=Observe(with_parameters=True))
    with outgrow.open(topology) as opened, opened.session() as session:
        traced = Traced(opened)
        session.execute(POINT, [1])
        session.execute(POINT.replace("%s", "%(id)s"), {"id": 2})
    first, second = traced.spans
    assert attributes(first)["db.query.parameter.0"] == "1"
    assert attributes(second)["db.query.parameter.id"] == "2"


def test_it_is_switched_on_by_the_file(fleet: Fleet) -> None:
    """The global providers do nothing here; that it is subscribed shows in what a statement is asked."""
    with outgrow.open(replace(fleet.topology, observe=Observe(opentelemetry=True))) as opened:
        assert opened.execute(POINT, [1]).rowcount == 1
        told: list[Event] = []
        leave = opened.subscribe(told.append)
        leave()
        assert opened._states["app"].tell is not None


def test_what_the_pools_do(fleet: Fleet) -> None:
    """On a fleet of its own: what a used one does in the background takes connections too."""
    with outgrow.open(fleet.topology) as quiet:
        traced = Traced(quiet)
        pool = quiet._nodes.pool(quiet.topology.domains[0].shards[0].primary)
        pool.cut()
        for link in [drive(pool.take_steps()) for _ in range(2)]:
            pool.give(link)
        held = drive(pool.take_steps())

        def of(name: str) -> dict[tuple[str, ...], Any]:
            points = traced.metrics()[f"db.client.connection.{name}"].data.data_points
            ours = [(dict(one.attributes or {}), one) for one in points]
            return {
                tuple(str(value) for key, value in told.items() if key != POOL): one
                for told, one in ours
                if told[POOL] == "app/s1/primary"
            }

        assert {state: one.value for state, one in of("count").items()} == {("idle",): 1, ("used",): 1}
        assert of("max")[()].value == pool.limits.size_max
        assert of("pending_requests")[()].value == of("timeouts")[()].value == 0
        created = of("create_time")[()]
        assert created.count == 2 and 0 < created.sum < 10 * created.count
        others = [drive(pool.take_steps()) for _ in range(pool.limits.size_max - 1)]
        waiter = threading.Thread(target=lambda: pool.give(drive(pool.take_steps())))
        waiter.start()
        while not (waits := of("pending_requests")[()].value):
            time.sleep(0.001)
        pool.give(held)
        waiter.join()
        assert waits == 1 and of("wait_time")[()].count == 1
        for link in others:
            pool.give(link)
        traced.leave()
        assert "db.client.connection.count" not in traced.metrics()


def test_without_the_package(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def missing(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return imported(name, *rest, **more)

    monkeypatch.delitem(sys.modules, "outgrow.watch.telemetry", raising=False)
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(outgrow.ConfigurationError, match="OG-WATCH-001"):
        outgrow.open(fleet.topology, observe=Observe(opentelemetry=True))


def test_events_are_not_changed_by_it(traced: Traced, fleet: Fleet) -> None:
    told: list[Event] = []
    leave = fleet.subscribe(told.append)
    fleet.execute(POINT, [1])
    leave()
    [event] = told
    assert isinstance(event, StatementEnded)
    [span] = traced.spans
    assert attributes(span)["outgrow.fingerprint"] == event.fingerprint.id
