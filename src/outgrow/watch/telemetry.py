"""Spans and durations by OpenTelemetry's stable conventions for database clients.

A span for each statement, as a child of whatever span is current where it was run; below it one for each shard of a
statement over several; COMMIT and ROLLBACK have their own.  Spans are made when the event comes, with the times that
it tells: until then the statement costs nothing more, and its end decides their attributes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.metrics import Meter
from opentelemetry.trace import SpanKind, Status, StatusCode

from outgrow.events import (
    ConnectionEvent,
    ErrorFacts,
    Event,
    MessagesDelivered,
    StatementEnded,
    TransactionEnded,
    Visit,
)
from outgrow.topology import Domain, Node, Topology, dsn
from outgrow.watch.connections import BUCKETS_SECONDS, Connections
from outgrow.watch.outbox import Deliveries

#: The name of the scope that spans and the histogram belong to.
SCOPE = "outgrow"

#: Attributes that a duration has too: what does not vary from statement to statement.
_MEASURED = (
    *("db.system.name", "db.namespace", "db.operation.name", "db.query.summary", "db.response.status_code"),
    *("error.type", "server.address", "server.port"),
)
#: Their transaction's event says more.
_ENDS = ("COMMIT", "ROLLBACK")
#: What ended a transaction so, unless COMMIT did.
_COMMANDS = {"rolled back": "ROLLBACK", "prepared": "PREPARE TRANSACTION"}

Attributes = dict[str, Any]


class Telemetry:
    """A subscriber."""

    def __init__(self, topology: Topology, connections: Connections, meter: Meter, tracer_provider: Any = None) -> None:
        self._tracer = trace.get_tracer(SCOPE, tracer_provider=tracer_provider)
        self._connections = connections
        self._deliveries = Deliveries(meter)
        self._durations = meter.create_histogram(
            "db.client.operation.duration",
            unit="s",
            description="Duration of database client operations.",
            explicit_bucket_boundaries_advisory=BUCKETS_SECONDS,
        )
        nodes = [node for domain in topology.domains for shard in domain.shards for node in shard.nodes]
        self._places = {node.name: _place(node) for node in nodes}
        self._domains = {domain.name: _everywhere(domain, self._places) for domain in topology.domains}
        #: An engine's name is the conventions' name of the system.
        self._engines = {domain.name: domain.engine for domain in topology.domains}
        #: Ends of transactions within a statement, which is told of next.
        self._held: dict[str, TransactionEnded] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, StatementEnded):
            self._statement(event)
        elif isinstance(event, TransactionEnded):
            if event.in_statement:
                self._held[event.transaction] = event
            else:
                self._end(event, None)
        elif isinstance(event, ConnectionEvent):
            self._connections.tell(event)
        elif isinstance(event, MessagesDelivered):
            self._deliveries.tell(event)

    def _statement(self, event: StatementEnded) -> None:
        ended = self._held.pop(event.transaction, None) if event.transaction is not None else None
        if event.kind == "transaction" and event.command in _ENDS and ended is not None:
            self._end(ended, None)
            return
        if event.kind == "transaction" and event.error is None and event.command in ("BEGIN", *_ENDS):
            # Nothing went to a server.
            return
        attributes = self._of(event)
        name = attributes["db.query.summary"] or attributes["db.operation.name"] or attributes["db.system.name"]
        span = self._tracer.start_span(name, None, SpanKind.CLIENT, attributes, start_time=event.began_ns)
        if span.is_recording():
            inside = trace.set_span_in_context(span)
            for visit in event.visits if len(event.visits) > 1 else ():
                self._visit(event, visit, name, inside)
            if ended is not None:
                self._end(ended, inside)
        _fail(span, event.error)
        span.end(event.began_ns + _ns(event.seconds))
        self._durations.record(event.seconds, _measured(attributes))

    def _visit(self, event: StatementEnded, visit: Visit, name: str, inside: Any) -> None:
        attributes = self._common(event.domain, (visit.node,), event.command, visit.error)
        attributes |= {
            "db.query.summary": name,
            "outgrow.shard": visit.shard,
            "outgrow.node": visit.node,
            "outgrow.role": visit.role,
            "outgrow.why": visit.why,
        }
        began = event.began_ns + _ns(visit.offset_seconds)
        span = self._tracer.start_span(name, inside, SpanKind.CLIENT, attributes, start_time=began)
        _fail(span, visit.error)
        span.end(began + _ns(visit.seconds))

    def _end(self, event: TransactionEnded, inside: Any) -> None:
        """COMMIT or ROLLBACK, where it went to servers at all; `inside` the statement that it belongs to."""
        if not event.shards:
            return
        command = _COMMANDS.get(event.outcome, "COMMIT") if event.error is None else "COMMIT"
        attributes = self._common(event.domain, (), command, event.error)
        attributes |= {
            "db.query.summary": command,
            "outgrow.transaction": event.transaction,
            "outgrow.outcome": event.outcome,
            "outgrow.shards": event.shards,
        }
        span = self._tracer.start_span(command, inside, SpanKind.CLIENT, attributes, start_time=event.began_ns)
        _fail(span, event.error)
        span.end(event.began_ns + _ns(event.seconds))
        if inside is None:
            self._durations.record(event.seconds, _measured(attributes))

    def _of(self, event: StatementEnded) -> Attributes:
        batch = "BATCH " if event.batch > 1 else ""
        attributes = self._common(event.domain, event.nodes, batch + event.command, event.error)
        attributes |= {
            "db.query.summary": batch + event.fingerprint.summary,
            "db.query.text": event.fingerprint.text,
            "outgrow.fingerprint": event.fingerprint.id,
            "outgrow.domain": event.domain,
            "outgrow.level": event.level,
            "outgrow.shards": event.shards,
            "outgrow.nodes": event.nodes,
            "outgrow.why": event.why,
            "outgrow.rows": event.rows,
        }
        if event.command == "LOAD":
            del attributes["db.query.text"]
        if event.batch > 1:
            attributes["db.operation.batch.size"] = event.batch
        if event.transaction is not None:
            attributes["outgrow.transaction"] = event.transaction
        if len(event.visits) == 1:
            attributes["outgrow.role"] = event.visits[0].role
        if event.parameters is not None and not event.batch:
            pairs: Iterable[Any] = enumerate(event.parameters)
            if isinstance(event.parameters, Mapping):
                pairs = event.parameters.items()
            attributes |= {f"db.query.parameter.{name}": str(value) for name, value in pairs}
        return attributes

    def _common(self, domain: str, nodes: Iterable[str], command: str, error: ErrorFacts | None) -> Attributes:
        places = [self._places[name] for name in nodes if name in self._places]
        attributes: Attributes = {"db.system.name": self._engines[domain], "db.operation.name": command}
        attributes |= _same(places) if places else self._domains.get(domain, {})
        if error is not None:
            attributes["error.type"] = (error.sqlstate if error.from_server else None) or error.code
            if error.from_server and error.sqlstate is not None:
                attributes["db.response.status_code"] = error.sqlstate
        return attributes


def _place(node: Node) -> Attributes:
    """Where a node is, as its address says; of several hosts nobody knows which one answers."""
    host, port, database = dsn.address(node.dsn)
    found: Attributes = {"db.namespace": database} if database else {}
    if host and "," not in host:
        found["server.address"] = host
        if port.isdecimal():
            found["server.port"] = int(port)
    return found


def _everywhere(domain: Domain, places: Mapping[str, Attributes]) -> Attributes:
    return _same([places[node.name] for shard in domain.shards for node in shard.nodes])


def _same(places: list[Attributes]) -> Attributes:
    """What all of them have in common."""
    first = places[0]
    found = {key: value for key, value in first.items() if all(place.get(key) == value for place in places)}
    if "server.address" not in found:
        # A port says nothing alone.
        found.pop("server.port", None)
    return found


def _fail(span: Any, error: ErrorFacts | None) -> None:
    """The status of what failed.  The error's own words are said only where parameters may be."""
    if error is not None:
        said = error.code if error.message is None else f"{error.code}: {error.message}"
        span.set_status(Status(StatusCode.ERROR, said))


def _measured(attributes: Attributes) -> Attributes:
    return {name: attributes[name] for name in _MEASURED if name in attributes}


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
