"""Events of connections, for those who ask."""

from __future__ import annotations

from outgrow import Fleet
from outgrow.events import ConnectionClosed, ConnectionOpened, Event
from tests.integration.watch.test_events import POINT, key_on, only


def test_connections_are_told_of_to_those_who_ask(fleet: Fleet, events: list[Event]) -> None:
    asked: list[Event] = []
    leave = fleet.subscribe(asked.append, connections=True)
    pool = fleet._nodes.pool(fleet.topology.domains[0].shards[0].primary)
    pool.cut()
    with fleet.session(level="strong") as session:
        session.execute(POINT, [key_on(fleet, "s1")])
    leave()
    told = [one for one in asked if isinstance(one, ConnectionOpened | ConnectionClosed)]
    assert {(one.node, one.domain) for one in told} == {("app/s1/primary", "app")}
    assert isinstance(told[-1], ConnectionOpened) and told[0] == asked[0]
    assert [one for one in asked if one not in told] == events == [only(events)]
    pool.cut()
    assert asked[-2:] == [told[-1], events[0]] and fleet.stats()["app/s1/primary"].size == 0
